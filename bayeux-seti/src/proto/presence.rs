//! Presence: who is where, what of it the other nodes are told, and what they say.
//!
//! All that goes to the other nodes goes one after the other: whoever performs the [outputs](Presence::next) takes
//! the next when the last has gone. Each is made of what was announced up to then. So a node that hears them in this
//! order knows after each who was here at some time, and which that is: of a first session and a last none can
//! overtake the other, since both are noted in the step that makes them so.

mod heard;
mod others;
mod outputs;

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Instant,
};

use bayeux_oort::Comet;

use crate::{
    SetiStatistics,
    proto::{
        announcements::{Announcements, Change},
        digest::Digest,
        node::Node,
        tellings::{Event, Tellings},
        users::{OWN, Step, UserId, Users},
    },
};

pub(crate) use outputs::{MUCH, Output, Part, Range};

use others::Leaving;

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
    /// The number of the node that was served last.
    turn: u32,
    /// Whether it is the turn of what goes to all.
    is_turn_of_all: bool,
    /// The number of the node to which a part of a list goes now.
    going: Option<u32>,
    /// How much of a list is in one message.
    much: usize,
    /// Whether there may be something to send earlier than there was.
    wakes: bool,
    pub(crate) statistics: SetiStatistics,
}

/// Where a message to a user goes.
#[derive(Debug)]
pub(crate) struct Places<S> {
    pub(crate) sessions: Vec<S>,
    pub(crate) comets: Vec<Comet>,
}

impl<S: Ord + Clone> Presence<S> {
    /// Makes that of a node, which takes so many users of each other one, and says [so much](MUCH) in one message.
    pub(crate) fn new(own: Comet, seti_id: String, most: usize, much: usize) -> Self {
        Self {
            own,
            seti_id,
            most,
            users: Users::new(),
            announcements: Announcements::new(much),
            announced: Digest::default(),
            nodes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last_number: OWN,
            leaving: VecDeque::new(),
            tellings: Tellings::new(),
            due: None,
            turn: OWN,
            is_turn_of_all: false,
            going: None,
            much,
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

    /// Forgets everything, at the end, and returns what it was.
    pub(crate) fn clear(&mut self) -> Self {
        let (own, seti_id) = (self.own.clone(), self.seti_id.clone());
        let mut empty =
            Self { statistics: self.statistics, ..Self::new(own, seti_id, 0, self.much) };
        empty.statistics.associations = 0;
        mem::replace(self, empty)
    }

    /// Returns so many sessions that have users, after this one.
    pub(crate) fn sessions_after(&self, after: Option<&S>, count: usize) -> Vec<S> {
        self.users.sessions_after(after, count)
    }

    /// Returns the sessions of a user on this node.
    pub(crate) fn sessions(&self, user: &str) -> Vec<S> {
        self.users.sessions(user)
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
    pub(crate) fn users_of(&self, comet: &Comet) -> std::collections::BTreeSet<UserId> {
        let node = self.numbers.get(comet.id()).and_then(|number| self.nodes.get(number));
        node.map(|node| node.users.clone()).unwrap_or_default()
    }

    /// Returns what was done, and what waits.
    pub(crate) fn statistics(&self) -> SetiStatistics {
        SetiStatistics { waiting: self.announcements.count(), ..self.statistics }
    }

    /// Returns all that the other nodes were told of this one.
    #[cfg(test)]
    pub(crate) fn all_announced(&self) -> Vec<UserId> {
        self.users.announced(None, usize::MAX).users
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.tellings.take()
    }

    fn changed(&mut self, user: UserId, change: Change) {
        self.tellings.note(&user, &self.own, change);
        self.announcements.note(user, change);
        self.wakes = true;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests;
