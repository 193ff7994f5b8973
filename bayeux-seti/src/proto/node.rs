//! Another node: who is there, and what it is owed.
//!
//! ```text
//!   joined ──observed──▶ a list, part by part ──▶ of ours: a check now and then; if it does not fit, it asks
//!                          ▲  ▲                   another's: the list once more, after a while
//!                 observed │  │ it asks
//! ```
//!
//! A list is everybody that is announced here, in order. It goes in parts, each of them made when its turn comes:
//! announcements go between them, and whoever has gone meanwhile is in no later part. What a node misses while it
//! observes nobody tells it: one of ours sees it by the next check, which says what all of these come to, and never
//! goes in the midst of a list. CometD's would not know a check, but gets its list twice, and again whenever it asks:
//! by the second time it observes all channels, even if it has started late. A node that has lost another, which has
//! not lost it, is sent nothing by that one: it asks.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bayeux_oort::Comet;

use crate::proto::{
    digest::Digest,
    id::seti_id,
    listing::{Listing, Room},
    misfits::Misfits,
    users::UserId,
};

/// Another node, from when it joins to when it leaves.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) comet: Comet,
    pub(crate) seti_id: String,
    /// Whether another node has the same Seti id, and had it first, or another life of this one has joined since.
    pub(crate) is_refused: bool,
    /// Who is there, as far as it said, and what that comes to.
    pub(crate) users: BTreeSet<UserId>,
    pub(crate) digest: Digest,
    /// Those who are there, too, but whose ids this node does not take.
    pub(crate) misfits: Misfits,
    observes: Observes,
    /// Whether it has sent its list.
    has_listed: bool,
    /// Whether it knows what a check is.
    is_ours: bool,
    is_repeated: bool,
    /// Whether it has forgotten, by a list, whoever is gone, and heard of everybody who went since.
    has_forgotten: bool,
    /// When a list is to begin.
    list_at: Option<Instant>,
    listing: Option<Listing>,
    /// When the last list had gone, or was given up.
    last_list: Option<Instant>,
    look_at: Option<Instant>,
    ask_at: Option<Instant>,
    last_ask: Option<Instant>,
}

/// Whether a node has a Seti that hears what is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observes {
    No,
    /// It says something, so that it has one.
    Surely,
    /// That was told.
    Told,
}

/// What is to be sent to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Ask,
    /// The next part of a list.
    List,
    Check,
}

impl Node {
    pub(crate) fn new(comet: Comet) -> Self {
        Self {
            seti_id: seti_id(comet.url()),
            comet,
            is_refused: false,
            users: BTreeSet::new(),
            digest: Digest::default(),
            misfits: Misfits::default(),
            observes: Observes::No,
            has_listed: false,
            is_ours: false,
            is_repeated: false,
            has_forgotten: false,
            list_at: None,
            listing: None,
            last_list: None,
            look_at: None,
            ask_at: None,
            last_ask: None,
        }
    }

    /// It hears what is announced from now on, or may have missed something.
    pub(crate) fn observed(&mut self, now: Instant) {
        // Of a list that is under way it may have missed the beginning.
        self.give_up(now);
        self.begins(now);
        match self.observes {
            // What was sent before it could hear it does not count.
            Observes::No | Observes::Surely => self.list_at = Some(now),
            Observes::Told => self.asks(now),
        }
        self.observes = Observes::Told;
    }

    /// It has sent its list.
    pub(crate) fn listed(&mut self) {
        self.has_listed = true;
        self.ask_at = None;
    }

    /// Forgets its users, and returns who they were.
    pub(crate) fn forget(&mut self) -> BTreeSet<UserId> {
        (self.digest, self.misfits) = <_>::default();
        self.has_listed = false;
        std::mem::take(&mut self.users)
    }

    /// It has a Seti, since it says something. That it observes was told before this node had one, if this node's has
    /// started later.
    pub(crate) fn appeared(&mut self, now: Instant) {
        if self.observes == Observes::No {
            self.observes = Observes::Surely;
            self.begins(now);
            self.list_at = Some(now);
        }
    }

    /// It wants a list: when there was one, after a while, in which others are served.
    pub(crate) fn asks(&mut self, now: Instant) {
        let at = self.last_list.map_or(now, |last| now.max(last + LIST_EVERY));
        self.list_at = Some(self.list_at.map_or(at, |before| before.min(at)));
    }

    /// It knows what a check is.
    pub(crate) fn is_ours(&mut self, now: Instant) {
        self.is_ours = true;
        if self.look_at.is_none() {
            self.look_at = Some(now + FIRST_CHECK);
        }
    }

    /// It is to be asked for a list.
    pub(crate) fn ask(&mut self, now: Instant) {
        self.ask_at = Some(self.last_ask.map_or(now, |last| now.max(last + ASK_EVERY)));
    }

    /// Something that all were sent did not get out.
    pub(crate) fn misses(&mut self, now: Instant) {
        self.has_forgotten = false;
        let later = now + LIST_EVERY;
        match self.is_ours {
            true => self.look_at = Some(self.look_at.map_or(later, |at| at.min(later))),
            false => self.asks(later),
        }
    }

    /// What it was sent did not get out.
    pub(crate) fn loses(&mut self, now: Instant) {
        match self.give_up(now) {
            true => self.asks(now + LIST_EVERY),
            false => self.misses(now),
        }
        self.has_forgotten = false;
    }

    /// Returns what is due, and takes it as done; but that of a list is done by [`went`](Self::went).
    pub(crate) fn duty(&mut self, now: Instant) -> Option<Duty> {
        if self.deadline()? > now {
            return None;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.ask_at) {
            // What it was asked, or what it answered, may have been lost.
            self.ask_at = (!self.has_listed).then_some(now + CHECK_EVERY);
            self.last_ask = Some(now);
            return Some(Duty::Ask);
        }
        if self.listing.is_some() {
            return Some(Duty::List);
        }
        if is_due(self.list_at) {
            self.list_at = None;
            return Some(self.list(now));
        }
        if self.is_ours {
            self.look_at = Some(now + CHECK_EVERY);
            return Some(Duty::Check);
        }
        self.look_at = None;
        self.is_repeated = true;
        Some(self.list(now))
    }

    /// Returns when the node next has a [duty](Self::duty), if ever.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let is_owed = self.observes != Observes::No && !self.is_refused;
        let of_lists = match &self.listing {
            Some(listing) => [Some(listing.deadline()), None],
            None => [self.list_at, self.look_at],
        };
        let all = of_lists.into_iter().chain([self.ask_at]);
        all.flatten().min().filter(|_| is_owed)
    }

    /// Returns after which user the next part of the list begins that is under way.
    pub(crate) fn part(&self) -> Option<Option<&str>> {
        self.listing.as_ref()?.part()
    }

    /// Returns whether the first of several parts takes the place of what the node knows. One of CometD's forgets all
    /// others by it, and tells its listeners that they went, and with the next parts that they came: that is no more
    /// than needed once, when somebody may be gone of whom it did not hear it. One of ours looks at the range.
    pub(crate) fn is_to_forget(&self) -> bool {
        self.is_ours || !self.has_forgotten
    }

    /// It surely hears the part that goes now.
    pub(crate) fn hears(&mut self) {
        self.has_forgotten = true;
    }

    /// A part goes now, which ends with this user, or is the last.
    pub(crate) fn goes(&mut self, until: Option<UserId>) {
        if let Some(listing) = &mut self.listing {
            listing.goes(until);
        }
    }

    /// The last part of the list has gone, if it was that.
    pub(crate) fn went(&mut self, now: Instant) {
        if !self.listing.as_ref().is_some_and(Listing::is_last) {
            return;
        }
        self.give_up(now);
        if self.is_ours || !self.is_repeated {
            self.look_at = Some(now + FIRST_CHECK);
        }
    }

    /// Returns whether the part that is due goes now, with so much room on its way. Else it is due again soon.
    pub(crate) fn finds(&mut self, room: Room, now: Instant) -> bool {
        self.listing.as_mut().is_some_and(|listing| listing.finds(room, now))
    }

    /// Gives up the list that is under way, and returns whether there was one. What was asked for meanwhile comes
    /// after a while.
    fn give_up(&mut self, now: Instant) -> bool {
        let was_under_way = self.listing.take().is_some();
        if was_under_way {
            self.last_list = Some(now);
            self.list_at = self.list_at.map(|_| now + LIST_EVERY);
            self.look_at = self.look_at.map(|at| at.max(now + FIRST_CHECK));
        }
        was_under_way
    }

    fn begins(&mut self, now: Instant) {
        self.has_forgotten = false;
        self.is_repeated = false;
        if !self.has_listed {
            self.ask_at = Some(now + FIRST_CHECK);
        }
    }

    fn list(&mut self, now: Instant) -> Duty {
        self.listing = Some(Listing::new(now));
        Duty::List
    }
}

/// How long after a list it is looked whether it got there.
const FIRST_CHECK: Duration = Duration::from_secs(2);

/// How often one of ours is told what it should have.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// How long after one list the next comes, however often a node asks.
const LIST_EVERY: Duration = Duration::from_secs(1);

/// How often a node is asked for one.
const ASK_EVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests {
    use super::*;

    fn node() -> (Node, Instant) {
        (Node::new(Comet::new("b", "http://b:8080/cometd")), Instant::now())
    }

    /// Returns what it is owed until then, and when.
    fn duties(node: &mut Node, start: Instant, until: Duration) -> Vec<(u64, Duty)> {
        let mut duties = Vec::new();
        while let Some(at) = node.deadline().filter(|at| *at <= start + until) {
            duties.extend(node.duty(at).map(|duty| ((at - start).as_secs(), duty)));
            node.goes(None);
            node.went(at);
        }
        duties
    }

    #[test]
    fn one_that_has_no_seti_is_sent_nothing() {
        let (mut node, now) = node();
        node.ask(now);
        node.asks(now);
        assert_eq!((node.duty(now), node.deadline()), (None, None));
    }

    #[test]
    fn one_that_does_not_send_its_list_is_asked() {
        let (mut node, now) = node();
        node.observed(now);
        node.is_ours(now);
        let expected =
            [(0, Duty::List), (2, Duty::Ask), (2, Duty::Check), (17, Duty::Ask), (17, Duty::Check)];
        assert_eq!(duties(&mut node, now, Duration::from_secs(18)), expected);
    }

    #[test]
    fn one_of_cometds_gets_its_list_twice_and_never_a_check() {
        let (mut node, now) = node();
        node.listed();
        node.observed(now);
        let minutes = Duration::from_secs(600);
        assert_eq!(duties(&mut node, now, minutes), [(0, Duty::List), (2, Duty::List)]);
    }

    #[test]
    fn one_of_ours_gets_its_list_once_and_a_check_now_and_then() {
        let (mut node, now) = node();
        node.listed();
        node.observed(now);
        node.is_ours(now);
        let expected = [(0, Duty::List), (2, Duty::Check), (17, Duty::Check), (32, Duty::Check)];
        assert_eq!(duties(&mut node, now, Duration::from_secs(40)), expected);
    }

    #[test]
    fn who_asks_at_each_moment_gets_a_list_each_second() {
        let (mut node, now) = node();
        node.listed();
        node.observed(now);
        node.is_ours(now);
        let mut lists = 0;
        for millis in 0..10_000 {
            let now = now + Duration::from_millis(millis);
            node.asks(now);
            lists += usize::from(node.duty(now) == Some(Duty::List));
            node.goes(None);
            node.went(now);
        }
        assert_eq!(lists, 10);
    }

    #[test]
    fn a_node_is_not_asked_at_each_moment() {
        let (mut node, now) = node();
        node.listed();
        node.observed(now);
        assert_eq!(node.duty(now), Some(Duty::List));
        node.goes(None);
        node.went(now);
        node.ask(now);
        assert_eq!(node.duty(now), Some(Duty::Ask));
        node.ask(now + Duration::from_secs(1));
        assert_eq!(node.duty(now + Duration::from_secs(1)), None);
    }

    #[test]
    fn one_that_is_refused_is_sent_nothing() {
        let (mut node, now) = node();
        node.is_refused = true;
        node.listed();
        node.observed(now);
        assert_eq!((node.duty(now), node.deadline()), (None, None));
    }

    #[test]
    fn no_check_goes_in_the_midst_of_a_list() {
        let (mut node, now) = node();
        node.listed();
        node.is_ours(now);
        node.observed(now);
        for second in 0..60 {
            let now = now + Duration::from_secs(second);
            assert_eq!(node.duty(now), Some(Duty::List));
            node.goes(Some("u".into()));
            node.went(now);
        }
        let end = now + Duration::from_secs(60);
        node.goes(None);
        node.went(end);
        assert_eq!(node.deadline(), Some(end + FIRST_CHECK));
    }

    /// Of what was sent before it may have missed something.
    #[test]
    fn one_that_observes_anew_gets_its_list_from_the_beginning() {
        let (mut node, now) = node();
        node.listed();
        node.observed(now);
        assert_eq!(node.duty(now), Some(Duty::List));
        node.goes(Some("u".into()));
        node.observed(now);
        assert_eq!(node.duty(now), None);
        assert_eq!(node.duty(now + LIST_EVERY), Some(Duty::List));
        assert_eq!(node.part(), Some(None));
    }
}
