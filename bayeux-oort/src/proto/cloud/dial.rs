//! The sessions of this node at others: which URLs are dialed, how often, and for how long.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::proto::{
    after,
    cloud::{
        LinkId, Machine, Output,
        link::{Link, Opening, Phase},
    },
    url::{check, is_url},
};

/// For how long a URL is tried at which nobody has ever answered.
const UNANSWERED: Duration = Duration::from_secs(60);

/// Why a URL is dialed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This node's own code or configuration says so.
    Seed,
    /// A node says so, whose secret is the cloud's or not.
    Named { is_verified: bool },
    /// Its node has come here, by the URL `alias` of this one.
    Back { alias: Option<String>, is_verified: bool },
}

/// Why a URL is not dialed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undialed {
    #[error("it cannot be the URL of a node: {0}")]
    NoUrl(String),
    #[error("it is this node's own")]
    Own,
    #[error("too many URLs are dialed")]
    TooMany,
    #[error("this node has left the cloud")]
    Stopped,
}

impl Machine {
    /// Dials a URL for ever.
    pub(crate) fn observe(&mut self, url: &str, now: Instant) -> Result<(), Undialed> {
        if self.is_stopped {
            return Err(Undialed::Stopped);
        }
        check(url).map_err(Undialed::NoUrl)?;
        if self.is_own(url) {
            return Err(Undialed::Own);
        }
        // One that is refused is not dialed later, when nobody expects it.
        self.dial(url, Origin::Seed, now)?;
        self.seeds.insert(url.to_owned());
        Ok(())
    }

    /// Dials URLs for as long as they are among those that are found; a link that is there stays. Returns how many
    /// are too many, or none of a node.
    pub(crate) fn found(&mut self, urls: &BTreeSet<String>, now: Instant) -> usize {
        if self.is_stopped {
            return 0;
        }
        let taken = urls.iter().filter(|url| is_url(url) && !self.is_own(url));
        let taken: BTreeSet<_> = taken.take(self.rules.max_comets).cloned().collect();
        let own = urls.iter().filter(|url| self.is_own(url)).count();
        let new: Vec<_> = taken.difference(&self.found).cloned().collect();
        self.found = taken;
        for url in new {
            // One for which there is no place now is tried when there is.
            let _ = self.dial(&url, Origin::Seed, now);
        }
        urls.len() - self.found.len() - own
    }

    pub(super) fn is_seed(&self, url: &str) -> bool {
        self.seeds.contains(url) || self.found.contains(url)
    }

    /// Leaves a node, and does not dial it any more unless it comes itself. Returns whether there was one.
    pub(crate) fn deobserve(&mut self, url: &str, now: Instant) -> bool {
        let node = self.node_named(url).map(|node| (node.comet.clone(), node.names.clone()));
        let mut urls = vec![url.to_owned()];
        if let Some((comet, names)) = &node {
            urls.push(comet.url().to_owned());
            urls.extend(names.iter().cloned());
        }
        let mut was_there = false;
        for url in &urls {
            was_there |= self.seeds.remove(url) | self.found.remove(url);
        }
        while let Some(link) = urls.iter().find_map(|url| self.link_to(url)) {
            was_there = true;
            self.detach(link, true);
        }
        if let Some((comet, _)) = node {
            if let Some(seat) = self.unseat(comet.id()) {
                was_there = true;
                self.outputs.push(Output::EndSession { session: seat.session });
            }
            self.forget_if_gone(comet.id());
        }
        self.restore(now);
        was_there
    }

    /// Dials a URL unless it is dialed already.
    pub(super) fn dial(&mut self, url: &str, origin: Origin, now: Instant) -> Result<(), Undialed> {
        if self.is_stopped || self.is_own(url) {
            return Ok(());
        }
        let is_trusted = match origin {
            Origin::Seed => true,
            Origin::Named { is_verified } => is_verified && self.rules.names_vouch,
            Origin::Back { is_verified, .. } => is_verified,
        };
        if let Some(id) = self.link_to(url) {
            let link = self.links.get_mut(&id).expect("it was found");
            link.is_trusted |= is_trusted;
            // Somebody may name a URL as often as he likes.
            if !matches!(origin, Origin::Named { .. }) {
                self.hasten(id, now);
            }
            return Ok(());
        }
        let is_named = matches!(origin, Origin::Named { .. });
        if self.links.len() >= self.rules.max_comets && (is_named || !self.make_place()) {
            return Err(Undialed::TooMany);
        }
        let alias = match origin {
            Origin::Back { alias, .. } => alias,
            Origin::Seed | Origin::Named { .. } => None,
        };
        let (url, phase) = (url.to_owned(), Phase::Resting(now));
        let (failures, lost, has_answered) = (0, Some(now), false);
        self.start(Link { url, alias, is_trusted, phase, failures, lost, has_answered });
        Ok(())
    }

    /// Gives up the URL at which nobody was for the longest time, for one at which somebody is; false if none is to
    /// be given up.
    pub(super) fn make_place(&mut self) -> bool {
        let at = |(id, link): (&LinkId, &Link)| Some((self.given_up_at(link)?, link.lost?, *id));
        let Some((.., lost)) = self.links.iter().filter_map(at).min() else { return false };
        self.detach(lost, false);
        true
    }

    fn start(&mut self, mut link: Link) {
        let id = self.next_id();
        link.phase = Phase::Dialing { is_failing: false };
        let (url, alias, tells_secret) = (link.url.clone(), link.alias.clone(), link.is_trusted);
        self.links.insert(id, link);
        self.outputs.push(Output::Dial { link: id, url, alias, tells_secret });
    }

    /// Sees to it that each seed is dialed that no link leads to any more, and each node that is connected in the
    /// other direction alone.
    pub(super) fn restore(&mut self, now: Instant) {
        let seeds = self.seeds.union(&self.found).map(|url| (url.as_str(), true));
        let seated = self.nodes.values().filter(|node| node.link.is_none());
        let seated =
            seated.filter_map(|node| Some((node.comet.url(), node.seat.as_ref()?.is_verified)));
        let lost = seeds.chain(seated).filter(|(url, _)| self.link_to(url).is_none());
        let lost: BTreeMap<_, _> =
            lost.map(|(url, is_trusted)| (url.to_owned(), is_trusted)).collect();
        for (url, is_trusted) in lost {
            let is_full = self.links.len() >= self.rules.max_comets && !self.is_seed(&url);
            if !is_full && !self.is_own(&url) {
                let (alias, phase, lost) = (None, Phase::Resting(now), Some(now));
                let (failures, has_answered) = (1, true);
                let link = Link { url, alias, is_trusted, phase, failures, lost, has_answered };
                self.put_to_rest(link, now);
            }
        }
    }

    /// Returns the link that is to the node of this URL, or that is dialed by it.
    pub(super) fn link_to(&self, url: &str) -> Option<LinkId> {
        let dialed = self.links.iter().find(|(_, link)| link.url == url).map(|(id, _)| *id);
        dialed.or_else(|| self.node_named(url)?.link)
    }

    /// Tries a URL at once of which it is heard that somebody is there, if it has failed before.
    pub(super) fn hasten(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get(&id) else { return };
        match link.phase {
            Phase::Resting(_) | Phase::Dialing { is_failing: true } => self.redial(id, now),
            Phase::Dialing { is_failing: false } | Phase::Answered { .. } => {}
        }
    }

    /// Ends the client of a link, if it has one, and dials anew at once.
    pub(super) fn redial(&mut self, id: LinkId, now: Instant) {
        if let Some(mut link) = self.detach(id, false) {
            link.lost.get_or_insert(now);
            self.start(link);
        }
    }

    /// Ends what is dialed of a node that has left by its own will.
    pub(super) fn drop_dials_to(&mut self, url: &str) {
        while let Some(link) = self.link_to(url) {
            self.detach(link, true);
        }
    }

    pub(super) fn deadline_of(&self, link: &Link) -> Option<Instant> {
        let next = match &link.phase {
            Phase::Resting(until) => Some(*until),
            Phase::Answered { opening: Opening::Refused(again), .. } => Some(*again),
            Phase::Answered { .. } | Phase::Dialing { .. } => None,
        };
        [next, self.given_up_at(link)].into_iter().flatten().min()
    }

    fn given_up_at(&self, link: &Link) -> Option<Instant> {
        let is_wanted = self.is_seed(&link.url)
            || self.node_named(&link.url).is_some_and(|node| node.seat.is_some());
        let patience = match link.has_answered {
            true => self.rules.give_up,
            // Whoever names URLs at which there is nobody shall not keep the place of those at which there is.
            false => self.rules.give_up.min(UNANSWERED),
        };
        link.lost.filter(|_| !is_wanted).map(|lost| after(lost, patience))
    }

    pub(super) fn is_due(&self, link: &Link, now: Instant) -> bool {
        self.deadline_of(link).is_some_and(|deadline| deadline <= now)
    }

    /// Does what is due of a link.
    pub(super) fn wake(&mut self, id: LinkId, now: Instant) {
        let Some(link) = self.links.get(&id) else { return };
        if self.given_up_at(link).is_some_and(|at| at <= now) {
            self.detach(id, false);
            return self.restore(now);
        }
        match &link.phase {
            Phase::Resting(_) => {
                if let Some(link) = self.links.remove(&id) {
                    self.start(link);
                }
            }
            Phase::Answered { id: node, opening: Opening::Refused(_) } => {
                let node = node.clone();
                if let Some(Link { phase: Phase::Answered { opening, .. }, .. }) =
                    self.links.get_mut(&id)
                {
                    *opening = Opening::Waits;
                }
                self.open_if_both(&node);
            }
            Phase::Answered { .. } | Phase::Dialing { .. } => {}
        }
    }
}
