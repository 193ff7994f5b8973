// The library learns what the server's clock shows.

import assert from 'node:assert/strict';

import {extension, overEveryTransport} from '../lib/cometd.js';

overEveryTransport('the clock of the server is known', async ({newClient}) => {
  const client = newClient();
  const timesync = await extension('TimeSyncExtension');
  client.cometd.registerExtension('timesync', timesync);
  await client.connect();
  const {ext} = client.handshakes.all[0];
  for (const field of ['tc', 'ts', 'p', 'a']) assert.ok(Number.isInteger(ext?.timesync?.[field]), JSON.stringify(ext));
  // It is the same clock, unless this machine is very busy.
  assert.ok(Math.abs(timesync.getServerTime() - Date.now()) < 5_000, `${timesync.getServerTime()}`);
  assert.ok(Math.abs(timesync.getNetworkLag()) < 5_000, `${timesync.getNetworkLag()}`);
  // What it says in other requests does them no harm.
  const inbox = await client.subscribe('/room');
  assert.equal((await client.publish('/room', 1)).successful, true);
  assert.equal((await inbox.next()).data, 1);
});
