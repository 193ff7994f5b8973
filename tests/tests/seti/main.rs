//! Users of clouds: who is where, and what is sent to them.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

mod bad_input;
mod gate;
mod handshake;
mod hanging;
mod late_listeners;
mod lists;
mod messages;
mod nodes;
mod outage;
mod people;
mod presence;
mod sessions;
mod stop;
