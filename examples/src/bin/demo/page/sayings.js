// What we have said and not yet heard: what is said to a room comes back to who said it, by which we know that it
// has arrived even if the answer to it has not.

const LIMIT = 50;
const sayings = []; // {text, peers, isHeard}

/** Keeps something that is being said, to `peers` alone if there are any. */
export function keepSaying(text, peers) {
  const saying = { text, peers, isHeard: false };
  sayings.push(saying);
  if (sayings.length > LIMIT) sayings.shift();
  return saying;
}

/** Forgets what is not going to come. */
export function forgetSaying(saying) {
  const index = sayings.indexOf(saying);
  if (index >= 0) sayings.splice(index, 1);
}

/** Takes something that we have said and hear now; none if it was not said here. */
export function hearSaying(text, isPrivate) {
  const isMeant = (saying) => saying.text === text && saying.peers.length > 0 === isPrivate;
  const index = sayings.findIndex(isMeant);
  if (index < 0) return undefined;
  const [saying] = sayings.splice(index, 1);
  saying.isHeard = true;
  return saying;
}
