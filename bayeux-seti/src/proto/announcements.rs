//! Who came and went here, and is still to be announced to the other nodes: many users in one message, and what
//! happened to each in its order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::proto::users::UserId;

/// Whether a user came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Added,
    Removed,
}

/// What waits to be announced.
///
/// A message is of users who came, or of users who went. A user goes into the first message that has room for this
/// change and comes after the last that the user is in. When too much waits, two changes of a user undo each other.
#[derive(Debug)]
pub(crate) struct Announcements {
    messages: VecDeque<Announcement>,
    /// The number of the first of these.
    first: u64,
    /// The number of the last message that a user is in.
    last: BTreeMap<UserId, u64>,
    /// How many changes wait.
    count: usize,
    most: usize,
}

/// Several users to whom the same happened.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) change: Change,
    pub(crate) users: BTreeSet<UserId>,
}

impl Announcements {
    pub(crate) fn new() -> Self {
        let (messages, last) = <_>::default();
        Self { messages, first: 0, last, count: 0, most: MOST }
    }

    /// Notes what happened to a user: each one comes and goes in turn.
    pub(crate) fn note(&mut self, user: UserId, change: Change) {
        let last = self.last.get(&user).copied();
        if let Some(last) = last.filter(|_| self.count >= self.most) {
            return self.undo(&user, last);
        }
        let from = last.map_or(0, |last| self.index(last) + 1);
        let is_fit = |one: &Announcement| one.change == change && one.users.len() < MANY;
        let index = (from..self.messages.len()).find(|index| is_fit(&self.messages[*index]));
        let index = index.unwrap_or_else(|| {
            self.messages.push_back(Announcement { change, users: BTreeSet::new() });
            self.messages.len() - 1
        });
        self.messages[index].users.insert(user.clone());
        self.last.insert(user, self.first + index as u64);
        self.count += 1;
    }

    /// Takes what is announced next.
    pub(crate) fn take(&mut self) -> Option<Announcement> {
        loop {
            let next = self.messages.pop_front()?;
            let number = self.first;
            self.first += 1;
            self.count -= next.users.len();
            for user in &next.users {
                if self.last.get(user) == Some(&number) {
                    self.last.remove(user);
                }
            }
            if !next.users.is_empty() {
                return Some(next);
            }
        }
    }

    fn undo(&mut self, user: &UserId, last: u64) {
        let index = self.index(last);
        self.messages[index].users.remove(user);
        self.count -= 1;
        let before = (0..index).rev().find(|index| self.messages[*index].users.contains(user));
        match before {
            Some(before) => self.last.insert(user.clone(), self.first + before as u64),
            None => self.last.remove(user),
        };
    }

    fn index(&self, number: u64) -> usize {
        usize::try_from(number - self.first).expect("what waits is in memory")
    }
}

/// How many users are in one message.
const MANY: usize = 1000;

/// How many changes may wait, beside one of each user.
const MOST: usize = 100_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(announcement: &Announcement) -> Vec<&str> {
        announcement.users.iter().map(|user| &**user).collect()
    }

    #[test]
    fn many_are_in_one_message() {
        let mut announcements = Announcements::new();
        for number in 0..2 * MANY {
            announcements.note(format!("in{number}").into(), Change::Added);
            announcements.note(format!("out{number}").into(), Change::Removed);
        }
        let taken: Vec<_> = std::iter::from_fn(|| announcements.take()).collect();
        assert_eq!(taken.len(), 4);
        assert!(taken.iter().all(|one| one.users.len() == MANY));
    }

    #[test]
    fn what_happens_to_one_is_in_its_order() {
        let mut announcements = Announcements::new();
        for change in [Change::Added, Change::Removed, Change::Added] {
            announcements.note("u".into(), change);
        }
        // Others go with the first that has the same.
        announcements.note("v".into(), Change::Added);
        announcements.note("w".into(), Change::Removed);
        let mut next = || announcements.take();
        let first = next().unwrap();
        assert_eq!((first.change, texts(&first)), (Change::Added, vec!["u", "v"]));
        let second = next().unwrap();
        assert_eq!((second.change, texts(&second)), (Change::Removed, vec!["u", "w"]));
        assert_eq!(texts(&next().unwrap()), ["u"]);
        assert!(next().is_none());
        assert!(announcements.count == 0 && announcements.last.is_empty());
    }

    #[test]
    fn when_too_much_waits_a_change_undoes_the_one_before() {
        let mut announcements = Announcements { most: 3, ..Announcements::new() };
        for number in 0..1001 {
            let change = if number % 2 == 0 { Change::Added } else { Change::Removed };
            announcements.note("u".into(), change);
            assert!(announcements.count <= 3);
        }
        let mut changes = std::iter::from_fn(|| announcements.take()).map(|one| one.change);
        assert_eq!(changes.next(), Some(Change::Added));
        assert_eq!(changes.last(), Some(Change::Added));
    }

    proptest! {
        /// Whatever happens to whom, and whenever something is taken: who listens knows in the end who is there.
        #[test]
        fn whoever_listens_knows_who_is_there(
            steps in proptest::collection::vec((0u8..4, 0u8..5), 0..60), most in 0usize..6,
        ) {
            let mut announcements = Announcements { most, ..Announcements::new() };
            let (mut there, mut known) = (BTreeSet::new(), BTreeSet::new());
            let hear = |announcements: &mut Announcements, known: &mut BTreeSet<UserId>| {
                let Some(one) = announcements.take() else { return true };
                one.users.into_iter().all(|user| match one.change {
                    Change::Added => known.insert(user),
                    Change::Removed => known.remove(&user),
                })
            };
            for (user, what) in steps {
                if what == 0 {
                    prop_assert!(hear(&mut announcements, &mut known), "not in turn");
                    continue;
                }
                let user = UserId::from(user.to_string());
                let change = match there.remove(&user) {
                    true => Change::Removed,
                    false => { there.insert(user.clone()); Change::Added }
                };
                announcements.note(user, change);
            }
            while announcements.count > 0 {
                prop_assert!(hear(&mut announcements, &mut known), "not in turn");
            }
            prop_assert_eq!(there, known);
        }
    }
}
