// Long-polling by hand, over HTTP/1.1 and HTTP/2, so that a test can give a poll up while it is held.

import {once} from 'node:events';
import {request} from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import {text} from 'node:stream/consumers';

import {within} from './wait.js';

/** Ways to ask: each gives the promise of an answer, and what gives the request up. */
export const WAYS = {
  'HTTP/1.1': ({origin}) => (headers, body) => {
    const asked = request(`${origin}/cometd`, {method: 'POST', headers, agent: false});
    asked.end(body);
    const answer = once(asked, 'response').then(async ([response]) => ({
      cookies: response.headers['set-cookie'],
      body: await text(response),
    }));
    return {answer, abort: () => asked.destroy()};
  },
  'HTTP/2': ({http2: path}) => {
    const session = http2.connect('http://localhost', {createConnection: () => net.connect(path)});
    session.on('error', () => {});
    return (headers, body) => {
      const asked = session.request({':method': 'POST', ':path': '/cometd', ...headers});
      asked.end(body);
      const answer = once(asked, 'response').then(async ([response]) => ({
        cookies: response['set-cookie'],
        body: await text(asked),
      }));
      return {answer, abort: () => asked.close(http2.constants.NGHTTP2_CANCEL)};
    };
  },
};

/** A session that sends what it is told to, and nothing by itself. */
export class Raw {
  #ask;
  #cookies = '';
  #id = 0;

  constructor(ask) {
    this.#ask = ask;
  }

  /** Handshakes, and has the first connect answered, so that the next one is held. */
  async open() {
    const handshake = {
      channel: '/meta/handshake',
      version: '1.0',
      supportedConnectionTypes: ['long-polling'],
      ext: {ack: true},
    };
    const [reply] = await this.send(handshake).replies;
    this.clientId = reply.clientId;
    this.ack = (await this.poll({timeout: 0}).replies).at(-1).ext.ack;
    return this;
  }

  /** Sends a connect that acknowledges what came so far. */
  poll(advice) {
    const connect = {channel: '/meta/connect', connectionType: 'long-polling', ext: {ack: this.ack ?? 0}};
    return this.send(advice ? {...connect, advice} : connect);
  }

  /** Sends a message: `replies` come, unless it is aborted before. */
  send(message) {
    const whole = {id: `${++this.#id}`, clientId: this.clientId, ...message};
    const headers = {'content-type': 'application/json', cookie: this.#cookies};
    const {answer, abort} = this.#ask(headers, JSON.stringify([whole]));
    const replies = within(answer, `the reply to ${message.channel}`).then(({cookies, body}) => {
      if (cookies) this.#cookies = cookies.map((cookie) => cookie.split(';')[0]).join('; ');
      return JSON.parse(body);
    });
    // Nobody waits for the answer to what was given up.
    replies.catch(() => {});
    return {replies, abort};
  }
}
