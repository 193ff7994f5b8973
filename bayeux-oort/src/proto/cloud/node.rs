//! A node as this one knows it.

use std::collections::BTreeSet;

use crate::{
    Comet,
    proto::cloud::{LinkId, Machine, Output},
};

/// A node that has come here, or that has answered.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) comet: Comet,
    /// The URLs by which it has answered.
    pub(super) names: BTreeSet<String>,
    pub(super) link: Option<LinkId>,
    pub(super) seat: Option<Seat>,
    pub(super) is_member: bool,
}

/// A node's session here.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) session: String,
    /// Whether its secret is the cloud's: what it names may be trusted.
    pub(super) is_verified: bool,
    /// Whether its join came.
    pub(super) has_joined: bool,
    /// What it observes.
    pub(super) channels: Vec<String>,
}

impl Node {
    pub(super) fn new(comet: Comet) -> Self {
        Self { comet, names: BTreeSet::new(), link: None, seat: None, is_member: false }
    }

    pub(super) fn has_both(&self) -> bool {
        self.link.is_some() && self.seat.is_some()
    }

    pub(super) fn is_named(&self, url: &str) -> bool {
        self.comet.url() == url || self.names.contains(url)
    }
}

impl Machine {
    /// Makes a node a member once everything is there.
    pub(super) fn admit(&mut self, id: &str) {
        let Some(node) = self.nodes.get_mut(id).filter(|node| !node.is_member) else { return };
        let has_joined = node.seat.as_ref().is_some_and(|seat| seat.has_joined);
        if !has_joined || node.link.is_none() {
            return;
        }
        node.is_member = true;
        let joined = Output::Joined(node.comet.clone());
        self.outputs.push(joined);
        self.tell_observed(id);
    }

    /// Tells what a member observes.
    pub(super) fn tell_observed(&mut self, id: &str) {
        let Some(node) = self.nodes.get(id).filter(|node| node.is_member) else { return };
        let channels = node.seat.iter().flat_map(|seat| &seat.channels);
        let observed = channels.map(|channel| Output::Observed {
            comet: node.comet.clone(),
            channel: channel.clone(),
        });
        self.outputs.extend(observed);
    }

    /// Takes a node's seat, and with it its membership.
    pub(super) fn unseat(&mut self, id: &str) -> Option<Seat> {
        let node = self.nodes.get_mut(id)?;
        let seat = node.seat.take()?;
        self.seats.remove(&seat.session);
        if std::mem::take(&mut node.is_member) {
            self.outputs.push(Output::Left(node.comet.clone()));
        }
        Some(seat)
    }

    /// Forgets a node of which nothing is left.
    pub(super) fn forget_if_gone(&mut self, id: &str) {
        let is_gone = |node: &Node| node.link.is_none() && node.seat.is_none();
        if self.nodes.get(id).is_some_and(is_gone) {
            let gone = self.nodes.remove(id).map(|node| Output::Forgotten(node.comet));
            self.outputs.extend(gone);
        }
    }

    pub(super) fn node_named(&self, url: &str) -> Option<&Node> {
        // Of two incarnations the one that is connected.
        let mut named = self.nodes.values().filter(|node| node.is_named(url)).peekable();
        let first = named.peek().copied();
        named.find(|node| node.link.is_some()).or(first)
    }
}
