// The npm package `faye` at /cometd, as its documentation sets it up: faye.js [--timeout MS]

import {interop, http, listen, timeout} from './program.js';

const faye = interop('faye');

// Its time is in seconds.
new faye.NodeAdapter({mount: '/cometd', timeout: timeout / 1_000}).attach(http);
listen();
