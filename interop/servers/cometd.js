// The npm package `cometd-nodejs-server` at /cometd, with the acknowledgement extension.

import cometd from 'cometd-nodejs-server';
import ack from 'cometd-nodejs-server/ack-extension.js';

import {http, listen, maxInterval, timeout} from './program.js';

// All clients of one test program may share a cookie jar, and so look like the tabs of one browser.
const server = cometd.createCometDServer({timeout, maxInterval, maxSessionsPerBrowser: -1});
server.addExtension(new ack.AcknowledgedMessagesExtension());

function service(name, handle) {
  server.createServerChannel(name).addListener('message', (session, _channel, message, done) => {
    handle(session, message.data);
    done();
  });
}
// What a service delivers has no id, so a remote call, which waits for its id, cannot be answered.
service('/service/echo', (session, data) => session.deliver(null, '/service/echo', data));
service('/service/many', (session, {count, channel}) => {
  for (let n = 0; n < count; n++) session.deliver(null, channel, {n});
});

const allowed = (_session, _message, channel, answer) => answer(null, channel.name !== '/denied');
server.policy = {canSubscribe: allowed, canPublish: allowed};

// The package answers at every path.
http.on('request', (request, response) => {
  if (/^\/cometd(\/|$)/.test(request.url)) server.handle(request, response);
  else response.writeHead(404).end();
});
listen();
