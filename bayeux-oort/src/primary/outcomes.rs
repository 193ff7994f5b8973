//! What the listeners are still to be told of the primary.

use std::{collections::VecDeque, mem};

use bayeux_api::implement::{Audience, Hearers};

use crate::Comet;

/// The primary, and whether this node is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) primary: Option<Comet>,
    pub(super) is_own: bool,
}

/// What waits. Only the last matters to whoever listens, but what somebody found who has begun to listen meanwhile: there
/// is no more of it than there are listeners.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    told: Outcome,
    waiting: VecDeque<(Outcome, Hearers)>,
}

/// What is told next.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) last: Outcome,
    pub(super) new: Outcome,
    pub(super) hearers: Hearers,
}

impl Outcomes {
    /// Notes what came out for those who listen, and returns whether that is news.
    pub(super) fn note(&mut self, new: Outcome, audience: &Audience) -> bool {
        let last = self.waiting.back().map_or(&self.told, |(last, _)| last);
        if *last == new {
            return false;
        }
        self.waiting.push_back((new, audience.hearers()));
        // Of two that are for the same listeners the first goes untold.
        let hearers = |at: usize| self.waiting[at].1;
        let alike = |at: &usize| audience.hears_alike(hearers(*at), hearers(at + 1));
        if let Some(untold) = (0..self.waiting.len() - 1).rev().find(alike) {
            self.waiting.remove(untold);
        }
        true
    }

    pub(super) fn next(&mut self) -> Option<Step> {
        let (new, hearers) = self.waiting.pop_front()?;
        let last = mem::replace(&mut self.told, new.clone());
        Some(Step { last, new, hearers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: u64) -> Outcome {
        let primary = Some(Comet::new(number.to_string(), format!("http://{number}")));
        Outcome { primary, is_own: false }
    }

    #[test]
    fn only_the_last_is_told_and_to_each_from_what_it_found() {
        let mut outcomes = Outcomes::default();
        let (one, both): (Audience, Audience) =
            ([1].into_iter().collect(), [1, 2].into_iter().collect());
        for number in 1..=10 {
            assert!(outcomes.note(of(number), if number > 5 { &both } else { &one }));
        }
        assert!(!outcomes.note(of(10), &both));
        for (last, new, hearers) in
            [(Outcome::default(), of(5), one.hearers()), (of(5), of(10), both.hearers())]
        {
            let step = outcomes.next().unwrap();
            assert_eq!((step.last, step.new, step.hearers), (last, new, hearers));
        }
        assert!(outcomes.next().is_none());
    }

    #[test]
    fn however_many_listeners_come_and_go_no_more_waits_than_there_are() {
        let mut outcomes = Outcomes::default();
        for number in 0..1000 {
            // Each of them for some of the others' time; the first stays.
            let audience = [0].into_iter().chain(number..number + 4).collect();
            outcomes.note(of(number), &audience);
            assert!(outcomes.waiting.len() <= 6, "{}", outcomes.waiting.len());
        }
    }
}
