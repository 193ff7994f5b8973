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

#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many entries wait, and how many of those are not lazy.
    waiting: usize,
    urgent: usize,
    /// The open batch, when deliveries are acknowledged.
    batch: Option<u64>,
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
        } else if self.entries.len() >= LONG.messages || self.bytes >= LONG.bytes {
            Room::Long
        } else {
            Room::Enough
        }
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
        self.entries.push_back(entry);
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

    /// Takes what goes out with a connect or handshake reply; with acknowledgements also the
    /// number of the batch that the client is to acknowledge.
    pub(crate) fn drain_with_reply(&mut self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        let Some(batch) = self.batch else { return (None, self.drain()) };
        self.batch = Some(batch + 1);
        for entry in &mut self.entries {
            entry.place = Place::Sent;
        }
        (self.waiting, self.urgent) = (0, 0);
        (Some(batch), self.entries.iter().map(|entry| entry.message.clone()).collect())
    }

    /// Puts messages back, first in line, whose delivery without acknowledgement failed. They were
    /// in the queue before, so that they may pass its bounds only by what came in between.
    pub(crate) fn put_back(&mut self, messages: Vec<Arc<Frozen>>) {
        if self.is_acknowledged() {
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

    /// Forgets what the client has got, and lets what it has not got wait again.
    pub(crate) fn acknowledge(&mut self, batch: u64) {
        while self.entries.front().is_some_and(|entry| entry.batch <= batch) {
            self.drop_oldest();
        }
        for entry in &mut self.entries {
            if entry.place == Place::Sent {
                entry.place = Place::Urgent;
                self.waiting += 1;
                self.urgent += 1;
            }
        }
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    pub(crate) fn clear(&mut self) -> usize {
        let dropped = self.waiting;
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
        self.urgent += usize::from(entry.place == Place::Urgent);
    }

    fn forget(&mut self, entry: &Entry) {
        self.bytes -= entry.weight();
        self.waiting -= usize::from(entry.place != Place::Sent);
        self.urgent -= usize::from(entry.place == Place::Urgent);
    }
}

#[cfg(test)]
mod tests;
