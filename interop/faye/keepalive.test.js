// A client that says now and then that it is there keeps its connection; before version 1.3 it does so by frames
// without a message.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/faye.js';

overEveryTransport(
  'signs of life end no connection',
  async ({newClient, transport}) => {
    const client = newClient();
    let downs = 0;
    client.faye.on('transport:down', () => downs++);
    const inbox = await client.subscribe('/alive');

    // It gives a sign of life after half of each.
    const replies = () => client.incoming.all.filter(({channel}) => channel === '/meta/connect');
    await client.incoming.until(() => replies().length === 4, 'four answered connects');

    for (const reply of replies()) assert.equal(reply.successful, true, reply.error);
    await client.publish('/alive', 'still here');
    assert.equal((await inbox.next()).data, 'still here');
    const sent = client.outgoing.all;
    const connects = sent.filter(({channel}) => channel === '/meta/connect');
    assert.deepEqual(new Set(connects.map(({connectionType}) => connectionType)), new Set([transport]));
    assert.equal(sent.filter(({channel}) => channel === '/meta/handshake').length, 1);
    assert.equal(downs, 0);
  },
  {timeout: 1_000},
);
