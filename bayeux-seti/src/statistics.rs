//! What a Seti has done, as numbers.

/// Numbers of a [`Seti`](crate::Seti), since it was started unless they are of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetiStatistics {
    /// The associations of now: pairs of a user and a session of this node.
    pub associations: usize,
    /// The changes of now that the other nodes are still to be told: users who came to this node, or went.
    pub waiting: usize,
    /// The messages in which other nodes were told who came or went.
    pub announcements: u64,
    /// The lists of everybody here that were sent to other nodes.
    pub lists: u64,
    /// The broadcasts that could not be sent, which is made good later.
    pub failed_broadcasts: u64,
    /// How often this node was found to have missed something that another one announced.
    pub repairs: u64,
    /// The messages of other nodes that were not as they have to be, spoke of another's users, or came of a node
    /// that is refused.
    pub refused: u64,
    /// The users of other nodes that were not taken, since these had too many.
    pub overflows: u64,
    /// The nodes that were refused since another one has the same Seti id.
    pub collisions: u64,
    /// The messages of other nodes for users that are not here.
    pub undelivered: u64,
}
