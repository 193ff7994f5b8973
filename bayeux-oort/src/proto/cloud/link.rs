//! A link: what has come of a URL that is dialed.

use std::time::{Duration, Instant};

use crate::{
    Comet,
    proto::{
        after,
        cloud::{LinkId, Machine, Output, node::Node},
    },
};

/// One URL that is dialed, and what has come of it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) url: String,
    /// By which URL the node that is dialed back has reached this one.
    pub(super) alias: Option<String>,
    /// Whether somebody trustworthy named the URL, so that it may be told the secret.
    pub(super) is_trusted: bool,
    pub(super) phase: Phase,
    /// How often it failed in a row.
    pub(super) failures: u32,
    /// Since when there is no node, or it is lost.
    pub(super) lost: Option<Instant>,
    /// Whether a node has ever answered.
    pub(super) has_answered: bool,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// A handshake is on its way. Whether one has failed already.
    Dialing { is_failing: bool },
    /// A node has answered.
    Answered { id: String, opening: Opening },
    /// There is no client; it is dialed again at the instant.
    Resting(Instant),
}

/// How far a link is on the way to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// The other direction is not there.
    Waits,
    /// The batch is on its way.
    Sent,
    /// The join was refused; the batch is sent again at the instant.
    Refused(Instant),
    /// The join was taken.
    Done,
}

impl Link {
    pub(super) fn has_client(&self) -> bool {
        !matches!(self.phase, Phase::Resting(_))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Answered { opening: Opening::Sent | Opening::Done, .. })
    }

    pub(super) fn node(&self) -> Option<&str> {
        match &self.phase {
            Phase::Answered { id, .. } => Some(id),
            Phase::Dialing { .. } | Phase::Resting(_) => None,
        }
    }
}

impl Machine {
    /// A handshake was answered by `comet`, which may be this node itself, or by somebody who is no node.
    pub(crate) fn answered(
        &mut self,
        id: LinkId,
        comet: Option<&Comet>,
        is_successful: bool,
        now: Instant,
    ) {
        if !self.links.contains_key(&id) {
            return;
        }
        match comet {
            Some(comet) if comet.id() == self.own.id() => self.is_this_node(id),
            Some(comet) if is_successful => self.reached(id, comet, now),
            // Whoever is there has begun a session, which is of no use.
            Some(_) | None => self.rest(id, is_successful, now),
        }
        self.restore(now);
    }

    /// A URL leads to this node itself, which is no seed then.
    fn is_this_node(&mut self, id: LinkId) {
        if let Some(link) = self.detach(id, false) {
            self.seeds.remove(&link.url);
            self.found.remove(&link.url);
            // A URL costs little; but a name server may give any number of them.
            if self.aliases.len() < self.rules.max_comets {
                self.aliases.insert(link.url);
            }
        }
    }

    fn reached(&mut self, id: LinkId, comet: &Comet, now: Instant) {
        let former = self.links.get(&id).and_then(Link::node).map(str::to_owned);
        if let Some(former) = former.filter(|former| former != comet.id()) {
            self.unlink(&former);
        }
        let node =
            self.nodes.entry(comet.id().to_owned()).or_insert_with(|| Node::new(comet.clone()));
        let other = node.link.replace(id).filter(|other| *other != id);
        let is_lost = node.seat.is_none();
        let link = self.links.get_mut(&id).expect("it was found");
        node.names.insert(link.url.clone());
        link.phase = Phase::Answered { id: comet.id().to_owned(), opening: Opening::Waits };
        (link.failures, link.has_answered) = (0, true);
        if is_lost {
            link.lost.get_or_insert(now);
        }
        if let Some(other) = other.and_then(|other| self.links.remove(&other).map(|_| other)) {
            // The node has ended that session itself, when the new one came.
            self.outputs.push(Output::Close { link: other, says_farewell: false });
        }
        self.open_if_both(comet.id());
        // To a member whose session of this node was lost, this node may have been lost, and what it said.
        self.tell_observed(comet.id());
        self.admit(comet.id());
    }

    /// Sends the batch once both directions are there: a node that gets the join knows then that its own
    /// handshake was answered.
    pub(super) fn open_if_both(&mut self, node: &str) {
        let Some(id) = self.nodes.get(node).filter(|node| node.has_both()).and_then(|it| it.link)
        else {
            return;
        };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.lost = None;
        if let Phase::Answered { opening, .. } = &mut link.phase
            && *opening == Opening::Waits
        {
            *opening = Opening::Sent;
            let known = self.known();
            self.outputs.push(Output::Open { link: id, known });
        }
    }

    /// The batch was answered.
    pub(crate) fn opened(&mut self, id: LinkId, is_joined: bool, now: Instant) {
        let again = after(now, self.jitter(self.rules.reopen));
        let Some(link) = self.links.get_mut(&id) else { return };
        if let Phase::Answered { opening, .. } = &mut link.phase
            && *opening == Opening::Sent
        {
            *opening = if is_joined { Opening::Done } else { Opening::Refused(again) };
        }
        if self.advertise_at.is_none() {
            self.schedule_advertising(now);
        }
    }

    /// A handshake failed, and is tried again by the client.
    pub(crate) fn failing(&mut self, id: LinkId) {
        if let Some(Link { phase: Phase::Dialing { is_failing }, .. }) = self.links.get_mut(&id) {
            *is_failing = true;
        }
    }

    /// A client came to its end, though nobody here has ended it: the other end has, or has refused it.
    pub(crate) fn closed(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get(&id) else { return };
        // A node that came by nothing but its name, and that has gone, is not waited for.
        let is_wanted = self.is_seed(&link.url) || link.lost.is_none() || !link.is_open();
        if is_wanted {
            self.rest(id, false, now);
        } else {
            self.detach(id, false);
        }
        self.restore(now);
    }

    /// Waits before a URL is dialed again.
    pub(super) fn rest(&mut self, id: LinkId, says_farewell: bool, now: Instant) {
        let Some(mut link) = self.detach(id, says_farewell) else { return };
        link.lost.get_or_insert(now);
        link.failures = link.failures.saturating_add(1);
        self.put_to_rest(link, now);
    }

    pub(super) fn put_to_rest(&mut self, mut link: Link, now: Instant) {
        let pause = self.pause(link.failures);
        link.phase = Phase::Resting(after(now, pause));
        let id = self.next_id();
        self.links.insert(id, link);
    }

    pub(super) fn next_id(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }

    fn pause(&mut self, failures: u32) -> Duration {
        let (first, longest) = self.rules.backoff;
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.jitter(first.saturating_mul(doubled).min(longest))
    }

    /// The node of a link is lost: its session here has ended. What was said by the link is known there as long
    /// as it has this session; what was not taken is said again when the node is back.
    pub(super) fn lose(&mut self, id: LinkId, now: Instant) {
        if let Some(link) = self.links.get_mut(&id) {
            link.lost.get_or_insert(now);
        }
    }

    /// Takes a link from its node, and ends its client.
    pub(super) fn detach(&mut self, id: LinkId, says_farewell: bool) -> Option<Link> {
        let link = self.links.remove(&id)?;
        if link.has_client() {
            self.outputs.push(Output::Close { link: id, says_farewell });
        }
        if let Some(node) = link.node().map(str::to_owned) {
            self.unlink(&node);
        }
        Some(link)
    }

    /// A node has no link any more.
    pub(super) fn unlink(&mut self, id: &str) {
        if let Some(node) = self.nodes.get_mut(id) {
            node.link = None;
        }
        self.forget_if_gone(id);
    }
}
