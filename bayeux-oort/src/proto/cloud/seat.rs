//! The sessions of other nodes here: what they say, and their end.

use std::time::Instant;

use crate::{
    Comet,
    proto::{
        cloud::{
            Machine, Origin, Output,
            node::{Node, Seat},
        },
        introduction::Introduction,
        url::is_url,
    },
};

/// How a session of another node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The node said so: it does not come back by itself.
    Disconnected,
    /// Nothing was heard of it, or this node ended the session.
    Lost,
}

/// Why what a node sent has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unheard {
    #[error("its session is not that of a node any more")]
    NoNode,
    #[error("it is not that of the handshake")]
    Foreign,
    #[error("there are too many nodes")]
    TooMany,
}

impl Machine {
    /// A node started a session here. It has been verified as far as the configuration asks for it.
    pub(crate) fn came(
        &mut self,
        session: &str,
        introduction: &Introduction,
        is_verified: bool,
        now: Instant,
    ) -> Result<(), Unheard> {
        let comet = &introduction.comet;
        if self.is_stopped || comet.id() == self.own.id() {
            return Err(Unheard::NoNode);
        }
        while !self.nodes.contains_key(comet.id()) && self.nodes.len() >= self.rules.max_comets {
            if !self.make_place() {
                return Err(Unheard::TooMany);
            }
        }
        self.end_former(comet, now);
        let node =
            self.nodes.entry(comet.id().to_owned()).or_insert_with(|| Node::new(comet.clone()));
        if !node.is_member {
            node.comet = comet.clone();
        }
        let (session, channels) = (session.to_owned(), Vec::new());
        // One that comes again, since its former session was lost to it, remains a member.
        let seat =
            Seat { session: session.clone(), is_verified, has_joined: node.is_member, channels };
        if let Some(former) = node.seat.replace(seat) {
            self.seats.remove(&former.session);
            self.outputs.push(Output::EndSession { session: former.session });
        }
        self.seats.insert(session, comet.id().to_owned());
        self.dial_back(introduction, is_verified, now);
        self.open_if_both(comet.id());
        Ok(())
    }

    /// Ends what is left of nodes that had the URL of one that has come, and what still tries to reach them.
    fn end_former(&mut self, comet: &Comet, now: Instant) {
        let is_former = |node: &&Node| node.comet.url() == comet.url() && node.comet != *comet;
        let former: Vec<_> = self.nodes.values().filter(is_former).collect();
        let former: Vec<_> = former.into_iter().map(|node| node.comet.id().to_owned()).collect();
        for id in former {
            if let Some(seat) = self.unseat(&id) {
                self.outputs.push(Output::EndSession { session: seat.session });
            }
            if let Some(link) = self.nodes.get(&id).and_then(|node| node.link) {
                self.redial(link, now);
            }
            self.forget_if_gone(&id);
        }
    }

    /// Connects in the other direction, unless that is done or under way.
    fn dial_back(&mut self, introduction: &Introduction, is_verified: bool, now: Instant) {
        let Introduction { comet, comet_url, alias_url, .. } = introduction;
        if self.nodes.get(comet.id()).is_some_and(|node| node.link.is_some()) {
            return;
        }
        let dialed = alias_url.as_deref().filter(|alias| self.link_to(alias).is_some());
        let origin = Origin::Back { alias: comet_url.clone(), is_verified };
        // If too many are dialed, it is when there is place.
        let _ = self.dial(dialed.unwrap_or_else(|| comet.url()), origin, now);
    }

    /// A node's join came.
    pub(crate) fn joined(&mut self, session: &str, join: &Comet) -> Result<(), Unheard> {
        let id = self.seats.get(session).ok_or(Unheard::NoNode)?.clone();
        let node = self.nodes.get_mut(&id).ok_or(Unheard::NoNode)?;
        let seat = node.seat.as_mut().ok_or(Unheard::NoNode)?;
        if join.id() != node.comet.id() || join.url() != node.comet.url() {
            return Err(Unheard::Foreign);
        }
        seat.has_joined = true;
        self.admit(&id);
        Ok(())
    }

    /// A node told which others it knows. Returns how many of them are none.
    pub(crate) fn named<'a>(
        &mut self,
        session: &str,
        urls: impl Iterator<Item = &'a str>,
        now: Instant,
    ) -> Result<usize, Unheard> {
        let id = self.seats.get(session).ok_or(Unheard::NoNode)?;
        let seat = self.nodes.get(id).and_then(|node| node.seat.as_ref());
        let is_verified = seat.ok_or(Unheard::NoNode)?.is_verified;
        let mut refused = 0;
        for url in urls {
            if !is_url(url) {
                refused += 1;
            } else if self.dial(url, Origin::Named { is_verified }, now).is_err() {
                return Err(Unheard::TooMany);
            }
        }
        Ok(refused)
    }

    /// A node subscribed to a channel.
    pub(crate) fn subscribed(&mut self, session: &str, channel: &str) {
        let Some(node) = self.seats.get(session).and_then(|id| self.nodes.get_mut(id)) else {
            return;
        };
        let Some(seat) = &mut node.seat else { return };
        if !seat.channels.iter().any(|one| one == channel) {
            seat.channels.push(channel.to_owned());
        }
        if node.is_member {
            let (comet, channel) = (node.comet.clone(), channel.to_owned());
            self.outputs.push(Output::Observed { comet, channel });
        }
    }

    /// A node unsubscribed from a channel.
    pub(crate) fn unsubscribed(&mut self, session: &str, channel: &str) {
        let node = self.seats.get(session).and_then(|id| self.nodes.get_mut(id));
        if let Some(seat) = node.and_then(|node| node.seat.as_mut()) {
            seat.channels.retain(|one| one != channel);
        }
    }

    /// A session ended, which may have been a node's.
    pub(crate) fn ended(&mut self, session: &str, ending: Ending, now: Instant) {
        let Some(id) = self.seats.get(session).cloned() else { return };
        self.unseat(&id);
        let Some(node) = self.nodes.get(&id) else { return };
        let (url, link) = (node.comet.url().to_owned(), node.link);
        match (ending, link) {
            (Ending::Disconnected, _) => self.drop_dials_to(&url),
            (Ending::Lost, Some(link)) => self.lose(link, now),
            (Ending::Lost, None) => {}
        }
        self.forget_if_gone(&id);
        self.restore(now);
    }

    /// Returns the node of a session.
    pub(crate) fn comet_of_session(&self, session: &str) -> Option<&Comet> {
        Some(&self.nodes.get(self.seats.get(session)?)?.comet)
    }
}
