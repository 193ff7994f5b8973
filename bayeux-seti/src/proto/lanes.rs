//! What came for sessions that do not take it at once: a lane for each node that sent it and session that is to get it.
//!
//! ```text
//!   join ─▶ nothing is before it ─▶ taken at once
//!     │                          └▶ open ─▶ under way ─▶ next ─▶ under way … ─▶ the lane ends with the last
//!     └──▶ waits in the lane, or is one too many                   ▲
//!                   └──────────────────────────────────────────────┘
//! ```
//!
//! A session that did not take one in time hangs, until it takes one or ends. That is remembered beside the lanes, so
//! that it is for the next as well.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bayeux_api::Frozen;
use bayeux_oort::Comet;

use crate::proto::users::UserId;

/// The messages that wait, of sessions `S`.
pub(crate) struct Lanes<S> {
    lanes: BTreeMap<Way<S>, Lane>,
    /// How many bytes all these have.
    bytes: usize,
    hanging: BTreeSet<S>,
}

/// Who sent it, and who is to get it.
pub(crate) type Way<S> = (Comet, S);

/// A message to one session.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) user: UserId,
    pub(crate) message: Arc<Frozen>,
}

/// What came by one way, after one that is under way.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Letter>,
    /// How many bytes they have with the one that is under way.
    bytes: usize,
}

/// How many messages may wait in one lane, and how many bytes, beside one of any size. So whoever hangs has no others'
/// messages dropped.
const MANY: usize = 1000;
const MUCH: usize = 1024 * 1024;

/// For a session that hangs so small a part of that may wait.
const PART: usize = 10;

/// How many lanes there may be and sessions that are known to hang, and how many bytes in all.
const MOST: usize = 10_000;
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// What becomes of a message.
pub(crate) enum Place {
    /// Nothing is before it.
    Free,
    Waits,
    Full,
}

impl<S: Ord + Clone> Lanes<S> {
    /// Has a message wait if one is before it.
    pub(crate) fn join(&mut self, way: &Way<S>, letter: &Letter) -> Place {
        let Some(lane) = self.lanes.get_mut(way) else { return Place::Free };
        let bytes = letter.weight();
        let part = if self.hanging.contains(&way.1) { PART } else { 1 };
        let is_fit = lane.waiting.is_empty() || lane.bytes + bytes <= MUCH / part;
        if !is_fit || lane.waiting.len() >= MANY / part || self.bytes + bytes > MOST_BYTES {
            return Place::Full;
        }
        self.bytes += bytes;
        lane.bytes += bytes;
        lane.waiting.push_back(letter.clone());
        Place::Waits
    }

    /// Makes a lane with a message of so many bytes under way, and returns whether there is room.
    pub(crate) fn open(&mut self, way: Way<S>, bytes: usize) -> bool {
        let has_room = self.lanes.len() < MOST && self.bytes + bytes <= MOST_BYTES;
        if has_room {
            self.bytes += bytes;
            self.lanes.insert(way, Lane { bytes, ..Lane::default() });
        }
        has_room
    }

    /// Returns what is next, after one of so many bytes; a lane ends with the last.
    pub(crate) fn next(&mut self, way: &Way<S>, bytes: usize) -> Option<Letter> {
        self.bytes -= bytes;
        let lane = self.lanes.get_mut(way)?;
        lane.bytes -= bytes;
        let next = lane.waiting.pop_front();
        if next.is_none() {
            self.lanes.remove(way);
        }
        next
    }

    /// Whether a session did not take the last in time.
    pub(crate) fn hangs(&self, session: &S) -> bool {
        self.hanging.contains(session)
    }

    /// Notes that a session did not take one in time, and returns whether that is new.
    pub(crate) fn gave_up(&mut self, session: &S) -> bool {
        // Of more it is not remembered.
        let is_known = self.hanging.contains(session) || self.hanging.len() >= MOST;
        !is_known && self.hanging.insert(session.clone())
    }

    /// Notes that a session took one, or has ended.
    pub(crate) fn goes_on(&mut self, session: &S) {
        self.hanging.remove(session);
    }
}

impl<S> Default for Lanes<S> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), bytes: 0, hanging: BTreeSet::new() }
    }
}

impl Letter {
    /// About how many bytes it takes while it waits.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.user.len() + self.message.json().len()
    }
}

#[cfg(test)]
mod tests {
    use bayeux_api::Message;

    use super::*;

    fn way(session: &str) -> Way<String> {
        (Comet::new("a", "http://a:8080/cometd"), session.into())
    }

    fn letter(length: usize) -> Letter {
        let message = Message::with_data("/news", "x".repeat(length)).freeze();
        Letter { user: "dave".into(), message }
    }

    /// Opens a lane by a message, and returns what that weighs.
    fn open(lanes: &mut Lanes<String>, session: &str, first: &Letter) -> usize {
        assert!(matches!(lanes.join(&way(session), first), Place::Free));
        assert!(lanes.open(way(session), first.weight()));
        first.weight()
    }

    /// Has messages wait until one does not, and returns how many do.
    fn fill(lanes: &mut Lanes<String>, session: &str, letter: &Letter) -> usize {
        let joins = |_: &usize| match lanes.join(&way(session), letter) {
            Place::Free => panic!("one is before it"),
            Place::Waits => true,
            Place::Full => false,
        };
        (0..10 * MANY).take_while(joins).count()
    }

    #[test]
    fn what_waits_is_of_so_many_and_of_so_many_bytes_and_the_first_of_any_size() {
        let (mut lanes, short) = (Lanes::default(), letter(10));
        open(&mut lanes, "few", &short);
        assert_eq!(fill(&mut lanes, "few", &letter(300 * 1024)), 3);
        open(&mut lanes, "many", &short);
        assert_eq!(fill(&mut lanes, "many", &short), MANY);
        open(&mut lanes, "long", &letter(2 * MUCH));
        assert_eq!(fill(&mut lanes, "long", &letter(2 * MUCH)), 1);
    }

    #[test]
    fn who_hangs_takes_no_room_of_others() {
        let (mut lanes, long) = (Lanes::default(), letter(MUCH));
        for session in 0..50 {
            open(&mut lanes, &format!("hangs {session}"), &long);
            assert_eq!(fill(&mut lanes, &format!("hangs {session}"), &long), 1);
        }
        open(&mut lanes, "well", &long);
        assert_eq!(fill(&mut lanes, "well", &long), 1);
    }

    #[test]
    fn of_who_hangs_it_is_remembered_until_it_goes_on_and_less_waits() {
        let (mut lanes, short) = (Lanes::default(), letter(10));
        assert!(lanes.gave_up(&"dave".into()) && !lanes.gave_up(&"dave".into()));
        open(&mut lanes, "dave", &short);
        assert_eq!(fill(&mut lanes, "dave", &short), MANY / PART);
        assert_eq!(fill(&mut lanes, "dave", &letter(MUCH / PART)), 0);
        lanes.goes_on(&"dave".into());
        assert!(!lanes.hangs(&"dave".into()));
        assert_eq!(fill(&mut lanes, "dave", &short), MANY - MANY / PART);
    }

    #[test]
    fn there_are_so_many_lanes_and_sessions_that_hang_and_so_many_bytes_in_all() {
        let (mut lanes, short) = (Lanes::default(), letter(1));
        for session in 0..MOST {
            open(&mut lanes, &session.to_string(), &short);
            assert!(lanes.gave_up(&session.to_string()));
        }
        assert!(!lanes.open(way("dave"), 1));
        assert!(!lanes.gave_up(&"dave".into()) && !lanes.hangs(&"dave".into()));
        let mut lanes = Lanes::default();
        assert!(lanes.open(way("dave"), MOST_BYTES - 1000));
        assert!(!lanes.open(way("ann"), 1001));
        assert_eq!(fill(&mut lanes, "dave", &letter(1000)), 0);
    }

    #[test]
    fn what_was_delivered_makes_room_and_the_last_ends_the_lane() {
        let (mut lanes, short) = (Lanes::default(), letter(10));
        let mut bytes = open(&mut lanes, "dave", &short);
        assert_eq!(fill(&mut lanes, "dave", &short), MANY);
        for _ in 0..MANY {
            bytes = lanes.next(&way("dave"), bytes).expect("one waits").weight();
        }
        assert_eq!((lanes.bytes, lanes.lanes[&way("dave")].bytes), (bytes, bytes));
        assert!(lanes.next(&way("dave"), bytes).is_none());
        assert!(lanes.bytes == 0 && lanes.lanes.is_empty());
    }
}
