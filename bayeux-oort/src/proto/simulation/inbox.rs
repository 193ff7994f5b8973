//! What comes of one node, by its sessions here and by this node's at it, in the order in which the mesh tells it:
//! what it sends before it has joined, or after it left, waits until it joins.

use std::collections::VecDeque;

use super::wire::Data;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    is_member: bool,
    early: VecDeque<Data>,
}

/// So much of a node that has not joined is kept.
const MOST: usize = 100;

impl Inbox {
    /// Returns what has waited for that.
    pub(super) fn joined(&mut self) -> VecDeque<Data> {
        self.is_member = true;
        std::mem::take(&mut self.early)
    }

    pub(super) fn left(&mut self) {
        self.is_member = false;
    }

    /// Returns what is handed over at once.
    pub(super) fn take(&mut self, data: Data) -> Option<Data> {
        if self.is_member {
            return Some(data);
        }
        self.early.push_back(data);
        if self.early.len() > MOST {
            self.early.pop_front();
        }
        None
    }
}
