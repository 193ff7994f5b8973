//! What came for users whose sessions do not take it at once: an application's listener or extension of a session looks
//! at each message, and may wait. What waits is taken aside, with all that comes for the same user after it, so that it
//! holds up neither who comes and goes nor what is for others.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bayeux_api::implement::lock;
use bayeux_oort::Comet;
use futures_util::future::{BoxFuture, FutureExt as _};

use crate::{engine::Inner, proto::wire::UserMessage};

/// The messages that wait, by the node that sent them and their user. Of each lane one is under way, too.
#[derive(Default)]
pub(crate) struct Lanes {
    waiting: HashMap<Lane, VecDeque<UserMessage>>,
    /// How many bytes all these have.
    bytes: usize,
}

type Lane = (String, String);

/// It has begun.
type Delivery = BoxFuture<'static, ()>;

/// How many messages may wait in one lane, and how many bytes in all.
const MANY: usize = 1000;
const MUCH: usize = 16 * 1024 * 1024;

/// What becomes of a message.
enum Place {
    /// Nothing is before it.
    Free(UserMessage),
    Waits,
    Full,
}

impl Lanes {
    /// Has a message wait if one is before it.
    fn join(&mut self, lane: &Lane, message: UserMessage) -> Place {
        let Some(waiting) = self.waiting.get_mut(lane) else { return Place::Free(message) };
        let bytes = self.bytes + weight(&message);
        if waiting.len() >= MANY || bytes > MUCH {
            return Place::Full;
        }
        self.bytes = bytes;
        waiting.push_back(message);
        Place::Waits
    }

    /// Makes a lane with a message of so many bytes under way, and returns whether there is room.
    fn open(&mut self, lane: &Lane, bytes: usize) -> bool {
        let has_room = self.bytes + bytes <= MUCH;
        if has_room {
            self.bytes += bytes;
            self.waiting.insert(lane.clone(), VecDeque::new());
        }
        has_room
    }

    /// Returns what is next, after one of so many bytes; a lane ends with the last.
    fn next(&mut self, lane: &Lane, bytes: usize) -> Option<UserMessage> {
        self.bytes -= bytes;
        let next = self.waiting.get_mut(lane).and_then(VecDeque::pop_front);
        if next.is_none() {
            self.waiting.remove(lane);
        }
        next
    }
}

impl Inner {
    /// Delivers a message of another node to the sessions of its user here, or has it delivered. What the same node
    /// sends comes one after the other.
    pub(crate) fn deliver_soon(self: &Arc<Self>, from: &Comet, message: UserMessage) {
        let lane = (from.id().to_owned(), message.user.clone());
        let message = match lock(&self.lanes).join(&lane, message) {
            Place::Free(message) => Some(message),
            Place::Waits => return,
            Place::Full => None,
        };
        let Some(message) = message else { return self.drops(from) };
        let bytes = weight(&message);
        let mut delivery: Delivery = self.clone().deliver_received(message).boxed();
        // Most are done at once.
        if delivery.as_mut().now_or_never().is_some() {
            return;
        }
        if !lock(&self.lanes).open(&lane, bytes) {
            return self.drops(from);
        }
        let rest = self.clone().deliver_rest(delivery, lane, bytes);
        let until = self.stopped.clone();
        tokio::spawn(until.run_until_cancelled_owned(rest));
    }

    async fn deliver_rest(self: Arc<Self>, delivery: Delivery, lane: Lane, mut bytes: usize) {
        delivery.await;
        loop {
            let next = lock(&self.lanes).next(&lane, bytes);
            let Some(message) = next else { return };
            bytes = weight(&message);
            self.clone().deliver_received(message).await;
        }
    }

    fn drops(&self, from: &Comet) {
        let count = self.presence(|presence| {
            presence.statistics.undelivered += 1;
            presence.statistics.undelivered
        });
        if count.is_power_of_two() {
            tracing::warn!(?from, count, "a message to a user is dropped: too many wait");
        }
    }
}

/// About how many bytes a message takes while it waits.
fn weight(message: &UserMessage) -> usize {
    size_of::<UserMessage>() + message.user.len() + message.data.text().len()
}
