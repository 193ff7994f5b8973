// Several long-polling clients of one browser: only one connect is held, the others poll.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/cometd.js';

overEveryTransport(
  'a second tab polls at the interval, and takes over when the first one leaves',
  async ({connect}) => {
    // The first connect of a session is answered at once; its second one is held.
    const first = await connect();
    await first.publish('/service/echo', 'the connect is held by now');
    const second = await connect();
    const crowded = await second.connects.find(
      ({advice}) => advice?.['multiple-clients'],
      'the advice for several tabs',
    );
    assert.equal(crowded.successful, true);
    assert.equal(crowded.advice.reconnect, 'retry');
    assert.equal(crowded.advice.interval, 300);

    const inbox = await second.subscribe('/tabs');
    await first.publish('/tabs', 'also to pollers');
    assert.equal((await inbox.next()).data, 'also to pollers');

    await first.disconnect();
    await second.connects.until(
      () => !second.connects.all.at(-1).advice?.['multiple-clients'],
      'a connect without the advice for several tabs',
    );
    assert.equal(second.connects.all.at(-1).successful, true);
  },
  {
    options: {maxSessionsPerBrowser: 1, multiSessionInterval: 300, timeout: 1_000},
    transports: ['long-polling'],
  },
);
