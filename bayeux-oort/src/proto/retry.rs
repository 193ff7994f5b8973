//! What is tried again: ever more rarely, and not at the same time as by all others.

use std::time::{Duration, Instant};

/// Something that is due at an instant, and then again until it has had an effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    at: Instant,
    tries: u32,
}

impl Retry {
    /// Makes one that is due for the first time after `delay`.
    pub(crate) fn after(delay: Duration, now: Instant) -> Self {
        Self { at: now + delay, tries: 0 }
    }

    /// Returns when it is due.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Returns whether it is due; if so, it will be again later.
    pub(crate) fn is_due(&mut self, now: Instant, random: u64) -> bool {
        let is_due = self.at <= now;
        if is_due {
            self.put_off(now, random);
        }
        is_due
    }

    /// Has it be due later, after it has been tried once more.
    pub(crate) fn put_off(&mut self, now: Instant, random: u64) {
        let whole = FIRST.saturating_mul(1 << self.tries.min(8)).min(LONGEST);
        // Three quarters of it to five quarters.
        let permille = 750 + u32::try_from(random % 501).expect("it is less than 501");
        self.at = now + whole * permille / 1000;
        self.tries += 1;
    }
}

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(30);
