//! What a node said about users, taken in pieces: it may be a million of them, and others have to get at the rest.

use crate::proto::{announcements::Change, users::UserId};

/// What a node said, and how much of that was taken.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// The number of the node.
    pub(crate) node: u32,
    /// In order, each once.
    pub(crate) users: Vec<UserId>,
    pub(crate) phase: Phase,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Those after this one go that are not among the users, as CometD's listeners hear it: before the others come.
    Forget(Option<UserId>),
    /// The users from this one on come.
    Add(usize),
    /// The users from this one on go.
    Remove(usize),
    Done,
}

impl Hearing {
    pub(crate) fn new(node: u32, users: Vec<UserId>, change: Change, replaces: bool) -> Self {
        let phase = match change {
            Change::Added if replaces => Phase::Forget(None),
            Change::Added => Phase::Add(0),
            Change::Removed => Phase::Remove(0),
        };
        Self { node, users, phase }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(crate) fn has(&self, user: &UserId) -> bool {
        self.users.binary_search(user).is_ok()
    }
}
