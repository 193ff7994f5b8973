//! Another node: who is there, and what it is owed.
//!
//! ```text
//!   joined ──observed──▶ a list ──▶ of ours: a check now and then; if it does not fit, the node asks for a list
//!                          ▲  ▲     another's: the list once more, after a while
//!                 observed │  │ it asks
//! ```
//!
//! A list is everybody that is announced here. What a node misses while it observes nobody tells it: one of ours sees
//! it by the next check, which says what all of these come to. CometD's would not know a check, but gets its list
//! twice: by the second time it observes all channels, even if it has started late. A node that has lost another,
//! which has not lost it, is sent nothing by that one: it asks.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bayeux_oort::Comet;

use crate::proto::{digest::Digest, id::seti_id, users::UserId};

/// Another node, from when it joins to when it leaves.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) comet: Comet,
    pub(crate) seti_id: String,
    /// Whether another node has the same Seti id, and had it first.
    pub(crate) is_refused: bool,
    /// Who is there, as far as it said, and what that comes to.
    pub(crate) users: BTreeSet<UserId>,
    pub(crate) digest: Digest,
    /// Whether it has said more than is taken of one node.
    pub(crate) is_over: bool,
    /// Whether it has a Seti that hears what is announced.
    observes: bool,
    /// Whether it has sent its list.
    has_listed: bool,
    /// Whether it knows what a check is.
    is_ours: bool,
    is_repeated: bool,
    list_at: Option<Instant>,
    last_list: Option<Instant>,
    look_at: Option<Instant>,
    ask_at: Option<Instant>,
    last_ask: Option<Instant>,
}

/// What is to be sent to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    Ask,
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
            is_over: false,
            observes: false,
            has_listed: false,
            is_ours: false,
            is_repeated: false,
            list_at: None,
            last_list: None,
            look_at: None,
            ask_at: None,
            last_ask: None,
        }
    }

    /// It hears what is announced from now on, or may have missed something.
    pub(crate) fn observed(&mut self, now: Instant) {
        self.observes = true;
        self.is_repeated = false;
        self.list_at = Some(now);
        if !self.has_listed {
            self.ask_at = Some(now + FIRST_CHECK);
        }
    }

    /// It has sent its list.
    pub(crate) fn listed(&mut self) {
        self.has_listed = true;
        self.ask_at = None;
    }

    /// It has a Seti, since it says something. That it observes was told before this node had one, if this node's has
    /// started later.
    pub(crate) fn appeared(&mut self, now: Instant) {
        if !self.observes {
            self.observed(now);
        }
    }

    /// It wants a list.
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

    /// Something that was announced did not get out.
    pub(crate) fn misses(&mut self, now: Instant) {
        let later = now + LIST_EVERY;
        match self.is_ours {
            true => self.look_at = Some(self.look_at.map_or(later, |at| at.min(later))),
            false => self.asks(later),
        }
    }

    /// Returns what is due, and takes it as done.
    pub(crate) fn duty(&mut self, now: Instant) -> Option<Duty> {
        if !self.observes || self.is_refused {
            return None;
        }
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.ask_at) {
            // What it was asked, or what it answered, may have been lost.
            self.ask_at = (!self.has_listed).then_some(now + CHECK_EVERY);
            self.last_ask = Some(now);
            return Some(Duty::Ask);
        }
        if is_due(self.list_at) {
            return Some(self.list(now));
        }
        if !is_due(self.look_at) {
            return None;
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
        let is_owed = self.observes && !self.is_refused;
        let all = [self.ask_at, self.list_at, self.look_at];
        all.into_iter().flatten().min().filter(|_| is_owed)
    }

    fn list(&mut self, now: Instant) -> Duty {
        self.list_at = None;
        self.last_list = Some(now);
        if self.is_ours || !self.is_repeated {
            self.look_at = Some(now + FIRST_CHECK);
        }
        Duty::List
    }
}

/// How long after a list it is looked whether it got there.
const FIRST_CHECK: Duration = Duration::from_secs(2);

/// How often one of ours is told what it should have.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// How often a node is sent a list, however often it asks.
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
        }
        assert_eq!(lists, 10);
    }

    #[test]
    fn a_node_is_not_asked_at_each_moment() {
        let (mut node, now) = node();
        node.listed();
        node.observed(now);
        assert_eq!(node.duty(now), Some(Duty::List));
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
}
