//! How quickly connects follow each other, whatever the server advises: one that answers them at once and
//! has nothing to say would otherwise be asked without pause, for ever.

use std::time::{Duration, Instant};

/// The connects that brought nothing.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When all of these would be paid for. None before the first.
    even: Option<Instant>,
}

impl Pace {
    /// A connect is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + EACH);
    }

    /// A message came, so that the server had a reason to answer.
    pub(super) fn brought(&mut self) {
        self.even = None;
    }

    /// Returns when the connect that is due `at` may be sent.
    pub(super) fn not_before(&self, at: Instant) -> Instant {
        let ahead = self.even.map_or(Duration::ZERO, |even| even.saturating_duration_since(at));
        at + ahead.saturating_sub(AT_ONCE)
    }
}

/// The distance between two connects, on average.
const EACH: Duration = Duration::from_millis(10);

/// How many connects may come at once: ten, in time.
const AT_ONCE: Duration = Duration::from_millis(100);
