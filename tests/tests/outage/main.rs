//! What a `BayeuxClient` does when servers and networks misbehave; one file for each kind.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod answers;
mod crossed;
mod ending;
mod endless;
mod hooks;
mod limits;
mod link;
mod owed;
mod reading;
mod servers;
mod sessions;
mod silence;
mod simulation;
mod websocket;
