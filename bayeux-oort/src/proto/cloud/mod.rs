//! Who is in the cloud, and by which connections: CometD's membership protocol.
//!
//! Two nodes are joined by two Bayeux sessions, one in each direction: a *link* is this node's session at the
//! other one, a *seat* the other's session here. A node is a member while all three hold:
//!
//! ```text
//!     its handshake came      ─┐ a seat
//!     ours was answered       ─┼ a link   ──▶ joined
//!     its join came by the seat┘
//!                                         the seat ends ──▶ left
//! ```
//!
//! A link:
//!
//! ```text
//!     Dialing ──answered──▶ Answered ──both directions are there──▶ opened: subscriptions, list, join
//!        ▲  │ refused, no node       │ ended by the other
//!        │  ▼                        ▼
//!        └ Resting, if the URL is a seed, or of a node that may come back; given up otherwise
//! ```
//!
//! A node is known by the id that it draws at its start. Its URL is a label: a node that starts again has the
//! same URL and another id, and the one before is over as soon as the new one has come.

mod dial;
mod link;
mod node;
mod seat;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{Comet, proto::after};

pub(crate) use dial::{Origin, Undialed};
use link::Link;
use node::Node;
pub(crate) use seat::{Ending, Unheard};

/// How the machine behaves.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// How long the first pause is before a URL is dialed again, and the longest.
    pub(crate) backoff: (Duration, Duration),
    /// For how long a node that is lost, and that nobody named as a seed, is dialed.
    pub(crate) give_up: Duration,
    /// How long until a join that was refused is sent again.
    pub(crate) reopen: Duration,
    /// How often the others are told again which nodes there are.
    pub(crate) advertise: Duration,
    /// How many nodes there may be, and how many URLs may be dialed.
    pub(crate) max_comets: usize,
    /// Whether a node that knows the secret is trusted in whom it names, so that these are told it, too: not if
    /// it may itself have let in strangers.
    pub(crate) names_vouch: bool,
}

/// A link, for as long as one client of it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkId(pub(crate) u64);

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Start a session at `url`. The secret goes only to who may know it.
    Dial { link: LinkId, url: String, alias: Option<String>, tells_secret: bool },
    /// End the session, with a word to the other end or without.
    Close { link: LinkId, says_farewell: bool },
    /// Subscribe to what is observed, tell which nodes there are, and join: in one batch.
    Open { link: LinkId, known: Vec<String> },
    /// Tell which nodes there are.
    Advertise { link: LinkId, known: Vec<String> },
    /// End a session of another node here, and tell it.
    EndSession { session: String },
    /// A node is a member.
    Joined(Comet),
    /// A node is no member any more.
    Left(Comet),
    /// A member observes a channel.
    Observed { comet: Comet, channel: String },
    /// Nothing is left of a node.
    Forgotten(Comet),
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine {
    own: Comet,
    rules: Rules,
    /// Other URLs of this node.
    aliases: BTreeSet<String>,
    /// The URLs that are dialed for ever, since the application says so.
    seeds: BTreeSet<String>,
    /// Those that are dialed for as long as they are found.
    found: BTreeSet<String>,
    links: BTreeMap<LinkId, Link>,
    nodes: BTreeMap<String, Node>,
    /// The node of each session.
    seats: BTreeMap<String, String>,
    next_link: u64,
    advertise_at: Option<Instant>,
    is_stopped: bool,
    random: StdRng,
    outputs: Vec<Output>,
}

impl Machine {
    pub(crate) fn new(own: Comet, aliases: BTreeSet<String>, rules: Rules, seed: u64) -> Self {
        Self {
            own,
            rules,
            aliases,
            seeds: BTreeSet::new(),
            found: BTreeSet::new(),
            links: BTreeMap::new(),
            nodes: BTreeMap::new(),
            seats: BTreeMap::new(),
            next_link: 1,
            advertise_at: None,
            is_stopped: false,
            random: StdRng::seed_from_u64(seed),
            outputs: Vec::new(),
        }
    }

    /// Takes what is to be done.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// Returns when the machine next needs a [`tick`](Self::tick), if ever.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let links = self.links.values().filter_map(|link| self.deadline_of(link));
        links.chain(self.advertise_at).min()
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.is_stopped {
            return;
        }
        let due: Vec<_> = self.links.iter().filter(|(_, link)| self.is_due(link, now)).collect();
        let due: Vec<_> = due.into_iter().map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| self.wake(id, now));
        if self.advertise_at.is_some_and(|at| at <= now) {
            self.advertise(now);
        }
        self.restore(now);
    }

    /// Leaves the cloud: all that is connected is told, and nothing is done any more. Nobody is told here that
    /// the others left.
    pub(crate) fn stop(&mut self) {
        self.is_stopped = true;
        let links: Vec<_> = std::mem::take(&mut self.links).into_iter().collect();
        for (link, _) in links.into_iter().filter(|(_, link)| link.has_client()) {
            self.outputs.push(Output::Close { link, says_farewell: true });
        }
        for session in std::mem::take(&mut self.seats).into_keys() {
            self.outputs.push(Output::EndSession { session });
        }
        let nodes = std::mem::take(&mut self.nodes).into_values();
        self.outputs.extend(nodes.map(|node| Output::Forgotten(node.comet)));
        self.advertise_at = None;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Returns whether anything is left of a node: if so, it is told when that goes.
    pub(crate) fn knows(&self, comet: &Comet) -> bool {
        self.nodes.contains_key(comet.id())
    }

    /// Returns the sessions of other nodes here.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &str> {
        self.seats.keys().map(String::as_str)
    }

    /// Returns the members, in the order of their ids.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Comet> {
        self.nodes.values().filter(|node| node.is_member).map(|node| &node.comet)
    }

    /// Returns the URLs of the nodes that are connected in both directions, joined or not yet.
    pub(crate) fn known(&self) -> Vec<String> {
        let known = self.nodes.values().filter(|node| node.has_both());
        known.map(|node| node.comet.url().to_owned()).collect()
    }

    /// Returns whether this node is meant by `url`.
    pub(crate) fn is_own(&self, url: &str) -> bool {
        self.own.url() == url || self.aliases.contains(url)
    }

    /// Draws a time around `whole`: three quarters of it to the whole.
    fn jitter(&mut self, whole: Duration) -> Duration {
        whole.mul_f64(self.random.random_range(0.75..=1.0))
    }

    /// Tells all who are connected which nodes there are. A node that one of two others has lost, and has
    /// given up, finds it again by the third.
    fn advertise(&mut self, now: Instant) {
        let known = self.known();
        let opened: Vec<_> =
            self.links.iter().filter(|(_, link)| link.is_open()).map(|(id, _)| *id).collect();
        for link in opened {
            self.outputs.push(Output::Advertise { link, known: known.clone() });
        }
        self.schedule_advertising(now);
    }

    fn schedule_advertising(&mut self, now: Instant) {
        let pause = self.jitter(self.rules.advertise);
        let has_open = self.links.values().any(Link::is_open);
        self.advertise_at = has_open.then(|| after(now, pause));
    }
}
