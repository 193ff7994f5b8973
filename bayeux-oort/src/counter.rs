//! A number of what is not as it should be, which does not fill the log.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that grows. It is logged when it is twice as much as when it was logged last: who sends nonsense
/// does not fill the log.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts what is refused of another node, and logs it at times.
    pub(crate) fn add(&self, of: &str, what: &str) {
        if let Some(count) = self.tally() {
            tracing::warn!(of, count, "refused of another node: {what}");
        }
    }

    /// Counts, and returns the number if it is worth a line.
    pub(crate) fn tally(&self) -> Option<u64> {
        Some(self.0.fetch_add(1, Relaxed) + 1).filter(|count| count.is_power_of_two())
    }

    /// Counts what is not worth a line.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
