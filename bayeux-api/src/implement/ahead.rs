//! What the server and the client of these crates agree on beyond CometD's acknowledgement extension: what is to be
//! acknowledged goes over a WebSocket as soon as it is there, ahead of the reply to a connect, and behind it a message
//! with its number. `docs/conformance.md` of the repository has the dialogue.

/// The field of `ext` that asks for it in a handshake, grants it in the reply, and in a connect says that what came after
/// the number it acknowledges is not known to have arrived.
pub const EXT: &str = "ackAhead";

/// The channel of the messages that number what was sent before them, in their `ext.ack`.
pub const CHANNEL: &str = "/meta/ack";
