//! What the listeners are still to be told: in order, and never more than so much.

use std::{collections::BTreeMap, mem};

use bayeux_api::implement::{Audience, Hearers};
use bayeux_oort::Comet;

use crate::proto::{announcements::Change, users::UserId};

/// A user came to a node, or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) user: UserId,
    pub(crate) comet: Comet,
    pub(crate) change: Change,
    pub(crate) hearers: Hearers,
}

/// What waits. When it is too much, what happens to a user on a node undoes what happened before, as long as that
/// waits, too, and nobody has begun to listen between the two, who knows of the first and has to hear of the second:
/// what is told of each stays in turn, and there is no more of it than there are users, and of each user listeners.
#[derive(Debug)]
pub(crate) struct Tellings {
    /// Who listens.
    audience: Audience,
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
        let (audience, waiting, last) = <_>::default();
        Self { audience, waiting, last, next: 0, most: MOST }
    }

    /// Notes who listens. Returns what waits while nobody does: of what follows on it nothing may have been noted.
    pub(crate) fn set_audience(&mut self, audience: Audience) -> Option<Self> {
        let is_left = audience.is_empty() && !self.waiting.is_empty();
        self.audience = audience;
        is_left.then(|| mem::replace(self, Self { most: self.most, ..Self::new() }))
    }

    pub(crate) fn note(&mut self, user: &UserId, comet: &Comet, change: Change) {
        if self.audience.is_empty() {
            return;
        }
        let is_too_much = self.waiting.len() >= self.most;
        let key = (user.clone(), comet.clone());
        let hearers = self.audience.hearers();
        let event = Event { user: user.clone(), comet: comet.clone(), change, hearers };
        let before = self.last.insert(key.clone(), self.next);
        self.waiting.insert(self.next, Waiting { event, before });
        self.next += 1;
        if is_too_much {
            self.undo(&key);
        }
    }

    pub(crate) fn take(&mut self) -> Option<Event> {
        let (number, Waiting { event, .. }) = self.waiting.pop_first()?;
        let key = (event.user.clone(), event.comet.clone());
        if self.last.get(&key) == Some(&number) {
            self.last.remove(&key);
        }
        Some(event)
    }

    /// Removes the last two changes of a user on a node that wait and are for the same listeners. Of more than there
    /// are listeners, two are.
    fn undo(&mut self, key: &(UserId, Comet)) {
        let mut after = None;
        let Some(mut number) = self.last.get(key).copied() else { return };
        while let Some((before, earlier)) = self.before(number) {
            let Some(later) = self.waiting.get(&number) else { return };
            if self.audience.hears_alike(earlier.event.hearers, later.event.hearers) {
                let rest = earlier.before.filter(|rest| self.waiting.contains_key(rest));
                self.waiting.remove(&number);
                self.waiting.remove(&before);
                self.link(key, after, rest);
                return;
            }
            after = Some(number);
            number = before;
        }
    }

    /// Returns the change of the same user and node before one, if that waits.
    fn before(&self, number: u64) -> Option<(u64, &Waiting)> {
        let before = self.waiting.get(&number)?.before?;
        Some((before, self.waiting.get(&before)?))
    }

    /// Has one change of a user on a node follow on another, or be the first or the last.
    fn link(&mut self, key: &(UserId, Comet), after: Option<u64>, before: Option<u64>) {
        match (after.and_then(|after| self.waiting.get_mut(&after)), before) {
            (Some(after), before) => after.before = before,
            (None, Some(before)) => drop(self.last.insert(key.clone(), before)),
            (None, None) => drop(self.last.remove(key)),
        }
    }
}

/// How much may wait, beside one event of each user and node.
const MOST: usize = 100_000;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks how long something takes")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn audience(numbers: &[u64]) -> Audience {
        numbers.iter().copied().collect()
    }

    #[test]
    fn nothing_waits_when_nobody_listens() {
        let mut tellings = Tellings::new();
        tellings.note(&"u".into(), &Comet::new("a", "http://a"), Change::Added);
        assert!(tellings.take().is_none());
    }

    #[test]
    fn what_is_told_of_each_is_in_turn_though_too_much_waits() {
        let mut tellings = Tellings { audience: audience(&[1]), most: 4, ..Tellings::new() };
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

    /// Each listener hears of each in turn what happened since it was added.
    #[test]
    fn a_listener_hears_that_somebody_went_whom_it_found_though_too_much_waits() {
        let mut tellings = Tellings { audience: audience(&[1]), most: 0, ..Tellings::new() };
        let comet = Comet::new("a", "http://a");
        tellings.note(&"u".into(), &comet, Change::Added);
        tellings.set_audience(audience(&[1, 2]));
        let second = tellings.audience.hearers();
        for _ in 0..100 {
            tellings.note(&"u".into(), &comet, Change::Removed);
            tellings.note(&"u".into(), &comet, Change::Added);
        }
        tellings.note(&"u".into(), &comet, Change::Removed);
        assert_eq!(tellings.waiting.len(), 2);
        assert_eq!(tellings.take().unwrap().change, Change::Added);
        let last = tellings.take().unwrap();
        assert_eq!((last.change, last.hearers), (Change::Removed, second));
        assert!(tellings.last.is_empty());
    }

    #[test]
    fn however_many_listeners_come_and_go_no_more_waits_than_there_are() {
        let mut tellings = Tellings { audience: audience(&[0]), most: 0, ..Tellings::new() };
        let comet = Comet::new("a", "http://a");
        for number in 0..1000 {
            // Each of them for some of the others' time; the first stays.
            let there: Vec<_> = [0].into_iter().chain(number..number + 4).collect();
            tellings.set_audience(audience(&there));
            let change = if number % 2 == 0 { Change::Added } else { Change::Removed };
            tellings.note(&"u".into(), &comet, change);
            assert!(tellings.waiting.len() <= there.len() + 1, "{}", tellings.waiting.len());
        }
        let changes: Vec<_> =
            std::iter::from_fn(|| tellings.take()).map(|event| event.change).collect();
        assert!(changes.is_sorted_by(|one, next| one != next));
        assert_eq!(changes.len() % 2, 0);
        assert!(tellings.last.is_empty());
    }

    /// It takes a blink, or minutes if each change looks at all that waits.
    #[test]
    fn however_much_waits_a_change_is_noted_at_once() {
        let mut tellings = Tellings { audience: audience(&[1]), ..Tellings::new() };
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
