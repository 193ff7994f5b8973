//! What waits to be delivered to one session, and what was delivered but is not acknowledged.
//!
//! ```text
//!   push ─▶ waiting ──drain──▶ (gone)                       without acknowledgements
//!   push ─▶ waiting ──drain──▶ sent ──acknowledge──▶ (gone)  with them
//!              ▲                 │
//!              └─── resend ──────┘
//! ```
//!
//! Every message belongs to the batch that was open when it was queued. A reply that carries
//! messages closes the open batch, takes its number along as `ext.ack`, and exports all that is not
//! acknowledged up to it: CometD's acknowledgement extension (reference manual, section
//! "Acknowledge Extension").
//!
//! A batch may also go [ahead](Queue::send_ahead) of such a reply, over a connection: what is sent then comes first in
//! the queue, and is not sent again unless the client says that it may not have it.

use std::{collections::VecDeque, sync::Arc};

use bayeux_api::{
    Frozen,
    server::{Depth, Overflow},
};

/// How much a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// For how many messages an empty queue keeps its memory, so that the next ones need none.
const KEPT: usize = 8;

/// So many messages or bytes are long: in one write, what each of them costs beside its bytes is nothing.
const LONG: Bounds = Bounds { messages: 64, bytes: 64 * 1024 };

/// So much goes ahead of a reply after which the client acknowledges it; but never more than a part of what the queue
/// holds, in which it stays until then.
const AHEAD: Bounds = Bounds { messages: 256, bytes: LONG.bytes };
const AHEAD_PART: usize = 8;

/// What became of what was sent after the last batch that is known to have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// It comes, over a connection that goes on.
    OnItsWay,
    /// It may not, and has to be sent again.
    MayBeLost,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many entries wait, and how many of those are not lazy.
    waiting: u32,
    urgent: u32,
    /// The open batch, when deliveries are acknowledged.
    batch: Option<u64>,
    /// With acknowledgements: how many messages, and bytes, have come since a reply last took all along.
    since_reply: (u32, u32),
}

#[derive(Debug)]
struct Entry {
    message: Arc<Frozen>,
    batch: u64,
    /// As it was when the message came: somebody may look at that meanwhile, which makes it heavier.
    weight: u32,
    place: Place,
}

impl Entry {
    fn new(message: Arc<Frozen>, weight: usize, batch: u64, place: Place) -> Self {
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        Self { message, batch, weight, place }
    }

    fn weight(&self) -> usize {
        usize::try_from(self.weight).unwrap_or(usize::MAX)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// To be delivered at once.
    Urgent,
    /// To be delivered with the next delivery, or when its time comes.
    Lazy,
    /// Delivered, but not acknowledged.
    Sent,
}

/// What room a queue has for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// Enough, but so much waits that it is better written than gathered further.
    Long,
    Full,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is in the queue, and so many others made place for it.
    Queued { dropped: usize },
    /// It was dropped.
    Dropped,
    /// The session has to end.
    Overflowed,
}

impl Queue {
    pub(crate) fn depth(&self) -> Depth {
        Depth::new(self.entries.len(), self.bytes)
    }

    /// Whether something waits that is not lazy.
    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent > 0
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Whether there is nothing, also nothing that was sent and is not acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.batch.is_some()
    }

    /// Whether a message of such a [`weight`](Frozen::weight) needs place that the queue does not have.
    pub(crate) fn is_full_for(&self, weight: usize, bounds: Bounds) -> bool {
        self.entries.len() >= bounds.messages || self.bytes + weight > bounds.bytes
    }

    /// Tells what room there is for a message of such a weight.
    pub(crate) fn room_for(&self, weight: usize, bounds: Bounds) -> Room {
        if self.is_full_for(weight, bounds) {
            Room::Full
        } else if self.is_long() {
            Room::Long
        } else {
            Room::Enough
        }
    }

    fn is_long(&self) -> bool {
        let waiting = self.waiting();
        // Of what is acknowledged, no more bytes go ahead than that anyway.
        waiting >= LONG.messages || !self.is_acknowledged() && self.bytes >= LONG.bytes
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.waiting).unwrap_or(usize::MAX)
    }

    /// How many at the beginning were sent.
    fn sent(&self) -> usize {
        self.entries.len() - self.waiting()
    }

    /// Keeps what is delivered from now on until it is acknowledged, what waits now included.
    pub(crate) fn enable_acknowledgements(&mut self) {
        if self.batch.is_none() {
            self.batch = Some(1);
            self.entries.iter_mut().for_each(|entry| entry.batch = 1);
        }
    }

    pub(crate) fn push(
        &mut self,
        message: Arc<Frozen>,
        bounds: Bounds,
        overflow: Overflow,
    ) -> Pushed {
        let (mut dropped, weight) = (0, message.weight());
        if self.is_full_for(weight, bounds) {
            match overflow {
                Overflow::Disconnect => return Pushed::Overflowed,
                Overflow::DropNewest => return Pushed::Dropped,
                Overflow::DropOldest | Overflow::KeepLast => {}
                // What this server does not know is as its default.
                _ => return Pushed::Overflowed,
            }
            if weight > bounds.bytes || bounds.messages == 0 {
                return Pushed::Dropped;
            }
            if overflow == Overflow::KeepLast {
                dropped += self.drop_channel(message.channel());
            }
            while self.is_full_for(weight, bounds) && self.drop_oldest() {
                dropped += 1;
            }
        }
        self.append(message, weight);
        Pushed::Queued { dropped }
    }

    /// Queues a message for which there is room, and which has this weight now.
    pub(crate) fn append(&mut self, message: Arc<Frozen>, weight: usize) {
        let place = if message.is_lazy() { Place::Lazy } else { Place::Urgent };
        let entry = Entry::new(message, weight, self.batch.unwrap_or_default(), place);
        self.add(&entry);
        if self.is_acknowledged() {
            let (messages, bytes) = &mut self.since_reply;
            *messages = messages.saturating_add(1);
            *bytes = bytes.saturating_add(entry.weight);
        }
        self.entries.push_back(entry);
    }

    /// Whether what waits may be sent before the next reply, so that little enough is to be acknowledged after it.
    pub(crate) fn may_go_ahead(&self, bounds: Bounds) -> bool {
        let is_within =
            |count: u32, most: usize| usize::try_from(count).is_ok_and(|count| count < most);
        let (messages, bytes) = self.since_reply;
        is_within(messages, AHEAD.messages.min(bounds.messages / AHEAD_PART))
            && is_within(bytes, AHEAD.bytes.min(bounds.bytes / AHEAD_PART))
    }

    /// Copies what waits to the end of `messages`, where it goes ahead of a reply, and returns the number of its batch.
    /// Nothing without acknowledgements.
    pub(crate) fn send_ahead(&mut self, messages: &mut Vec<Arc<Frozen>>) -> Option<u64> {
        let batch = self.batch?;
        messages.extend(self.entries.range(self.sent()..).map(|entry| entry.message.clone()));
        self.are_sent(batch);
        Some(batch)
    }

    /// Closes the batch, in which all is sent now.
    fn are_sent(&mut self, batch: u64) {
        self.batch = Some(batch + 1);
        let sent = self.sent();
        self.entries.range_mut(sent..).for_each(|entry| entry.place = Place::Sent);
        (self.waiting, self.urgent) = (0, 0);
    }

    /// Takes what waits, for a delivery that nobody acknowledges.
    pub(crate) fn drain(&mut self) -> Vec<Arc<Frozen>> {
        let mut messages = Vec::new();
        self.drain_into(&mut messages);
        messages
    }

    /// Moves what waits to the end of `messages`, for a delivery that nobody acknowledges.
    pub(crate) fn drain_into(&mut self, messages: &mut Vec<Arc<Frozen>>) {
        if self.is_acknowledged() {
            return;
        }
        (self.bytes, self.waiting, self.urgent) = (0, 0, 0);
        messages.extend(self.entries.drain(..).map(|entry| entry.message));
        if self.entries.capacity() > KEPT {
            self.entries = VecDeque::new();
        }
    }

    /// Takes what goes out with a connect or handshake reply; with acknowledgements also the number of the batch that
    /// the client is to acknowledge. What was sent before goes again, but for what `went_ahead`.
    pub(crate) fn drain_with_reply(&mut self, went_ahead: bool) -> (Option<u64>, Vec<Arc<Frozen>>) {
        let Some(batch) = self.batch else { return (None, self.drain()) };
        self.since_reply = (0, 0);
        let before = if went_ahead { self.sent() } else { 0 };
        self.are_sent(batch);
        (Some(batch), self.entries.range(before..).map(|entry| entry.message.clone()).collect())
    }

    /// Puts messages back, first in line, whose delivery failed. They were in the queue before, so that they may pass
    /// its bounds only by what came in between. What is acknowledged has stayed there, and was the last that was sent.
    pub(crate) fn put_back(&mut self, messages: Vec<Arc<Frozen>>) {
        if self.is_acknowledged() {
            self.wait_again(self.sent().saturating_sub(messages.len()));
            return;
        }
        for message in messages.into_iter().rev() {
            let weight = message.weight();
            let entry = Entry::new(message, weight, 0, Place::Urgent);
            self.add(&entry);
            self.entries.push_front(entry);
        }
    }

    /// Drops the oldest until the queue is within `bounds` again; returns how many.
    pub(crate) fn trim(&mut self, bounds: Bounds) -> usize {
        let mut dropped = 0;
        while (self.entries.len() > bounds.messages || self.bytes > bounds.bytes)
            && self.drop_oldest()
        {
            dropped += 1;
        }
        dropped
    }

    /// Forgets what the client has got, and lets wait again what may be lost.
    pub(crate) fn acknowledge(&mut self, batch: u64, since: Since) {
        while self.entries.front().is_some_and(|entry| entry.batch <= batch) {
            self.drop_oldest();
        }
        if since == Since::MayBeLost {
            self.wait_again(0);
            self.since_reply = (self.waiting, u32::try_from(self.bytes).unwrap_or(u32::MAX));
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// Lets what was sent wait again, but for so many entries at the beginning.
    fn wait_again(&mut self, kept: usize) {
        for entry in self.entries.range_mut(kept..) {
            if entry.place == Place::Sent {
                entry.place = Place::Urgent;
                self.waiting += 1;
                self.urgent += 1;
            }
        }
    }

    pub(crate) fn clear(&mut self) -> usize {
        let dropped = self.waiting();
        *self = Self { batch: self.batch, ..Self::default() };
        dropped
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else { return false };
        self.forget(&entry);
        true
    }

    fn drop_channel(&mut self, channel: &str) -> usize {
        let before = self.entries.len();
        let (kept, dropped) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<VecDeque<_>, _>(|entry| entry.message.channel() != channel);
        self.entries = kept;
        dropped.iter().for_each(|entry| self.forget(entry));
        before - self.entries.len()
    }

    fn add(&mut self, entry: &Entry) {
        self.bytes += entry.weight();
        self.waiting += 1;
        self.urgent += u32::from(entry.place == Place::Urgent);
    }

    fn forget(&mut self, entry: &Entry) {
        self.bytes -= entry.weight();
        self.waiting -= u32::from(entry.place != Place::Sent);
        self.urgent -= u32::from(entry.place == Place::Urgent);
    }
}

#[cfg(test)]
mod tests;
