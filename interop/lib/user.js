// A client of a node, over long-polling by hand: it says who it is, and keeps what it gets.

import {Inbox, within} from './wait.js';
import {LONG} from './oort.js';

/** Connects a client to `node` as `user`. */
export async function logIn(node, user) {
  const client = new Client(node.url);
  await client.open();
  await client.logIn(user);
  return client;
}

class Client {
  #url;
  #cookie = '';
  #clientId;
  #id = 0;
  #isOver = false;
  /** What came that is no reply, in its order. */
  messages;

  constructor(url) {
    this.#url = url;
    this.messages = new Inbox(`the messages of a client of ${url}`);
  }

  async open() {
    const handshake = {channel: '/meta/handshake', version: '1.0', supportedConnectionTypes: ['long-polling']};
    const {clientId} = await this.#send(handshake);
    this.#clientId = clientId;
    this.#connect();
  }

  /** Says that it is `user`, and returns whether that is new. */
  async logIn(user) {
    return this.#say('/service/login', user);
  }

  /** Says that it is `user` no more, and returns whether it was. */
  async logOut(user) {
    return this.#say('/service/logout', user);
  }

  /** Ends its session. */
  async close() {
    this.#isOver = true;
    await this.#send({channel: '/meta/disconnect'});
  }

  /** The data that came on `channel` so far. */
  heard(channel) {
    return this.messages.all.filter((message) => message.channel === channel).map(({data}) => data);
  }

  async #say(channel, data) {
    const before = this.heard(channel).length;
    await this.#send({channel, data});
    await this.messages.until(() => this.heard(channel).length > before, `the answer on ${channel}`, LONG);
    return this.heard(channel)[before];
  }

  /** Connects until the session ends, or its node does. */
  async #connect() {
    while (!this.#isOver) {
      await this.#send({channel: '/meta/connect', connectionType: 'long-polling'}).catch(() => (this.#isOver = true));
    }
  }

  async #send(message) {
    const whole = {id: `${++this.#id}`, clientId: this.#clientId, ...message};
    const headers = {'content-type': 'application/json', cookie: this.#cookie};
    const asked = fetch(this.#url, {method: 'POST', headers, body: JSON.stringify([whole])});
    const response = await within(asked, `the reply to ${message.channel}`, LONG);
    const cookies = response.headers.getSetCookie();
    if (cookies.length) this.#cookie = cookies.map((cookie) => cookie.split(';')[0]).join('; ');
    const all = await response.json();
    for (const one of all) if ('data' in one) this.messages.push(one);
    const reply = all.find(({id, channel, data}) => id === whole.id && channel === message.channel && data === undefined);
    if (!reply?.successful) throw new Error(`${message.channel}: ${JSON.stringify(reply)}`);
    return reply;
  }
}
