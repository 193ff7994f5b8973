// jsforce's streaming client, Faye's with extensions for Salesforce: the demo is its instance, and there is no login.

import assert from 'node:assert/strict';

import jsforce from 'jsforce';
import streaming from 'jsforce/lib/api/streaming.js';

import {Client} from '../lib/cometd.js';
import {scenario} from '../lib/scenario.js';
import {Inbox, within} from '../lib/wait.js';

const {AuthFailure, Replay} = streaming.StreamingExtension;
const CHANNEL = '/event/News__e';

/** What Salesforce delivers for a platform event. */
const event = (replayId) => ({event: {replayId}, payload: {n: replayId}});

/** Declares a scenario per transport, of which Salesforce has long-polling only. */
function overEveryTransport(name, body) {
  for (const transport of ['websocket', 'long-polling']) {
    const run = async (scene) => {
      const {origin} = scene.demo;
      const connection = new jsforce.Connection({instanceUrl: origin, accessToken: 'token', version: '60.0'});
      const connectPublisher = async () => {
        const publisher = new Client(`${origin}/cometd`, 'long-polling');
        scene.atEnd(() => publisher.abandon());
        return publisher.connect();
      };
      await body({...scene, transport, connection, connectPublisher});
    };
    const allowedTransports = transport === 'websocket' ? 'websocket,long-polling' : transport;
    scenario(`${name}, over ${transport}`, run, {options: {allowedTransports, maxSessionsPerBrowser: -1}});
  }
}

overEveryTransport('a topic is streamed once and in order', async ({connection, connectPublisher}) => {
  const inbox = new Inbox('the topic');
  const subscription = connection.streaming.topic('News').subscribe((data) => inbox.push(data));
  await within(subscription, 'the reply to subscribe');
  const publisher = await connectPublisher();
  for (let n = 0; n < 50; n++) await publisher.publish('/topic/News', event(n));
  const received = await inbox.take(50);
  assert.deepEqual(received, Array.from({length: 50}, (_, n) => event(n)));
  assert.equal(inbox.all.length, 50);
  subscription.cancel();
});

overEveryTransport(
  'after a restart it asks from its last position, and goes on',
  async ({transport, connection, connectPublisher, restart, atEnd}) => {
    const inbox = new Inbox(CHANNEL);
    const subscribed = new Inbox('the replies to subscribe');
    const asked = [];
    const connects = [];
    const failures = [];
    const client = connection.streaming.createClient([
      new AuthFailure((message) => failures.push(message)),
      new Replay(CHANNEL, -1),
      {
        outgoing(message, pass) {
          if (message.channel === '/meta/subscribe') asked.push(message.ext.replay);
          if (message.channel === '/meta/connect') connects.push(message.connectionType);
          pass(message);
        },
        incoming(message, pass) {
          if (message.channel === '/meta/subscribe') subscribed.push(message);
          pass(message);
        },
      },
    ]);
    atEnd(() => client.disconnect());
    await within(client.subscribe(CHANNEL, (data) => inbox.push(data)), 'the reply to subscribe');
    assert.equal((await subscribed.next()).successful, true);
    const publisher = await connectPublisher();
    for (let n = 1; n <= 5; n++) await publisher.publish(CHANNEL, event(n));
    await inbox.take(5);

    await restart();

    assert.equal((await subscribed.next(30_000)).successful, true);
    const another = await connectPublisher();
    await another.publish(CHANNEL, event(6));
    assert.deepEqual(await inbox.next(), event(6));
    assert.deepEqual(asked, [{[CHANNEL]: -1}, {[CHANNEL]: 5}]);
    // While there is no server it tries its other transport.
    assert.equal(connects[0], transport);
    assert.deepEqual(failures, []);
  },
);
