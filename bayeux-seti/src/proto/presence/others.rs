//! The other nodes: who joins, hears what is announced, and leaves.

use std::{collections::BTreeSet, time::Instant};

use bayeux_oort::Comet;

use super::Presence;
use crate::proto::{announcements::Change, node::Node, users::UserId};

impl<S: Ord + Clone> Presence<S> {
    /// A node joined. It takes the place of another life of it, of which it is not told yet that it is over.
    ///
    /// # Errors
    ///
    /// When it has the same Seti id as another, or this one. Then nothing is heard of it, nor sent to it: what is
    /// sent to one would come to both.
    pub(crate) fn joined(&mut self, comet: &Comet) -> Result<(), Collision> {
        let mut node = Node::new(comet.clone());
        let seti_id = node.seti_id.clone();
        self.put_aside(comet.url(), &seti_id);
        let holder = self.holder(&seti_id).map(|url| url.to_owned());
        node.is_refused = holder.is_some();
        self.enter(node);
        let Some(url) = holder else { return Ok(()) };
        self.statistics.collisions += 1;
        Err(Collision { url, seti_id })
    }

    /// A node left. Its users are forgotten piece by piece, by [`sweep`](Self::sweep).
    pub(crate) fn left(&mut self, comet: &Comet, now: Instant) {
        let Some(number) = self.numbers.remove(comet.id()) else { return };
        let Some(node) = self.remove(number) else { return };
        if self.holder(&node.seti_id).is_none() {
            self.admit(&node.seti_id, now);
        }
    }

    /// Forgets so many users of nodes that left, and returns whether there are more.
    pub(crate) fn sweep(&mut self, count: usize) -> bool {
        for _ in 0..count {
            let Some(leaving) = self.leaving.front_mut() else { return false };
            match leaving.users.pop_first() {
                Some(user) => {
                    self.users.remove_node(&user, leaving.number);
                    self.tellings.note(&user, &leaving.comet, Change::Removed);
                }
                None => drop(self.leaving.pop_front()),
            }
        }
        !self.leaving.is_empty()
    }

    /// Returns whether there is something to [sweep](Self::sweep).
    pub(crate) fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// A node hears what is announced from now on, or may have missed something.
    pub(crate) fn observed(&mut self, comet: &Comet, now: Instant) {
        self.attend(comet, |node| node.observed(now));
    }

    /// Returns whether something is taken of a node; else that is counted.
    pub(crate) fn takes(&mut self, comet: &Comet) -> bool {
        let number = self.numbers.get(comet.id());
        let node = number.and_then(|number| self.nodes.get(number));
        let is_taken = node.is_some_and(|node| !node.is_refused);
        self.statistics.refused += u64::from(!is_taken);
        is_taken
    }

    /// Returns who has a Seti id.
    fn holder(&self, seti_id: &str) -> Option<&str> {
        if seti_id == self.seti_id {
            return Some(self.own.url());
        }
        let mut nodes = self.nodes.values().filter(|node| !node.is_refused);
        nodes.find(|node| node.seti_id == seti_id).map(|node| node.comet.url())
    }

    /// Refuses the life of a node that is known, when another one joins: which of them goes on is known when the other
    /// leaves, as it will.
    fn put_aside(&mut self, url: &str, seti_id: &str) {
        let is_of = |node: &Node| !node.is_refused && node.comet.url() == url;
        let former = self.nodes.iter().find(|(_, node)| is_of(node)).map(|(number, _)| *number);
        let is_other = *seti_id != self.seti_id;
        if let Some(mut node) = former.filter(|_| is_other).and_then(|number| self.remove(number)) {
            node.is_refused = true;
            // Under another number nothing goes on of what it said.
            self.enter(node);
        }
    }

    fn enter(&mut self, node: Node) {
        self.last_number += 1;
        self.numbers.insert(node.comet.id().to_owned(), self.last_number);
        self.nodes.insert(self.last_number, node);
    }

    /// Returns what is left of a node when its users are to be forgotten.
    fn remove(&mut self, number: u32) -> Option<Node> {
        let mut node = self.nodes.remove(&number)?;
        let users = node.forget();
        self.leaving.push_back(Leaving { number, comet: node.comet.clone(), users });
        Some(node)
    }

    /// Lets the next node have a Seti id that is free again.
    fn admit(&mut self, seti_id: &str, now: Instant) {
        let mut refused = self.nodes.values_mut().filter(|node| node.is_refused);
        if let Some(node) = refused.find(|node| node.seti_id == seti_id) {
            node.is_refused = false;
            node.ask(now);
            self.is_due(now);
        }
    }

    pub(super) fn attend(&mut self, comet: &Comet, act: impl FnOnce(&mut Node)) {
        let number = self.numbers.get(comet.id());
        let Some(node) = number.and_then(|number| self.nodes.get_mut(number)) else { return };
        act(node);
        if let Some(deadline) = node.deadline() {
            self.is_due(deadline);
        }
    }
}

/// A node that left, and the users that are still to be forgotten.
#[derive(Debug)]
pub(super) struct Leaving {
    number: u32,
    comet: Comet,
    users: BTreeSet<UserId>,
}

/// Another node has the same Seti id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collision {
    pub(crate) url: String,
    pub(crate) seti_id: String,
}
