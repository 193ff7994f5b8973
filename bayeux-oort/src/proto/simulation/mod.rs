//! Whole clouds under a clock that only the test moves: the machines of real nodes, joined by a model of
//! Bayeux sessions, over a network that fails in every way that a seed can think of.
//!
//! What the model has of Bayeux is what nodes can tell: sessions that outlive their connections and expire, a
//! connect that is held, batches that come again until they are acknowledged, 402 for a session that is not
//! known, ends by either side, and that of what is asked for the answer may be lost.

mod client;
mod inbox;
mod member;
mod play;
mod sessions;
mod shared;
mod tests;
mod wire;
mod witness;
