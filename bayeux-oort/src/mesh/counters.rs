//! What a mesh counts of what is not as it should be.

use crate::counter::Counter;

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
            handshakes_refused: self.handshakes_refused.get(),
            joins_refused: self.joins_refused.get(),
            urls_refused: self.urls_refused.get(),
            messages_dropped: self.messages_dropped.get(),
        }
    }
}
