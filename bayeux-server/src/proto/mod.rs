//! The rules of Bayeux as state machines: no clock, no randomness, no I/O, no tasks.
//!
//! `now` is an argument, consequences are return values, and the time left is one getter.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub(crate) mod browsers;
pub(crate) mod carriage;
pub(crate) mod drain;
pub(crate) mod limiter;
pub(crate) mod membership;
pub(crate) mod queue;
pub(crate) mod session;

use std::time::{Duration, Instant};

/// As good as never.
pub(crate) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Returns when `time` is over, which may be as long as an application wants to say "never" with.
pub(crate) fn after(start: Instant, time: Duration) -> Instant {
    start.checked_add(time.min(LONGEST)).unwrap_or(start)
}
