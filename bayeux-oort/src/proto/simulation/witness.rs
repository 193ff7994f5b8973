//! What an application on a simulated node sees, and whether it may be so.

use std::collections::BTreeMap;

use crate::Comet;

#[derive(Debug, Default)]
pub(super) struct Witness {
    /// The members, as they were told: their ids by URL.
    members: BTreeMap<String, Comet>,
    /// The last number that came of each node, and that came by each session.
    counts: BTreeMap<String, u64>,
    sessions: BTreeMap<String, u64>,
    pub(super) wrong: Option<String>,
}

impl Witness {
    pub(super) fn joined(&mut self, comet: &Comet) {
        if let Some(former) = self.members.insert(comet.url().to_owned(), comet.clone()) {
            self.complain(format!("{comet:?} joined while {former:?} was there"));
        }
    }

    pub(super) fn left(&mut self, comet: &Comet) {
        let former = self.members.remove(comet.url());
        if former.as_ref() != Some(comet) {
            self.complain(format!("{comet:?} left while there was {former:?}"));
        }
    }

    pub(super) fn observed(&mut self, comet: &Comet) {
        if !self.is_member(comet) {
            self.complain(format!("{comet:?} observes and is no member"));
        }
    }

    fn is_member(&self, comet: &Comet) -> bool {
        self.members.get(comet.url()) == Some(comet)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Comet> {
        self.members.values()
    }

    /// A session has brought a number. It brings each, from the first on.
    pub(super) fn brought(&mut self, session: &str, number: u64) {
        let last = self.sessions.insert(session.to_owned(), number);
        if last.is_some_and(|last| number != last + 1) {
            self.complain(format!("session {session} brought {number} after {last:?}"));
        }
    }

    /// A number of a member came. None comes twice, or after a later one.
    pub(super) fn counted(&mut self, comet: &Comet, number: u64) {
        let last = self.counts.insert(comet.id().to_owned(), number);
        if last.is_some_and(|last| number <= last) {
            self.complain(format!("{} counts {number} after {last:?}", comet.id()));
        }
    }

    /// Returns the last number that came of a node.
    pub(super) fn count_of(&self, comet: &Comet) -> u64 {
        self.counts.get(comet.id()).copied().unwrap_or(0)
    }

    pub(super) fn complain(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }
}
