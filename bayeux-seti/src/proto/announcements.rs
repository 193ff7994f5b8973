//! Who came and went here, and is still to be announced to the other nodes: many users in one message, and what
//! happened to each in its order.

use std::collections::{BTreeMap, VecDeque};

use crate::proto::users::{UserId, json_length};

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
    messages: VecDeque<Message>,
    /// The number of the first of these.
    first: u64,
    /// Of who came and of who went, the number of the first that may have room.
    open: [u64; 2],
    /// The number of the last message that a user is in.
    last: BTreeMap<UserId, u64>,
    /// How many changes wait.
    count: usize,
    most: usize,
    /// How many bytes of JSON the users of one message take.
    much: usize,
}

/// A message that waits.
#[derive(Debug)]
struct Message {
    change: Change,
    /// Each with the number of the message before in which it is, too.
    users: BTreeMap<UserId, Option<u64>>,
    /// How many bytes of JSON they take.
    bytes: usize,
}

/// Several users to whom the same happened.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) change: Change,
    /// In order.
    pub(crate) users: Vec<UserId>,
}

impl Announcements {
    /// Makes those of which each message has room for so many bytes.
    pub(crate) fn new(much: usize) -> Self {
        let (messages, open, last) = <_>::default();
        Self { messages, first: 0, open, last, count: 0, most: MOST, much }
    }

    /// Returns how many changes wait.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Notes what happened to a user: each one comes and goes in turn.
    pub(crate) fn note(&mut self, user: UserId, change: Change) {
        let last = self.last.get(&user).copied();
        if let Some(last) = last.filter(|_| self.count >= self.most) {
            return self.undo(&user, last);
        }
        let open = self.open[change as usize].max(self.first);
        let from = last.map_or(open, |last| open.max(last + 1));
        let number = self.with_room(from, change, json_length(&user));
        if from == open {
            self.open[change as usize] = number;
        }
        let index = self.index(number);
        self.messages[index].bytes += json_length(&user);
        self.messages[index].users.insert(user.clone(), last);
        self.last.insert(user, number);
        self.count += 1;
    }

    /// Takes what is announced next.
    pub(crate) fn take(&mut self) -> Option<Announcement> {
        loop {
            let Message { change, users, .. } = self.messages.pop_front()?;
            let number = self.first;
            self.first += 1;
            self.count -= users.len();
            for user in users.keys() {
                if self.last.get(user) == Some(&number) {
                    self.last.remove(user);
                }
            }
            if !users.is_empty() {
                return Some(Announcement { change, users: users.into_keys().collect() });
            }
        }
    }

    /// Returns the number of the first message from this one on that has so much room for a change.
    fn with_room(&mut self, from: u64, change: Change, bytes: usize) -> u64 {
        let is_fit = |one: &Message| {
            one.change == change && (one.bytes + bytes <= self.much || one.users.is_empty())
        };
        let waiting = self.messages.iter().skip(self.index(from));
        if let Some(index) = waiting.into_iter().position(is_fit) {
            return from + index as u64;
        }
        self.messages.push_back(Message { change, users: BTreeMap::new(), bytes: 0 });
        self.first + self.messages.len() as u64 - 1
    }

    fn undo(&mut self, user: &UserId, last: u64) {
        let index = self.index(last);
        let message = &mut self.messages[index];
        let before = message.users.remove(user).flatten();
        message.bytes -= json_length(user);
        self.count -= 1;
        // The one before may have gone.
        match before.filter(|before| *before >= self.first) {
            Some(before) => self.last.insert(user.clone(), before),
            None => self.last.remove(user),
        };
    }

    fn index(&self, number: u64) -> usize {
        usize::try_from(number - self.first).expect("what waits is in memory")
    }
}

/// How many changes may wait, beside one of each user.
const MOST: usize = 100_000;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks how long something takes")]
mod tests {
    use std::{
        collections::BTreeSet,
        time::{Duration, Instant},
    };

    use proptest::prelude::*;

    use super::*;

    /// How much room there is in most of these.
    const MUCH: usize = 1000;

    fn texts(announcement: &Announcement) -> Vec<&str> {
        announcement.users.iter().map(|user| &**user).collect()
    }

    #[test]
    fn many_are_in_one_message_and_no_more_than_have_room() {
        let mut announcements = Announcements::new(MUCH);
        for number in 0..200 {
            // As JSON, with a comma, these are of 10 bytes each.
            announcements.note(format!("in{number:05}").into(), Change::Added);
            announcements.note(format!("out{number:04}").into(), Change::Removed);
        }
        announcements.note("x".repeat(2 * MUCH).into(), Change::Added);
        announcements.note("y".into(), Change::Added);
        let taken: Vec<_> = std::iter::from_fn(|| announcements.take()).collect();
        let counts: Vec<_> = taken.iter().map(|one| one.users.len()).collect();
        assert_eq!(counts, [100, 100, 100, 100, 1, 1]);
    }

    /// It takes a blink, or minutes if each change looks at all that waits.
    #[test]
    fn however_much_waits_a_change_is_noted_at_once() {
        let mut announcements = Announcements::new(10);
        announcements.note("u".into(), Change::Added);
        announcements.note("u".into(), Change::Removed);
        let start = Instant::now();
        for number in 0..2 * MOST {
            announcements.note(format!("u{number}").into(), Change::Added);
        }
        for number in 0..40_000 {
            let change = if number % 2 == 0 { Change::Added } else { Change::Removed };
            announcements.note("u".into(), change);
        }
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    }

    #[test]
    fn what_happens_to_one_is_in_its_order() {
        let mut announcements = Announcements::new(MUCH);
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
        let mut announcements = Announcements { most: 3, ..Announcements::new(MUCH) };
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
            steps in proptest::collection::vec((0u8..4, 0u8..5), 0..60), most in 0usize..6, much in 0usize..12,
        ) {
            let mut announcements = Announcements { most, ..Announcements::new(much) };
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
