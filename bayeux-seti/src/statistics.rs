//! What a Seti has done, as numbers.

/// Numbers of a [`Seti`](crate::Seti), since it was started unless they are of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetiStatistics {
    /// The associations of now: pairs of a user and a session of this node.
    pub associations: usize,
    /// The changes of now that the other nodes are still to be told: users who came to this node, or went.
    pub waiting: usize,
    /// The messages in which other nodes were to be told who came or went, whether they got out or not.
    pub announcements: u64,
    /// The lists of everybody here that were begun to be sent to other nodes, each in one message or several.
    pub lists: u64,
    /// The messages about users that could not be sent, which is made good later.
    pub failed_broadcasts: u64,
    /// How often what this node knows of another one of ours did not fit what that one has told all: something was
    /// missed, and its list asked for. What it takes more than once to make good is counted as often.
    pub repairs: u64,
    /// The messages of other nodes that were not as they have to be, spoke of another's users, or came of a node
    /// that is refused or has not joined; and the ids that were too long, or no texts.
    pub refused: u64,
    /// The users of other nodes that were not taken, since these had too many.
    pub overflows: u64,
    /// The nodes that were refused since another one has the same Seti id.
    pub collisions: u64,
    /// The messages of other nodes for users that are not here, and how often a session did not get one: too much waited
    /// already, it did not take it in time, or was no longer its user's when its turn came.
    pub undelivered: u64,
}
