//! The rules of a cloud as state machines: no clock, no randomness, no I/O, no tasks.
//!
//! `now` and the random source are arguments, consequences are return values, and the time left is one getter.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod cloud;
pub(crate) mod introduction;
pub(crate) mod secret;
