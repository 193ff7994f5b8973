// What the tab keeps for when it is loaded again; a browser may forbid that.

/** Keeps a text under a name, or forgets it if there is none. */
export function remember(name, text) {
  try {
    if (text) sessionStorage.setItem(name, text);
    else sessionStorage.removeItem(name);
  } catch {}
}

/** Returns what is kept under a name; none if nothing is. */
export function recall(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}
