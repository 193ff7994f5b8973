//! What hostile and broken peers send. Each test does something bad over real sockets, asks for a
//! clear answer, and then proves that nothing is left of it and that others are served as ever.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod scene;
mod visitor;

mod bodies;
mod callbacks;
mod fields;
mod floods;
mod frames;
mod handshakes;
mod heads;
mod http2;
mod memory;
mod readers;
mod slow;
mod strangers;
