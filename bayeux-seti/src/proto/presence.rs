//! Presence: who is where, what of it the other nodes are told, and what they say.
//!
//! All that goes to the other nodes goes one after the other: whoever performs the [outputs](Presence::next) takes
//! the next when the last has gone. Each is made of what was announced up to then. So a node that hears them in this
//! order knows after each who was here at some time, and which that is: of a first session and a last none can
//! overtake the other, since both are noted in the step that makes them so.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    time::Instant,
};

use bayeux_oort::Comet;

use crate::{
    SetiStatistics,
    proto::{
        announcements::{Announcement, Announcements, Change},
        digest::Digest,
        hearing::{Hearing, Phase},
        node::{Duty, Node},
        tellings::{Event, Tellings},
        users::{OWN, Slice, Step, UserId, Users},
    },
};

/// Who is where, as one node knows it.
#[derive(Debug)]
pub(crate) struct Presence<S> {
    own: Comet,
    seti_id: String,
    /// How many users of one node are known at most.
    most: usize,
    users: Users<S>,
    announcements: Announcements,
    /// What those come to that are announced.
    announced: Digest,
    nodes: BTreeMap<u32, Node>,
    /// The numbers of the nodes, by their ids. A node that joins again has another.
    numbers: BTreeMap<String, u32>,
    last_number: u32,
    leaving: VecDeque<Leaving>,
    pub(crate) tellings: Tellings,
    /// When a node may have a duty next.
    due: Option<Instant>,
    /// Whether there may be something to send earlier than there was.
    wakes: bool,
    pub(crate) statistics: SetiStatistics,
}

/// A node that left, and the users that are still to be forgotten.
#[derive(Debug)]
struct Leaving {
    number: u32,
    comet: Comet,
    users: BTreeSet<UserId>,
}

/// What goes to other nodes.
#[derive(Debug)]
pub(crate) enum Output {
    /// To all: users came, or went.
    Announce(Announcement),
    /// To one: everybody who is [announced](Presence::announced).
    List { to: Comet, digest: Digest },
    /// To one of ours: what all these come to.
    Check { to: Comet, digest: Digest },
    /// To one: it is to send its list.
    Ask(Comet),
}

/// Another node has the same Seti id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Collision {
    pub(crate) url: String,
    pub(crate) seti_id: String,
}

/// Where a message to a user goes.
#[derive(Debug)]
pub(crate) struct Places<S> {
    pub(crate) sessions: Vec<S>,
    pub(crate) comets: Vec<Comet>,
}

impl<S: Ord + Clone> Presence<S> {
    /// Makes that of a node, which takes so many users of each other one.
    pub(crate) fn new(own: Comet, seti_id: String, most: usize) -> Self {
        Self {
            own,
            seti_id,
            most,
            users: Users::new(),
            announcements: Announcements::new(),
            announced: Digest::default(),
            nodes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last_number: OWN,
            leaving: VecDeque::new(),
            tellings: Tellings::new(),
            due: None,
            wakes: false,
            statistics: SetiStatistics::default(),
        }
    }

    /// Associates a user with a session of this node, and returns whether that is new.
    pub(crate) fn associate(&mut self, user: &str, session: S) -> bool {
        match self.users.associate(user, session) {
            Step::Nothing => return false,
            Step::Further => {}
            Step::Edge(user) => self.changed(user, Change::Added),
        }
        self.statistics.associations += 1;
        true
    }

    /// Ends that, and returns whether it was so.
    pub(crate) fn disassociate(&mut self, user: &str, session: &S) -> bool {
        match self.users.disassociate(user, session) {
            Step::Nothing => return false,
            Step::Further => {}
            Step::Edge(user) => self.changed(user, Change::Removed),
        }
        self.statistics.associations -= 1;
        true
    }

    /// Ends all associations of a user with sessions of this node, and returns these.
    pub(crate) fn disassociate_user(&mut self, user: &str) -> Vec<S> {
        let sessions = self.users.sessions(user);
        sessions.iter().for_each(|session| {
            self.disassociate(user, session);
        });
        sessions
    }

    /// Ends all associations of a session, which has ended.
    pub(crate) fn session_ended(&mut self, session: &S) {
        for user in self.users.of_session(session) {
            self.disassociate(&user, session);
        }
    }

    /// A node joined.
    ///
    /// # Errors
    ///
    /// When it has the same Seti id as another, or this one. Then nothing is heard of it, nor sent to it: what is
    /// sent to one would come to both.
    pub(crate) fn joined(&mut self, comet: &Comet) -> Result<(), Collision> {
        let mut node = Node::new(comet.clone());
        let holder = self.holder(&node.seti_id).map(|url| url.to_owned());
        node.is_refused = holder.is_some();
        let seti_id = node.seti_id.clone();
        self.last_number += 1;
        self.numbers.insert(comet.id().to_owned(), self.last_number);
        self.nodes.insert(self.last_number, node);
        let Some(url) = holder else { return Ok(()) };
        self.statistics.collisions += 1;
        Err(Collision { url, seti_id })
    }

    /// A node left. Its users are forgotten piece by piece, by [`sweep`](Self::sweep).
    pub(crate) fn left(&mut self, comet: &Comet, now: Instant) {
        let Some(number) = self.numbers.remove(comet.id()) else { return };
        let Some(node) = self.nodes.remove(&number) else { return };
        self.leaving.push_back(Leaving { number, comet: node.comet, users: node.users });
        if !node.is_refused && node.seti_id != self.seti_id {
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

    /// A node wants the list.
    pub(crate) fn asked(&mut self, comet: &Comet, now: Instant) {
        self.attend(comet, |node| {
            node.appeared(now);
            node.asks(now);
        });
    }

    /// A node of ours says what its users come to.
    pub(crate) fn checked(&mut self, comet: &Comet, digest: Digest, now: Instant) {
        let mut is_wrong = false;
        self.attend(comet, |node| {
            node.appeared(now);
            node.is_ours(now);
            is_wrong = node.digest != digest && !node.is_over;
            if is_wrong {
                node.ask(now);
            }
        });
        self.statistics.repairs += u64::from(is_wrong);
    }

    /// A node of ours sends a list.
    pub(crate) fn is_ours(&mut self, comet: &Comet, now: Instant) {
        self.attend(comet, |node| node.is_ours(now));
    }

    /// Begins to take what a node says of users, which are in order, each once; none when nothing is taken of it.
    pub(crate) fn hear(
        &mut self,
        comet: &Comet,
        users: Vec<UserId>,
        change: Change,
        replaces: bool,
        now: Instant,
    ) -> Option<Hearing> {
        if !self.takes(comet) {
            return None;
        }
        let number = *self.numbers.get(comet.id())?;
        self.attend(comet, |node| {
            node.appeared(now);
            if replaces {
                node.is_over = false;
                node.listed();
            }
        });
        Some(Hearing::new(number, users, change, replaces))
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

    /// An announcement did not get out.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.statistics.failed_broadcasts += 1;
        self.nodes.values_mut().for_each(|node| node.misses(now));
        self.is_due(now);
    }

    /// Returns what is to be sent next, if anything is.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Output> {
        if let Some(output) = self.duty(now) {
            return Some(output);
        }
        let announcement = self.announcements.take()?;
        for user in &announcement.users {
            let is_here = announcement.change == Change::Added;
            match is_here {
                true => self.announced.add(user),
                false => self.announced.remove(user),
            }
            self.users.announce(user, is_here);
        }
        self.statistics.announcements += 1;
        Some(Output::Announce(announcement))
    }

    /// Returns when [`next`](Self::next) has something that it does not have now, if nobody says anything.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Takes whether [`next`](Self::next) may have something earlier than it said.
    pub(crate) fn take_wakes(&mut self) -> bool {
        mem::take(&mut self.wakes)
    }

    /// Forgets everything, at the end, and returns what it was.
    pub(crate) fn clear(&mut self) -> Self {
        let (own, seti_id) = (self.own.clone(), self.seti_id.clone());
        let mut empty = Self { statistics: self.statistics, ..Self::new(own, seti_id, 0) };
        empty.statistics.associations = 0;
        mem::replace(self, empty)
    }

    /// Returns whether something is taken of a node; else that is counted.
    pub(crate) fn takes(&mut self, comet: &Comet) -> bool {
        let number = self.numbers.get(comet.id());
        let node = number.and_then(|number| self.nodes.get(number));
        let is_taken = node.is_some_and(|node| !node.is_refused);
        self.statistics.refused += u64::from(!is_taken);
        is_taken
    }

    /// Looks at so many users after one, and returns those of the list.
    pub(crate) fn announced(&self, after: Option<&str>, count: usize) -> Option<Slice> {
        self.users.announced(after, count)
    }

    /// Returns where a user is.
    pub(crate) fn places(&self, user: &str) -> Places<S> {
        let nodes = self.users.nodes(user).into_iter();
        let nodes = nodes.filter_map(|number| self.nodes.get(&number));
        let comets = nodes.map(|node| node.comet.clone()).collect();
        Places { sessions: self.users.sessions(user), comets }
    }

    /// Returns how many sessions a user has here, and on how many other nodes it is.
    pub(crate) fn counts(&self, user: &str) -> (usize, usize) {
        self.users.counts(user)
    }

    /// Returns all users that are somewhere.
    pub(crate) fn present(&self) -> Vec<UserId> {
        self.users.present()
    }

    /// Returns all users that are here.
    pub(crate) fn associated(&self) -> Vec<UserId> {
        self.users.associated()
    }

    /// Returns the users of another node, as far as it is known.
    #[cfg(test)]
    pub(crate) fn users_of(&self, comet: &Comet) -> BTreeSet<UserId> {
        let node = self.numbers.get(comet.id()).and_then(|number| self.nodes.get(number));
        node.map(|node| node.users.clone()).unwrap_or_default()
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.tellings.take()
    }

    fn changed(&mut self, user: UserId, change: Change) {
        self.tellings.note(&user, &self.own, change);
        self.announcements.note(user, change);
        self.wakes = true;
    }

    /// Returns who has a Seti id.
    fn holder(&self, seti_id: &str) -> Option<&str> {
        if seti_id == self.seti_id {
            return Some(self.own.url());
        }
        let mut nodes = self.nodes.values().filter(|node| !node.is_refused);
        nodes.find(|node| node.seti_id == seti_id).map(|node| node.comet.url())
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

    fn attend(&mut self, comet: &Comet, act: impl FnOnce(&mut Node)) {
        let number = self.numbers.get(comet.id());
        let Some(node) = number.and_then(|number| self.nodes.get_mut(number)) else { return };
        act(node);
        if let Some(deadline) = node.deadline() {
            self.is_due(deadline);
        }
    }

    fn is_due(&mut self, at: Instant) {
        if self.due.is_none_or(|due| at < due) {
            self.due = Some(at);
            self.wakes = true;
        }
    }

    /// Returns what a node is owed now.
    fn duty(&mut self, now: Instant) -> Option<Output> {
        self.due.filter(|due| *due <= now)?;
        let digest = self.announced;
        for node in self.nodes.values_mut() {
            let Some(duty) = node.duty(now) else { continue };
            let to = node.comet.clone();
            return Some(match duty {
                Duty::Ask => Output::Ask(to),
                Duty::Check => Output::Check { to, digest },
                Duty::List => {
                    self.statistics.lists += 1;
                    Output::List { to, digest }
                }
            });
        }
        self.due = self.nodes.values().filter_map(Node::deadline).min();
        None
    }

    fn forget(
        &mut self,
        node: &mut Node,
        hearing: &Hearing,
        after: Option<UserId>,
        count: usize,
    ) -> Phase {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let slice = node.users.range((start, Bound::Unbounded)).take(count);
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
                node.is_over = true;
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests;
