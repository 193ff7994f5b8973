// Waiting for events with a deadline, so that no test sleeps and hopes.

import {setTimeout as delay} from 'node:timers/promises';

export const PATIENCE = 10_000;

/** The value of `promise`, or a failure that says which event, a text or a function giving one, stayed away. */
export async function within(promise, what, patience = PATIENCE) {
  const settled = new AbortController();
  const late = delay(patience, undefined, {signal: settled.signal}).then(
    () => {
      throw new Error(`nothing within ${patience} ms: ${typeof what === 'string' ? what : what()}`);
    },
    () => {},
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    settled.abort();
  }
}

/** Collects what arrives and hands it out in order of arrival. */
export class Inbox {
  all = [];
  #taken = 0;
  #wake = () => {};

  constructor(name) {
    this.name = name;
  }

  push(item) {
    this.all.push(item);
    this.#wake();
  }

  /** The next item that was not taken yet. */
  async next(patience) {
    const [item] = await this.take(1, patience);
    return item;
  }

  /** The next `count` items that were not taken yet. */
  async take(count, patience) {
    const end = this.#taken + count;
    await this.until(() => this.all.length >= end, `${end} items`, patience);
    this.#taken = end;
    return this.all.slice(end - count, end);
  }

  /** The first item, taken or not, for which `wanted` holds. */
  async find(wanted, what, patience) {
    await this.until(() => this.all.some(wanted), what, patience);
    return this.all.find(wanted);
  }

  /** Waits until `holds()`, which is asked again whenever something arrives. */
  async until(holds, what, patience = PATIENCE) {
    const arrived = new Promise((resolve) => {
      this.#wake = () => holds() && resolve();
      this.#wake();
    });
    await within(arrived, () => `${what} in ${this.name}, ${this.#summary()}`, patience);
  }

  #summary() {
    const last = JSON.stringify(this.all.at(-1))?.slice(0, 200);
    return `which has ${this.all.length}, the last being ${last}`;
  }
}
