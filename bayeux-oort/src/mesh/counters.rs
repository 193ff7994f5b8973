//! What a mesh counts of what is not as it should be.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a [`Mesh`](crate::Mesh) has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeshStatistics {
    /// Handshakes that said to be a node's, and were refused.
    pub handshakes_refused: u64,
    /// Joins that were not their sender's, or no joins.
    pub joins_refused: u64,
    /// URLs of nodes, told by others, that are none or are too many.
    pub urls_refused: u64,
    /// Messages of other nodes that found no place.
    pub messages_dropped: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) handshakes_refused: Counter,
    pub(super) joins_refused: Counter,
    pub(super) urls_refused: Counter,
    pub(super) messages_dropped: Counter,
}

impl Counters {
    pub(super) fn read(&self) -> MeshStatistics {
        MeshStatistics {
            handshakes_refused: self.handshakes_refused.0.load(Relaxed),
            joins_refused: self.joins_refused.0.load(Relaxed),
            urls_refused: self.urls_refused.0.load(Relaxed),
            messages_dropped: self.messages_dropped.0.load(Relaxed),
        }
    }
}

/// Counts something, and logs it when there is twice as much as when it was logged last: who sends nonsense
/// does not fill the log.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, of: &str, what: &str) {
        let count = self.0.fetch_add(1, Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(of, count, "refused of another node: {what}");
        }
    }
}
