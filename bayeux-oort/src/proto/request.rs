//! The requests of one service that are under way: who was asked, and who waits.
//!
//! ```text
//!            ask              the own node ignores it        could not be sent
//!  one node ──▶ One ─┐   all ──▶ Everybody ───────▶ Others    Everybody ───────▶ Own
//!                    │               │                 │                          │
//!                    ▼               ▼                 ▼                          ▼
//!       the node's answer      the first answer   the first answer        the own answer
//!       or that it left                           or no node is left      or that it is ignored
//! ```
//!
//! Each ends once: by one of these, or when nobody waits any more, such as because its time is over. What comes
//! later is late.

use std::collections::{BTreeMap, BTreeSet};

use crate::Comet;

/// The requests; `W` is whoever waits for an answer.
#[derive(Debug)]
pub(crate) struct Requests<W> {
    own: Comet,
    /// How many may be under way.
    limit: usize,
    /// The id of the newest.
    last: u64,
    pending: BTreeMap<u64, Pending<W>>,
    /// The other nodes, as far as this has been told.
    others: BTreeSet<Comet>,
    is_stopped: bool,
}

#[derive(Debug)]
struct Pending<W> {
    waiter: W,
    open: Open,
}

/// Who may still answer.
#[derive(Debug)]
enum Open {
    /// This node, which was asked alone.
    One(Comet),
    /// The own node and all others.
    Everybody,
    /// All others: the own node has nothing to say.
    Others,
    /// The own node: the others could not be asked.
    Own,
}

/// Whom a request is for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// One node, perhaps the own one.
    One(Comet),
    /// All nodes, the own one too.
    All,
}

/// Why a request cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The service is over.
    Stopped,
    /// As many as may be are under way.
    TooMany,
}

/// Why a request ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The node that was asked left.
    Left(Comet),
    /// No node is there that could still answer.
    Nobody,
    /// The service is over.
    Stopped,
}

/// What an answer is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answered<W> {
    /// The answer that this one waits for.
    To(W),
    /// One to a request that has ended, or never was.
    Late,
    /// One of a node that was not asked.
    Forged,
}

impl<W> Requests<W> {
    pub(crate) fn new(own: Comet, limit: usize) -> Self {
        Self {
            own,
            limit,
            last: 0,
            pending: BTreeMap::new(),
            others: BTreeSet::new(),
            is_stopped: false,
        }
    }

    /// Notes a request, and returns its id. The first is 1.
    pub(crate) fn ask(&mut self, asked: Asked, waiter: W) -> Result<u64, Refusal> {
        if self.is_stopped {
            return Err(Refusal::Stopped);
        }
        if self.pending.len() >= self.limit {
            return Err(Refusal::TooMany);
        }
        let open = match asked {
            Asked::One(comet) => Open::One(comet),
            Asked::All => Open::Everybody,
        };
        self.last += 1;
        self.pending.insert(self.last, Pending { waiter, open });
        Ok(self.last)
    }

    /// A node answered the request of this id.
    pub(crate) fn answer(&mut self, from: &Comet, id: u64) -> Answered<W> {
        let Some(pending) = self.pending.get(&id) else { return Answered::Late };
        let is_asked = match &pending.open {
            Open::One(comet) => comet == from,
            Open::Everybody => true,
            Open::Others => *from != self.own,
            Open::Own => *from == self.own,
        };
        if !is_asked {
            return Answered::Forged;
        }
        self.give_up(id).map_or(Answered::Late, Answered::To)
    }

    /// The own node has nothing to say to a request to all. Returns who waits if nobody else can answer.
    pub(crate) fn ignored(&mut self, id: u64) -> Option<W> {
        let pending = self.pending.get_mut(&id)?;
        match pending.open {
            Open::Everybody if !self.others.is_empty() => {
                pending.open = Open::Others;
                None
            }
            Open::Everybody | Open::Own => self.give_up(id),
            Open::One(_) | Open::Others => None,
        }
    }

    /// A request did not reach the other nodes. Returns who waits if nobody can answer.
    pub(crate) fn unsent(&mut self, id: u64) -> Option<W> {
        let pending = self.pending.get_mut(&id)?;
        match pending.open {
            Open::Everybody => {
                pending.open = Open::Own;
                None
            }
            Open::One(_) | Open::Others => self.give_up(id),
            Open::Own => None,
        }
    }

    /// Nobody waits any more for the answer to this request. Returns who did.
    pub(crate) fn give_up(&mut self, id: u64) -> Option<W> {
        self.pending.remove(&id).map(|pending| pending.waiter)
    }

    /// A node joined.
    pub(crate) fn joined(&mut self, comet: &Comet) {
        self.others.insert(comet.clone());
    }

    /// A node left: what it alone was asked ends, and so does what was asked of all if it was the last that
    /// could answer.
    pub(crate) fn left(&mut self, comet: &Comet) -> Vec<(W, Why)> {
        self.others.remove(comet);
        let is_alone = self.others.is_empty();
        self.end(|pending| match &pending.open {
            Open::One(asked) => (asked == comet).then(|| Why::Left(comet.clone())),
            Open::Others => is_alone.then_some(Why::Nobody),
            Open::Everybody | Open::Own => None,
        })
    }

    /// Ends everything, for good.
    pub(crate) fn stop(&mut self) -> Vec<(W, Why)> {
        self.is_stopped = true;
        self.end(|_| Some(Why::Stopped))
    }

    /// Returns how many are under way.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    fn end(&mut self, why: impl Fn(&Pending<W>) -> Option<Why>) -> Vec<(W, Why)> {
        let ending = self.pending.iter().filter_map(|(id, pending)| Some((*id, why(pending)?)));
        let ending: Vec<_> = ending.collect();
        let mut end = |(id, why)| Some((self.give_up(id)?, why));
        ending.into_iter().filter_map(&mut end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comet(id: &str) -> Comet {
        Comet::new(id, format!("http://{id}"))
    }

    /// Those of a node `a` that knows of a node `b`.
    fn requests() -> Requests<char> {
        let mut requests = Requests::new(comet("a"), 3);
        requests.joined(&comet("b"));
        requests
    }

    #[test]
    fn ids_begin_with_one_and_are_not_used_again() {
        let mut requests = requests();
        assert_eq!(requests.ask(Asked::All, 'x'), Ok(1));
        assert_eq!(requests.give_up(1), Some('x'));
        assert_eq!(requests.ask(Asked::All, 'y'), Ok(2));
    }

    #[test]
    fn the_first_answer_of_the_node_that_was_asked_counts() {
        let mut requests = requests();
        requests.ask(Asked::One(comet("b")), 'x').unwrap();
        assert_eq!(requests.answer(&comet("b"), 1), Answered::To('x'));
        assert_eq!(requests.answer(&comet("b"), 1), Answered::Late);
        assert_eq!(requests.answer(&comet("b"), 2), Answered::Late);
    }

    #[test]
    fn another_node_neither_answers_nor_ends_what_one_was_asked() {
        let mut requests = requests();
        requests.ask(Asked::One(comet("b")), 'x').unwrap();
        assert_eq!(requests.answer(&comet("c"), 1), Answered::Forged);
        assert_eq!(requests.answer(&comet("b"), 1), Answered::To('x'));
    }

    #[test]
    fn any_node_answers_what_all_were_asked() {
        for node in ["a", "b", "c"] {
            let mut requests = requests();
            requests.ask(Asked::All, 'x').unwrap();
            assert_eq!(requests.answer(&comet(node), 1), Answered::To('x'));
        }
    }

    #[test]
    fn a_node_that_leaves_ends_what_it_alone_was_asked() {
        let mut requests = requests();
        requests.ask(Asked::One(comet("b")), 'x').unwrap();
        requests.ask(Asked::One(comet("a")), 'y').unwrap();
        requests.ask(Asked::All, 'z').unwrap();
        assert_eq!(requests.left(&comet("b")), [('x', Why::Left(comet("b")))]);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests.answer(&comet("b"), 1), Answered::Late);
    }

    #[test]
    fn what_all_were_asked_ends_with_the_last_node_that_could_answer() {
        let mut requests = requests();
        requests.joined(&comet("c"));
        requests.ask(Asked::All, 'x').unwrap();
        assert_eq!(requests.ignored(1), None);
        assert!(requests.left(&comet("b")).is_empty());
        assert_eq!(requests.left(&comet("c")), [('x', Why::Nobody)]);
    }

    #[test]
    fn what_all_were_asked_waits_for_the_own_answer_when_all_others_are_gone() {
        let mut requests = requests();
        requests.ask(Asked::All, 'x').unwrap();
        assert!(requests.left(&comet("b")).is_empty());
        assert_eq!(requests.ignored(1), Some('x'));
    }

    #[test]
    fn what_a_lonely_node_ignores_ends_at_once() {
        let mut requests = Requests::new(comet("a"), 3);
        requests.ask(Asked::All, 'x').unwrap();
        assert_eq!(requests.ignored(1), Some('x'));
        assert_eq!(requests.ignored(1), None);
    }

    #[test]
    fn who_has_ignored_a_request_does_not_answer_it() {
        let mut requests = requests();
        requests.ask(Asked::All, 'x').unwrap();
        assert_eq!(requests.ignored(1), None);
        assert_eq!(requests.answer(&comet("a"), 1), Answered::Forged);
        assert_eq!(requests.answer(&comet("b"), 1), Answered::To('x'));
    }

    #[test]
    fn what_reached_nobody_else_waits_for_the_own_node_alone() {
        let mut requests = requests();
        requests.ask(Asked::All, 'x').unwrap();
        requests.ask(Asked::All, 'y').unwrap();
        requests.ask(Asked::One(comet("b")), 'z').unwrap();
        assert_eq!(requests.unsent(1), None);
        assert_eq!(requests.ignored(1), Some('x'));
        assert_eq!(requests.ignored(2), None);
        assert_eq!(requests.unsent(2), Some('y'));
        assert_eq!(requests.unsent(3), Some('z'));
    }

    #[test]
    fn an_answer_for_which_nobody_waits_any_more_is_late() {
        let mut requests = requests();
        requests.ask(Asked::All, 'x').unwrap();
        requests.ask(Asked::All, 'y').unwrap();
        assert_eq!(requests.give_up(1), Some('x'));
        assert_eq!(requests.answer(&comet("b"), 1), Answered::Late);
        assert_eq!(requests.answer(&comet("b"), 2), Answered::To('y'));
    }

    #[test]
    fn no_more_are_under_way_than_may_be() {
        let mut requests = requests();
        for _ in 0..3 {
            requests.ask(Asked::All, 'x').unwrap();
        }
        assert_eq!(requests.ask(Asked::All, 'y'), Err(Refusal::TooMany));
        assert_eq!(requests.give_up(2), Some('x'));
        assert_eq!(requests.ask(Asked::All, 'y'), Ok(4));
    }

    #[test]
    fn a_service_that_is_over_asks_nobody() {
        let mut requests = requests();
        requests.ask(Asked::All, 'x').unwrap();
        assert_eq!(requests.stop(), [('x', Why::Stopped)]);
        assert_eq!(requests.ask(Asked::All, 'y'), Err(Refusal::Stopped));
        assert_eq!(requests.answer(&comet("b"), 1), Answered::Late);
    }
}
