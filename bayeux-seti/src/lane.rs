//! What came for users whose sessions do not take it at once: an application's listener or extension of a session looks
//! at each message, and may wait. What waits is taken aside, with all that comes for the same user after it, so that it
//! holds up neither who comes and goes nor what is for others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bayeux_api::implement::lock;
use bayeux_oort::Comet;
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{
    engine::Inner,
    proto::{users::UserId, wire::UserMessage},
    session::Local,
};

/// The messages that wait, by the node that sent them and their user.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Way, Lane>,
    /// How many bytes all these have.
    bytes: usize,
}

type Way = (Comet, UserId);

/// What came by one way, after one that is under way.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<UserMessage>,
    /// How many bytes they have with the one that is under way.
    bytes: usize,
}

/// It has begun. It returns the sessions that did not take it in time.
type Delivery = BoxFuture<'static, BTreeSet<Local>>;

/// How many messages may wait in one lane, and how many bytes, beside one of any size. So whoever hangs has no others'
/// messages dropped.
const MANY: usize = 1000;
const MUCH: usize = 1024 * 1024;

/// How many lanes there may be, and how many bytes in all.
const MOST_LANES: usize = 10_000;
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// What becomes of a message.
enum Place {
    /// Nothing is before it.
    Free(UserMessage),
    Waits,
    Full,
}

impl Lanes {
    /// Has a message wait if one is before it.
    fn join(&mut self, way: &Way, message: UserMessage) -> Place {
        let Some(lane) = self.lanes.get_mut(way) else { return Place::Free(message) };
        let bytes = weight(&message);
        let is_fit = lane.waiting.is_empty() || lane.bytes + bytes <= MUCH;
        if !is_fit || lane.waiting.len() >= MANY || self.bytes + bytes > MOST_BYTES {
            return Place::Full;
        }
        self.bytes += bytes;
        lane.bytes += bytes;
        lane.waiting.push_back(message);
        Place::Waits
    }

    /// Makes a lane with a message of so many bytes under way, and returns whether there is room.
    fn open(&mut self, way: Way, bytes: usize) -> bool {
        let has_room = self.lanes.len() < MOST_LANES && self.bytes + bytes <= MOST_BYTES;
        if has_room {
            self.bytes += bytes;
            self.lanes.insert(way, Lane { bytes, ..Lane::default() });
        }
        has_room
    }

    /// Returns what is next, after one of so many bytes; a lane ends with the last.
    fn next(&mut self, way: &Way, bytes: usize) -> Option<UserMessage> {
        self.bytes -= bytes;
        let lane = self.lanes.get_mut(way)?;
        lane.bytes -= bytes;
        let next = lane.waiting.pop_front();
        if next.is_none() {
            self.lanes.remove(way);
        }
        next
    }
}

impl Inner {
    /// Delivers a message of another node to the sessions of its user here, or has it delivered. What the same node
    /// sends comes one after the other.
    pub(crate) fn deliver_soon(self: &Arc<Self>, from: &Comet, message: UserMessage) {
        let way = (from.clone(), message.user.clone());
        // The lock is not held while it is said that a message is dropped.
        let place = lock(&self.lanes).join(&way, message);
        let message = match place {
            Place::Free(message) => message,
            Place::Waits => return,
            Place::Full => return self.drops(from, "too much waits for its user"),
        };
        let bytes = weight(&message);
        let inner = self.clone();
        let delivery = async move { inner.deliver_received(message, &BTreeSet::new()).await };
        let mut delivery: Delivery = delivery.boxed();
        // Most are done at once.
        if delivery.as_mut().now_or_never().is_some() {
            return;
        }
        if !lock(&self.lanes).open(way.clone(), bytes) {
            return self.drops(from, "too much waits for all users");
        }
        let rest = self.oort.server().together(self.clone().deliver_rest(delivery, way, bytes));
        let until = self.stopped.clone();
        tokio::spawn(until.run_until_cancelled_owned(rest));
    }

    /// Delivers what is under way, and what waits after it. Once a session has not taken one in time the others do not
    /// wait for it, until it takes one: a session that hangs costs that once, and not for each, and takes none from
    /// the user's other sessions.
    async fn deliver_rest(self: Arc<Self>, delivery: Delivery, way: Way, mut bytes: usize) {
        let mut hanging = delivery.await;
        loop {
            let next = lock(&self.lanes).next(&way, bytes);
            let Some(message) = next else { return };
            bytes = weight(&message);
            let given_up = self.deliver_received(message, &hanging).await;
            if !given_up.is_disjoint(&hanging) {
                self.drops(&way.0, "a session of its user hangs");
            }
            hanging = given_up;
        }
    }

    fn drops(&self, from: &Comet, why: &str) {
        self.refuse(from, why, |all| &mut all.undelivered);
    }
}

/// About how many bytes a message takes while it waits.
fn weight(message: &UserMessage) -> usize {
    size_of::<UserMessage>() + message.user.len() + message.data.text().len()
}

#[cfg(test)]
mod tests {
    use bayeux_api::{ChannelId, Json};

    use super::*;

    fn way(user: &str) -> Way {
        (Comet::new("a", "http://a:8080/cometd"), user.into())
    }

    fn data(length: usize) -> Json {
        Json::new(&"x".repeat(length)).expect("it is a text")
    }

    fn message(user: &str, data: &Json) -> UserMessage {
        let channel = ChannelId::new("/news").expect("it is one");
        UserMessage { user: user.into(), channel, data: data.clone() }
    }

    /// Opens a lane by a message, and returns what that weighs.
    fn open(lanes: &mut Lanes, user: &str, data: &Json) -> usize {
        let first = message(user, data);
        let bytes = weight(&first);
        assert!(matches!(lanes.join(&way(user), first), Place::Free(_)));
        assert!(lanes.open(way(user), bytes));
        bytes
    }

    /// Has messages wait until one does not, and returns how many do.
    fn fill(lanes: &mut Lanes, user: &str, data: &Json) -> usize {
        let joins = |_: &usize| match lanes.join(&way(user), message(user, data)) {
            Place::Free(_) => panic!("one is before it"),
            Place::Waits => true,
            Place::Full => false,
        };
        (0..10 * MANY).take_while(joins).count()
    }

    #[test]
    fn what_waits_is_of_so_many_and_of_so_many_bytes_and_the_first_of_any_size() {
        let (mut lanes, short, long) = (Lanes::default(), data(10), data(2 * MUCH));
        open(&mut lanes, "few", &short);
        assert_eq!(fill(&mut lanes, "few", &data(300 * 1024)), 3);
        open(&mut lanes, "many", &short);
        assert_eq!(fill(&mut lanes, "many", &short), MANY);
        open(&mut lanes, "long", &long);
        assert_eq!(fill(&mut lanes, "long", &long), 1);
    }

    #[test]
    fn who_hangs_takes_no_room_of_others() {
        let (mut lanes, long) = (Lanes::default(), data(MUCH));
        for user in 0..50 {
            open(&mut lanes, &format!("hangs {user}"), &long);
            assert_eq!(fill(&mut lanes, &format!("hangs {user}"), &long), 1);
        }
        open(&mut lanes, "dave", &long);
        assert_eq!(fill(&mut lanes, "dave", &long), 1);
    }

    #[test]
    fn there_are_so_many_lanes_and_so_many_bytes_in_all() {
        let (mut lanes, short) = (Lanes::default(), data(1));
        for user in 0..MOST_LANES {
            open(&mut lanes, &user.to_string(), &short);
        }
        assert!(!lanes.open(way("dave"), 1));
        let mut lanes = Lanes::default();
        assert!(lanes.open(way("dave"), MOST_BYTES - 1000));
        assert!(!lanes.open(way("ann"), 1001));
        assert_eq!(fill(&mut lanes, "dave", &data(1000)), 0);
    }

    #[test]
    fn what_was_delivered_makes_room_and_the_last_ends_the_lane() {
        let (mut lanes, short) = (Lanes::default(), data(10));
        let mut bytes = open(&mut lanes, "dave", &short);
        assert_eq!(fill(&mut lanes, "dave", &short), MANY);
        for _ in 0..MANY {
            let next = lanes.next(&way("dave"), bytes).expect("one waits");
            bytes = weight(&next);
        }
        assert_eq!((lanes.bytes, lanes.lanes[&way("dave")].bytes), (bytes, bytes));
        assert!(lanes.next(&way("dave"), bytes).is_none());
        assert!(lanes.bytes == 0 && lanes.lanes.is_empty());
    }
}
