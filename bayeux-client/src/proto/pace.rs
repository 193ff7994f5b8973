//! How quickly connects follow each other, and sessions, whatever the server advises: one that answers
//! connects at once and has nothing to say would otherwise be asked without pause, for ever; and so would one
//! that ends its sessions, whatever it has to say in each.

use std::time::{Duration, Instant};

/// The connects that brought nothing, or the handshakes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When all of these would be paid for. None before the first.
    even: Option<Instant>,
}

impl Pace {
    /// A connect or handshake is sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.even = Some(self.even.map_or(now, |even| even.max(now)) + EACH);
    }

    /// A message came, so that the server had a reason to answer.
    pub(super) fn brought(&mut self) {
        self.even = None;
    }

    /// Returns when the one that is due `at` may be sent.
    pub(super) fn not_before(&self, at: Instant) -> Instant {
        let ahead = self.even.map_or(Duration::ZERO, |even| even.saturating_duration_since(at));
        at + ahead.saturating_sub(AT_ONCE)
    }
}

/// The distance between two, on average.
const EACH: Duration = Duration::from_millis(10);

/// How many may come at once: ten, in time.
const AT_ONCE: Duration = Duration::from_millis(100);
