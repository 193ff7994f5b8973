//! The rules of Bayeux as state machines: no clock, no randomness, no I/O, no tasks.
//!
//! `now` is an argument, consequences are return values, and the time left is one getter.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod browsers;
pub(crate) mod limiter;
pub(crate) mod queue;
pub(crate) mod session;
