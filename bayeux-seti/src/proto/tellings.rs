//! What the listeners are still to be told: in order, and never more than so much.

use std::{collections::BTreeMap, mem};

use bayeux_oort::Comet;

use crate::proto::{announcements::Change, users::UserId};

/// A user came to a node, or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) user: UserId,
    pub(crate) comet: Comet,
    pub(crate) change: Change,
}

/// What waits. When it is too much, what happens to a user on a node undoes what happened before, as long as that
/// waits, too: what is told of each stays in turn, and there is no more of it than there are users.
#[derive(Debug)]
pub(crate) struct Tellings {
    /// Whether anybody listens.
    pub(crate) is_heard: bool,
    waiting: BTreeMap<u64, Waiting>,
    /// The number of the last that waits of each user and node.
    last: BTreeMap<(UserId, Comet), u64>,
    next: u64,
    most: usize,
}

#[derive(Debug)]
struct Waiting {
    event: Event,
    /// The number of the one before of the same user and node, which may have been told.
    before: Option<u64>,
}

impl Tellings {
    pub(crate) fn new() -> Self {
        let (waiting, last) = <_>::default();
        Self { is_heard: false, waiting, last, next: 0, most: MOST }
    }

    /// Notes whether anybody listens. Returns what waits while nobody does, which is for nobody who comes later: of
    /// what follows on it nothing may have been noted.
    pub(crate) fn set_heard(&mut self, is_heard: bool) -> Option<Self> {
        self.is_heard = is_heard;
        let is_left = !is_heard && !self.waiting.is_empty();
        is_left.then(|| mem::replace(self, Self { most: self.most, ..Self::new() }))
    }

    pub(crate) fn note(&mut self, user: &UserId, comet: &Comet, change: Change) {
        if !self.is_heard {
            return;
        }
        let key = (user.clone(), comet.clone());
        let last = self.last.get(&key).copied();
        if let Some(last) = last.filter(|_| self.waiting.len() >= self.most) {
            return self.undo(key, last);
        }
        let event = Event { user: user.clone(), comet: comet.clone(), change };
        self.waiting.insert(self.next, Waiting { event, before: last });
        self.last.insert(key, self.next);
        self.next += 1;
    }

    pub(crate) fn take(&mut self) -> Option<Event> {
        let (number, Waiting { event, .. }) = self.waiting.pop_first()?;
        let key = (event.user.clone(), event.comet.clone());
        if self.last.get(&key) == Some(&number) {
            self.last.remove(&key);
        }
        Some(event)
    }

    fn undo(&mut self, key: (UserId, Comet), last: u64) {
        let before = self.waiting.remove(&last).and_then(|removed| removed.before);
        match before.filter(|before| self.waiting.contains_key(before)) {
            Some(before) => self.last.insert(key, before),
            None => self.last.remove(&key),
        };
    }
}

/// How much may wait, beside one event of each user and node.
const MOST: usize = 100_000;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks how long something takes")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn nothing_waits_when_nobody_listens() {
        let mut tellings = Tellings::new();
        tellings.note(&"u".into(), &Comet::new("a", "http://a"), Change::Added);
        assert!(tellings.take().is_none());
    }

    #[test]
    fn what_is_told_of_each_is_in_turn_though_too_much_waits() {
        let mut tellings = Tellings { is_heard: true, most: 4, ..Tellings::new() };
        let [a, b] = ["a", "b"].map(|id| Comet::new(id, format!("http://{id}")));
        for number in 0..101 {
            let change = if number % 2 == 0 { Change::Added } else { Change::Removed };
            tellings.note(&"u".into(), &a, change);
            tellings.note(&"u".into(), &b, change);
            assert!(tellings.waiting.len() <= 6);
        }
        let events: Vec<_> = std::iter::from_fn(|| tellings.take()).collect();
        for comet in [&a, &b] {
            let changes: Vec<_> = events.iter().filter(|event| event.comet == *comet).collect();
            assert_eq!(changes.len() % 2, 1);
            for (number, event) in changes.into_iter().enumerate() {
                assert_eq!(event.change == Change::Added, number % 2 == 0);
            }
        }
        assert!(tellings.last.is_empty());
    }

    /// It takes a blink, or minutes if each change looks at all that waits.
    #[test]
    fn however_much_waits_a_change_is_noted_at_once() {
        let mut tellings = Tellings { is_heard: true, ..Tellings::new() };
        let comet = Comet::new("a", "http://a");
        tellings.note(&"u".into(), &comet, Change::Added);
        tellings.note(&"u".into(), &comet, Change::Removed);
        for number in 0..MOST {
            tellings.note(&format!("u{number}").into(), &comet, Change::Added);
        }
        let (start, user) = (Instant::now(), UserId::from("u"));
        for number in 0..40_000 {
            let change = if number % 2 == 0 { Change::Added } else { Change::Removed };
            tellings.note(&user, &comet, change);
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
