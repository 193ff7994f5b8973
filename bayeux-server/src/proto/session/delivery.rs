//! What waits for a session's client, and when it goes out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{
    Frozen,
    server::{Depth, Overflow, QueueBounds},
};

use crate::proto::{
    after,
    queue::{Bounds, Pushed},
    session::{Cycle, Delivered, Delivery, Phase, Session},
};

impl Session {
    /// Queues a message; `lazy_timeout` is its channel's, if it has one.
    pub(crate) fn deliver(
        &mut self,
        message: Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        overflow: Option<Overflow>,
        now: Instant,
    ) -> Delivered {
        if let Phase::Gone(_) = self.phase {
            return Delivered::Gone;
        }
        let is_lazy = message.is_lazy();
        // Then somebody was woken before, and has not looked yet.
        let was_due = self.is_due(now);
        let overflow = overflow.unwrap_or(self.rules.overflow);
        let dropped = match self.queue.push(message, self.rules.bounds, overflow) {
            Pushed::Queued { dropped } => dropped,
            Pushed::Dropped => return Delivered::Dropped,
            Pushed::Overflowed => return Delivered::Overflowed,
        };
        let is_earlier = is_lazy && self.lazy_by(now, lazy_timeout);
        Delivered::Queued { wake: self.batch == 0 && !was_due && (!is_lazy || is_earlier), dropped }
    }

    /// Sets when lazy messages go out, if that is earlier than it was.
    pub(super) fn lazy_by(&mut self, now: Instant, lazy_timeout: Option<Duration>) -> bool {
        let until = after(now, lazy_timeout.unwrap_or(self.rules.max_lazy_timeout));
        let is_earlier = self.lazy_until.is_none_or(|earlier| until < earlier);
        if is_earlier {
            self.lazy_until = Some(until);
        }
        is_earlier
    }

    /// Whether anything waits to be delivered, lazy or not.
    pub(crate) fn is_waiting(&self) -> bool {
        self.queue.is_waiting()
    }

    pub(crate) fn is_full_for(&self, message: &Frozen) -> bool {
        self.queue.is_full_for(message, self.rules.bounds)
    }

    /// Whether messages have to go out now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        // The end of a session is the end of its batches.
        (self.batch == 0 || matches!(self.phase, Phase::Gone(_)))
            && (self.queue.is_urgent()
                || self.queue.is_waiting() && self.lazy_until.is_some_and(|until| until <= now))
    }

    /// Takes what a connection that delivers without connects has to send now, if anything.
    pub(crate) fn push(&mut self, now: Instant) -> Option<Vec<Arc<Frozen>>> {
        let mut messages = Vec::new();
        self.push_into(&mut messages, now).then_some(messages)
    }

    /// Moves what such a connection has to send now to the end of `messages`; true when it has to send
    /// anything.
    pub(crate) fn push_into(&mut self, messages: &mut Vec<Arc<Frozen>>, now: Instant) -> bool {
        let is_due = self.delivery == Delivery::Any && self.is_due(now);
        if is_due {
            self.lazy_until = None;
            self.queue.drain_into(messages);
        }
        is_due
    }

    /// When a connection that delivers without connects has to look again.
    pub(crate) fn push_deadline(&self) -> Option<Instant> {
        self.lazy_until.filter(|_| {
            self.delivery == Delivery::Any && self.batch == 0 && self.queue.is_waiting()
        })
    }

    /// Takes what goes with the response to something other than a connect.
    pub(crate) fn drain_with_response(&mut self) -> Vec<Arc<Frozen>> {
        match self.delivery {
            Delivery::Any => self.drain(),
            Delivery::ConnectOnly => Vec::new(),
        }
    }

    /// Takes what goes with the reply to the connect of `cycle`, and the number to acknowledge.
    /// Nothing goes with an overtaken one, which would steal it from the newer.
    pub(crate) fn drain_with_connect(&mut self, cycle: Cycle) -> (Option<u64>, Vec<Arc<Frozen>>) {
        if cycle == self.cycle { self.drain_with_reply() } else { (None, Vec::new()) }
    }

    /// Takes what goes with the reply to a handshake, and the number to acknowledge.
    pub(crate) fn drain_with_reply(&mut self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        self.lazy_until = None;
        self.queue.drain_with_reply()
    }

    pub(super) fn drain(&mut self) -> Vec<Arc<Frozen>> {
        self.lazy_until = None;
        self.queue.drain()
    }

    /// Puts back what could not be delivered; returns how many messages that pushed out.
    pub(crate) fn put_back(&mut self, messages: Vec<Arc<Frozen>>) -> usize {
        if let Phase::Gone(_) = self.phase {
            return messages.len();
        }
        self.queue.put_back(messages);
        self.queue.trim(self.rules.bounds)
    }

    pub(crate) fn enable_acknowledgements(&mut self) {
        self.delivery = Delivery::ConnectOnly;
        self.queue.enable_acknowledgements();
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.queue.is_acknowledged()
    }

    pub(crate) fn acknowledge(&mut self, batch: u64) {
        self.queue.acknowledge(batch);
        if !self.queue.is_waiting() {
            self.lazy_until = None;
        }
    }

    /// Drops all messages, at the end; returns how many had not been delivered.
    pub(crate) fn clear(&mut self) -> usize {
        self.lazy_until = None;
        self.queue.clear()
    }

    pub(crate) fn depth(&self) -> Depth {
        self.queue.depth()
    }

    pub(crate) fn queue_bounds(&self) -> QueueBounds {
        let Bounds { messages, bytes } = self.rules.bounds;
        QueueBounds::new(messages, bytes, self.rules.overflow)
    }

    /// Sets bounds for this session alone, which then has rules of its own.
    pub(crate) fn set_queue_bounds(&mut self, bounds: QueueBounds) {
        let rules = Arc::make_mut(&mut self.rules);
        rules.bounds = Bounds { messages: bounds.messages, bytes: bounds.bytes };
        rules.overflow = bounds.overflow;
    }

    pub(crate) fn start_batch(&mut self) {
        self.batch += 1;
    }

    /// Ends a batch; true when it was the outermost and messages that are not lazy wait.
    pub(crate) fn end_batch(&mut self) -> bool {
        self.batch = self.batch.saturating_sub(1);
        self.batch == 0 && self.queue.is_urgent()
    }
}
