//! The rules of a cloud as state machines: no clock, no randomness, no I/O, no tasks.
//!
//! `now` and the random source are arguments, consequences are return values, and the time left is one getter.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::{Duration, Instant};

pub(crate) mod advertisements;
pub(crate) mod cloud;
pub(crate) mod info;
pub(crate) mod introduction;
pub(crate) mod kind;
pub(crate) mod list;
pub(crate) mod map;
pub(crate) mod node;
pub(crate) mod number;
pub(crate) mod object;
pub(crate) mod part;
pub(crate) mod primary;
pub(crate) mod request;
pub(crate) mod resolution;
pub(crate) mod retry;
pub(crate) mod secret;
pub(crate) mod share;
#[cfg(test)]
mod simulation;
pub(crate) mod statistics;
pub(crate) mod url;
pub(crate) mod wire;

/// Returns when `time` is over, which may be as long as somebody wants to say "never" with.
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    start.checked_add(time.min(LONGEST)).unwrap_or(start)
}
