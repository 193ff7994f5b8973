// When the server comes back without its sessions, the faye client handshakes and subscribes again.

import assert from 'node:assert/strict';

import {overEveryTransport} from '../lib/faye.js';

overEveryTransport('after a restart the client is back with its subscription', async (scene) => {
  const {newClient, restart} = scene;
  const subscriber = newClient();
  const inbox = await subscriber.subscribe('/after');

  await restart();

  const handshakes = () =>
    subscriber.incoming.all.filter((m) => m.channel === '/meta/handshake' && m.successful);
  await subscriber.incoming.until(() => handshakes().length === 2, 'a second handshake', 20_000);
  const again = handshakes()[1];
  await subscriber.incoming.until(
    () =>
      subscriber.incoming.all
        .slice(subscriber.incoming.all.indexOf(again))
        .some((m) => m.channel === '/meta/subscribe' && m.successful),
    'a second subscribe',
  );
  await newClient().publish('/after', 'welcome back');
  assert.equal((await inbox.next()).data, 'welcome back');
});
