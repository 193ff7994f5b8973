// Acknowledgements, CometD's extension `ack`: with each connect the client says up to which batch it has got the
// server's messages, and the server sends again what came after it when a connection broke.

export class Acknowledgements {
  #batch = null; // the last that has come; none if the server does not take part

  /** Asks for them in a handshake. */
  get offer() {
    return { ack: true };
  }

  /** Takes the server's answer to that; older servers say no more than yes. */
  begin(answer) {
    const isOn = answer === true || answer?.enabled === true;
    this.#batch = isOn ? (answer.batch ?? 0) : null;
  }

  /** What a connect says. */
  get told() {
    return this.#batch === null ? undefined : { ack: this.#batch };
  }

  /** Takes the batch that the answer to a connect ends. */
  take(batch) {
    if (this.#batch !== null && typeof batch === "number") this.#batch = batch;
  }
}
