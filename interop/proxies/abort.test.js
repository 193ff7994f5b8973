// A browser gives a held poll up, as when its page is closed or loaded again.

import assert from 'node:assert/strict';

import {Client} from '../lib/cometd.js';
import {PROXIES, startProxy} from '../lib/proxy.js';
import {Raw, WAYS} from '../lib/raw.js';
import {scenario} from '../lib/scenario.js';

const ROOM = '/chat/abort';

/** Declares a scenario per proxy and version of HTTP; its body also gets a session behind the proxy, and a witness. */
function behindEveryProxy(name, body, options, settings) {
  for (const kind of PROXIES) {
    for (const [version, way] of Object.entries(WAYS)) {
      const run = async (scene) => {
        const wire = await scene.link();
        const proxy = await startProxy(kind, [wire.port], settings);
        scene.atEnd(() => proxy.close());
        const witness = new Client(scene.demo.bayeux, 'websocket');
        scene.atEnd(() => witness.abandon());
        await witness.connect();
        const client = await new Raw(way(proxy)).open();

        const pollAndAbort = async () => {
          const asked = wire.passes('/meta/connect');
          const poll = client.poll();
          await asked;
          poll.abort();
        };
        await body({client, witness, pollAndAbort});
      };
      scenario(`${name}, behind ${kind}, over ${version}`, run, {options});
    }
  }
}

behindEveryProxy(
  'the server learns at once that a held poll was given up',
  async ({client, witness, pollAndAbort}) => {
    const members = await witness.subscribe('/members/abort');
    await client.send({channel: '/service/members', data: {user: 'leaver', room: ROOM}}).replies;
    await members.find(({data}) => data.includes('leaver'), 'the leaver as a member');

    await pollAndAbort();

    await members.find(({data}) => !data.includes('leaver'), 'the leaver gone', 30_000);
  },
  // Were the poll still held, the session would live for minutes.
  {timeout: 300_000, maxInterval: 500},
);

for (const abortonclose of [true, false]) {
  behindEveryProxy(
    `what is published around a poll that is given up comes once${abortonclose ? '' : ', though nobody is told'}`,
    async ({client, witness, pollAndAbort}) => {
      await client.send({channel: '/meta/subscribe', subscription: '/sure'}).replies;
      const received = [];
      let sent = 0;
      for (let round = 0; round < 5; round++) {
        await pollAndAbort();
        for (let n = 0; n < 5; n++) await witness.publish('/sure', sent++);
        // The next poll may come while the server does not know yet of the end of the one before.
        while (received.length < sent) {
          const replies = await client.poll({timeout: 2_000}).replies;
          client.ack = replies.at(-1).ext.ack;
          received.push(...replies.filter(({channel}) => channel === '/sure').map(({data}) => data));
        }
      }
      assert.deepEqual(received, Array.from({length: sent}, (_, n) => n));
    },
    {maxInterval: 30_000},
    {abortonclose},
  );
}
