//! The rules of presence as state machines: no clock, no randomness, no I/O, no tasks.
//!
//! `now` is an argument, consequences are return values, and the time left is one getter.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod announcements;
pub(crate) mod digest;
pub(crate) mod few;
pub(crate) mod hearing;
pub(crate) mod id;
pub(crate) mod lanes;
pub(crate) mod listing;
pub(crate) mod misfits;
pub(crate) mod node;
pub(crate) mod presence;
#[cfg(test)]
mod simulation;
pub(crate) mod tellings;
pub(crate) mod users;
pub(crate) mod wire;
