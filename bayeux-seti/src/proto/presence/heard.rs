//! What another node says of its users.

use std::{mem, time::Instant};

use bayeux_oort::Comet;

use super::{Presence, Range};
use crate::proto::{
    announcements::Change,
    digest::Digest,
    hearing::{Hearing, Phase},
    node::Node,
    users::UserId,
    wire::Said,
};

impl<S: Ord + Clone> Presence<S> {
    /// A node says something. Returns what of it is to be [taken](Self::hear_more) piece by piece, if anything.
    pub(crate) fn said(&mut self, from: &Comet, said: Said, now: Instant) -> Option<Hearing> {
        if !self.takes(from) {
            return None;
        }
        let number = *self.numbers.get(from.id())?;
        let is_check = said.is_check();
        let Said { users, misfits, change, replaces, asks, digest, range } = said;
        self.statistics.refused += misfits.count();
        let most = self.most;
        self.attend(from, |node| {
            node.appeared(now);
            if asks {
                node.asks(now);
            }
            if digest.is_some() || range.is_some() {
                node.is_ours(now);
            }
            if replaces {
                node.listed();
            }
            let begins = range.as_ref().map_or(replaces, |range| range.after.is_none());
            if begins {
                node.misfits.clear();
            }
            match change {
                Change::Added => node.misfits.came(&misfits, most),
                Change::Removed => node.misfits.went(&misfits),
            }
        });
        if let Some(digest) = digest.filter(|_| is_check) {
            self.checked(from, digest, now);
            return None;
        }
        let range = range.or_else(|| replaces.then(Range::default));
        Some(Hearing::new(number, users, change, range))
    }

    /// Takes more of what a node says, so many users of it.
    pub(crate) fn hear_more(&mut self, hearing: &mut Hearing, count: usize) {
        // It may have left meanwhile.
        let Some(mut node) = self.nodes.remove(&hearing.node) else {
            hearing.phase = Phase::Done;
            return;
        };
        hearing.phase = match mem::replace(&mut hearing.phase, Phase::Done) {
            Phase::Forget(after) => self.forget(&mut node, hearing, after, count),
            Phase::Add(from) => self.add(&mut node, hearing, from, count),
            Phase::Remove(from) => {
                let users = hearing.users.iter().skip(from).take(count);
                users.for_each(|user| self.remove_from(&mut node, hearing.node, user));
                next(from + count, hearing, Phase::Remove)
            }
            Phase::Done => Phase::Done,
        };
        self.nodes.insert(hearing.node, node);
    }

    /// A node of ours says what its users come to.
    fn checked(&mut self, comet: &Comet, digest: Digest, now: Instant) {
        let mut is_wrong = false;
        // Of a node that has too many users some are missing in any case.
        let is_taken = usize::try_from(digest.count()).is_ok_and(|count| count <= self.most);
        self.attend(comet, |node| {
            is_wrong = node.digest.plus(node.misfits.digest()) != digest && is_taken;
            if is_wrong {
                node.ask(now);
            }
        });
        self.statistics.repairs += u64::from(is_wrong);
    }

    fn forget(
        &mut self,
        node: &mut Node,
        hearing: &Hearing,
        after: Option<UserId>,
        count: usize,
    ) -> Phase {
        let slice = node.users.range(hearing.rest(after)).take(count);
        let slice: Vec<_> = slice.cloned().collect();
        for user in slice.iter().filter(|user| !hearing.has(user)) {
            self.remove_from(node, hearing.node, user);
        }
        match slice.last() {
            Some(last) => Phase::Forget(Some(last.clone())),
            None => Phase::Add(0),
        }
    }

    fn add(&mut self, node: &mut Node, hearing: &Hearing, from: usize, count: usize) -> Phase {
        for user in hearing.users.iter().skip(from).take(count) {
            if node.users.len() >= self.most && !node.users.contains(user) {
                self.statistics.overflows += 1;
                continue;
            }
            let Some(user) = self.users.add_node(user, hearing.node) else { continue };
            node.digest.add(&user);
            self.tellings.note(&user, &node.comet, Change::Added);
            node.users.insert(user);
        }
        next(from + count, hearing, Phase::Add)
    }

    fn remove_from(&mut self, node: &mut Node, number: u32, user: &UserId) {
        if !node.users.remove(user) {
            return;
        }
        node.digest.remove(user);
        self.users.remove_node(user, number);
        self.tellings.note(user, &node.comet, Change::Removed);
    }
}

/// Goes on, unless all were taken.
fn next(from: usize, hearing: &Hearing, phase: fn(usize) -> Phase) -> Phase {
    if from < hearing.users.len() { phase(from) } else { Phase::Done }
}
