// The npm package `cometd-nodejs-server` at /cometd: cometd-nodejs.js [--timeout MS] [--max-interval MS]

import {interop, http, listen, maxInterval, timeout} from './program.js';

const cometd = interop('cometd-nodejs-server');

// All sessions of a generator are of one browser, by their address.
const server = cometd.createCometDServer({timeout, maxInterval, maxSessionsPerBrowser: -1});
http.on('request', (request, response) => server.handle(request, response));
listen();
