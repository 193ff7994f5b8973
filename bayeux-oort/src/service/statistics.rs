//! What a service has done, as numbers.

use crate::counter::Counter;

/// Numbers of an [`OortService`](crate::OortService), since it was started unless they are of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceStatistics {
    /// The requests of this node that wait for an answer now.
    pub pending: usize,
    /// The requests that are handled now.
    pub being_handled: usize,
    /// The requests for which the handler was called.
    pub handled: u64,
    /// The requests that were refused because too many were handled.
    pub overloads: u64,
    /// The messages that were not as they have to be, or named a node that they did not come from.
    pub malformed: u64,
    /// The results of nodes that were not asked.
    pub forged: u64,
    /// The results that came when nobody waited for them, or not any more.
    pub late: u64,
}

/// The numbers that grow.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) handled: Counter,
    pub(super) overloads: Counter,
    pub(super) malformed: Counter,
    pub(super) forged: Counter,
    pub(super) late: Counter,
}
