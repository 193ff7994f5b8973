//! The time of a run, which only the run moves.

use std::time::{Duration, Instant};

/// A time that passes when it is told to. Its instants are real ones, since machines take those, from a base
/// that is not part of the run: what is printed is what has elapsed.
#[derive(Debug)]
pub struct Clock {
    base: Instant,
    now: Instant,
}

impl Clock {
    /// Makes a clock at its beginning.
    pub fn new() -> Self {
        let base = Instant::now();
        Self { base, now: base }
    }

    /// Returns what time it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Returns the instant that is so long after the beginning.
    pub fn at(&self, elapsed: Duration) -> Instant {
        self.base + elapsed
    }

    /// Returns how long the run has gone on.
    pub fn elapsed(&self) -> Duration {
        self.now - self.base
    }

    /// Moves the time to `instant`, unless that has passed.
    pub fn advance(&mut self, instant: Instant) {
        self.now = self.now.max(instant);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
