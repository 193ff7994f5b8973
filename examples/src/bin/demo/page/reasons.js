// What went wrong, in plain words: the protocol's own are for programs.

/** Nothing was sent; what fails in another way may have arrived. */
export class Unsent extends Error {}

const BY_NAME = {
  session_unknown: "the server no longer knows this session",
  connect_unavailable: "the server takes no clients at the moment",
  handshake_unavailable: "the server takes no clients at the moment",
  handshake_limited: "too many have connected just now",
};
const BY_CODE = {
  400: "the server did not understand this",
  402: "the server no longer knows this session",
  403: "the server does not allow this",
  404: "the server does not take this",
  413: "this is too large for the server",
};

/** Says what an error of the protocol means, which is `code:arguments:name`; other texts stay as they are. */
export function explain(error) {
  const [, code, name] = /^(\d{3}):.*?:([^:]*)$/s.exec(error ?? "") ?? [];
  if (!code) return error || "the server refused this";
  const isOfServer = code.startsWith("5");
  return BY_NAME[name] ?? BY_CODE[code] ?? (isOfServer ? "the server cannot do this at the moment" : "the server refused this");
}

/** Makes a sentence of a reason. */
export function asSentence(reason) {
  const text = String(reason);
  const end = /[.!?]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}

/** Says when the next try is, which is in so many ms. */
export function nextTry(ms) {
  return ms > 0 ? ` Next try in ${duration(ms)}.` : "";
}

/** Says how long something takes, as closely as one cares. */
export function duration(ms) {
  const seconds = Math.max(1, Math.round(ms / 1_000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
