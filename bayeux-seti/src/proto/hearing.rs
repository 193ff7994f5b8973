//! What a node said about users, taken in pieces: it may be a million of them, and others have to get at the rest.

use std::ops::Bound;

use crate::proto::{announcements::Change, presence::Range, users::UserId};

/// What a node said, and how much of that was taken.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// The number of the node.
    pub(crate) node: u32,
    /// In order, each once.
    pub(crate) users: Vec<UserId>,
    /// Up to which user it says who is there, if not up to the last.
    until: Option<UserId>,
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
    /// Begins what a node said of users: if it is a list, or a part of one, it is of all of a range.
    pub(crate) fn new(node: u32, users: Vec<UserId>, change: Change, range: Option<Range>) -> Self {
        let (phase, until) = match (change, range) {
            (Change::Added, Some(Range { after, until })) => (Phase::Forget(after), until),
            (Change::Added, None) => (Phase::Add(0), None),
            (Change::Removed, _) => (Phase::Remove(0), None),
        };
        Self { node, users, until, phase }
    }

    /// Returns among which users those are that are still to be looked at whether they have gone, after this one.
    pub(crate) fn rest(&self, after: Option<UserId>) -> (Bound<UserId>, Bound<UserId>) {
        let until = self.until.clone().map_or(Bound::Unbounded, Bound::Included);
        (after.map_or(Bound::Unbounded, Bound::Excluded), until)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(crate) fn has(&self, user: &UserId) -> bool {
        self.users.binary_search(user).is_ok()
    }
}
