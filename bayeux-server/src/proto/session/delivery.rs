//! What waits for a session's client, and when it goes out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{
    Frozen,
    server::{Depth, Overflow, QueueBounds, Removal},
};

use crate::proto::{
    after,
    carriage::{Lent, Means, Tell, Turn},
    queue::{Bounds, Pushed, Room, Since},
    session::{Ahead, Cycle, Delivered, Delivery, Due, Offered, Phase, Session},
};

impl<C: Clone + PartialEq> Session<C> {
    /// Queues a message if there is room, and says who is to be told; `lazy_timeout` is its channel's, if it
    /// has one. A queue that is long or full is written to the socket that its carrier lends before, if that
    /// may be.
    pub(crate) fn offer(
        &mut self,
        message: &Arc<Frozen>,
        may_write: bool,
        lazy_timeout: Option<Duration>,
        now: Instant,
    ) -> Offered<C> {
        if self.is_gone() {
            return Offered::Gone;
        }
        let weight = message.weight();
        match self.queue.room_for(weight, self.bounds()) {
            Room::Long | Room::Full if may_write && self.is_lent(now) => return Offered::Write,
            Room::Full => return Offered::Full,
            Room::Long | Room::Enough => {}
        }
        let was_due = self.is_due(now);
        self.queue.append(message.clone(), weight);
        Offered::Queued(self.tell(message.is_lazy(), was_due, lazy_timeout, now))
    }

    /// Queues a message; if there is no room, `overflow` or the rules say what happens.
    pub(crate) fn deliver(
        &mut self,
        message: Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        overflow: Option<Overflow>,
        now: Instant,
    ) -> (Delivered, Tell<C>) {
        if self.is_gone() {
            return (Delivered::Gone, Tell::Nobody);
        }
        let (is_lazy, was_due) = (message.is_lazy(), self.is_due(now));
        let overflow = overflow.unwrap_or(self.rules.queue_overflow);
        match self.queue.push(message, self.bounds(), overflow) {
            Pushed::Queued { dropped } => {
                let tell = self.tell(is_lazy, was_due, lazy_timeout, now);
                (Delivered::Queued { dropped }, tell)
            }
            Pushed::Dropped => (Delivered::Dropped, Tell::Nobody),
            Pushed::Overflowed => {
                self.remove(Removal::Overflowed);
                (Delivered::Overflowed, Tell::Nobody)
            }
        }
    }

    /// Says who is to be told of a message that was queued: nobody if something was due before, since then
    /// somebody was told, and has not looked yet.
    fn tell(
        &mut self,
        is_lazy: bool,
        was_due: bool,
        lazy_timeout: Option<Duration>,
        now: Instant,
    ) -> Tell<C> {
        let is_earlier = is_lazy && self.lazy_by(now, lazy_timeout);
        let is_news = self.batch == 0 && !was_due && (!is_lazy || is_earlier);
        if is_news { self.carriage.tell() } else { Tell::Nobody }
    }

    fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone(_))
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

    /// Whether what waits may be written to the socket of the carrier now.
    fn is_lent(&self, now: Instant) -> bool {
        self.carriage.lends() && self.has_to_push(now)
    }

    /// Whether place in the queue is to be expected from a carrier that was told of what is in it.
    pub(crate) fn will_be_looked_at(&self) -> bool {
        self.carriage.will_look()
    }

    /// Notes that nobody looks at the queue for now.
    pub(crate) fn cannot_be_looked_at(&mut self) {
        self.carriage.cannot_look();
    }

    pub(crate) fn is_full_for(&self, message: &Frozen) -> bool {
        self.queue.is_full_for(message.weight(), self.bounds())
    }

    /// Whether messages have to go out now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        // The end of a session is the end of its batches.
        (self.batch == 0 || matches!(self.phase, Phase::Gone(_)))
            && (self.queue.is_urgent()
                || self.queue.is_waiting() && self.lazy_until.is_some_and(|until| until <= now))
    }

    /// Whether messages need no reply to go with. What is acknowledged goes with the number that the
    /// client is to acknowledge.
    pub(super) fn goes_alone(&self) -> bool {
        self.delivery == Delivery::Any && !self.queue.is_acknowledged()
    }

    /// Whether the connection that carries sends messages at once: those that nobody acknowledges, or those that go
    /// ahead of the reply after which they are acknowledged.
    pub(super) fn is_pushed(&self) -> bool {
        self.goes_alone() || self.goes_ahead()
    }

    fn goes_ahead(&self) -> bool {
        self.ahead == Ahead::Goes
            && self.delivery == Delivery::Any
            && self.queue.may_go_ahead(self.bounds())
    }

    /// Whether something goes out now without a connect.
    fn has_to_push(&self, now: Instant) -> bool {
        self.is_pushed() && self.is_due(now)
    }

    /// Takes what `carrier` has to send now without a connect, if anything; it has looked at all there
    /// is then.
    pub(crate) fn push(&mut self, carrier: &C, now: Instant) -> Option<Due> {
        self.carriage.has_looked(carrier);
        let is_due = self.carriage.is_by(carrier) && self.has_to_push(now);
        is_due.then(|| {
            let mut messages = Vec::new();
            let batch = self.push_into(&mut messages);
            Due { messages, batch }
        })
    }

    /// Moves what goes out now to the end of `messages`, and returns the number of its batch if that is acknowledged.
    fn push_into(&mut self, messages: &mut Vec<Arc<Frozen>>) -> Option<u64> {
        self.lazy_until = None;
        let batch = self.queue.send_ahead(messages);
        if batch.is_none() {
            self.queue.drain_into(messages);
        }
        batch
    }

    /// When `carrier`, which delivers without connects, has to look again.
    pub(crate) fn push_deadline(&self, carrier: &C) -> Option<Instant> {
        self.lazy_until.filter(|_| {
            self.is_pushed()
                && self.batch == 0
                && self.queue.is_waiting()
                && self.carriage.is_by(carrier)
        })
    }

    /// Comes to write what is due to the socket of the carrier, which it moves to the end of `messages`
    /// if that socket is to be had. `is_plain` is false when only the carrier itself may.
    pub(crate) fn lend(
        &mut self,
        is_plain: bool,
        messages: &mut Vec<Arc<Frozen>>,
        now: Instant,
    ) -> Lent<'_, C> {
        if !self.queue.is_waiting() {
            // Somebody else has written it, and the carrier is told of nothing.
            return Lent::No;
        }
        let Some(means) = self.carriage.come() else { return Lent::No };
        let is_lent = means == Means::Lend
            && is_plain
            && !matches!(self.phase, Phase::Gone(_))
            && self.has_to_push(now);
        let batch = if is_lent { self.push_into(messages) } else { None };
        match self.carriage.carrier() {
            None => Lent::No,
            Some(carrier) if is_lent => Lent::Socket(carrier, batch),
            Some(carrier) => Lent::Wake(carrier),
        }
    }

    /// Notes that all was written to the lent socket.
    pub(crate) fn written(&mut self, now: Instant) {
        self.carriage.written(now);
    }

    /// Notes that something is left to write, and returns the carrier, which has to be woken for it.
    pub(crate) fn call_back(&mut self) -> Option<&C> {
        self.carriage.call_back()
    }

    /// Takes what goes with the response to something other than a connect.
    pub(crate) fn drain_with_response(&mut self) -> Vec<Arc<Frozen>> {
        if self.goes_alone() { self.drain() } else { Vec::new() }
    }

    /// Takes what goes with the reply to the connect of `cycle`, and the number to acknowledge.
    /// Nothing goes with an overtaken one, which would steal it from the newer.
    pub(crate) fn drain_with_connect(&mut self, cycle: Cycle) -> (Option<u64>, Vec<Arc<Frozen>>) {
        if cycle == self.cycle { self.drain_with_reply() } else { (None, Vec::new()) }
    }

    /// Takes what goes with the reply to a handshake, and the number to acknowledge.
    pub(crate) fn drain_with_reply(&mut self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        self.lazy_until = None;
        self.queue.drain_with_reply(self.ahead != Ahead::Never)
    }

    pub(super) fn drain(&mut self) -> Vec<Arc<Frozen>> {
        self.lazy_until = None;
        self.queue.drain()
    }

    /// Puts back what could not be delivered; returns how many messages that pushed out, and who is to
    /// be told.
    pub(crate) fn put_back(&mut self, messages: Vec<Arc<Frozen>>) -> (usize, Tell<C>) {
        if let Phase::Gone(_) = self.phase {
            return (messages.len(), Tell::Nobody);
        }
        if !messages.is_empty() {
            self.was_not_told();
        }
        self.queue.put_back(messages);
        (self.queue.trim(self.bounds()), self.carriage.call())
    }

    /// Has the client acknowledge what it gets. If that knows of it, messages go `ahead` of the replies to connects,
    /// over the connection that brings them.
    pub(crate) fn enable_acknowledgements(&mut self, ahead: bool) {
        if ahead {
            self.ahead = Ahead::Stops;
        } else {
            self.delivery = Delivery::ConnectOnly;
        }
        self.queue.enable_acknowledgements();
    }

    /// Whether the client knows of messages that go ahead.
    pub(crate) fn sends_ahead(&self) -> bool {
        self.ahead != Ahead::Never
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.queue.is_acknowledged()
    }

    /// The client has all batches up to this one.
    pub(crate) fn acknowledge(&mut self, batch: u64, since: Since) {
        match (self.ahead, since) {
            // What comes with replies has come by the next connect, or is lost.
            (Ahead::Never, _) => self.queue.acknowledge(batch, Since::MayBeLost),
            (_, Since::OnItsWay) => self.queue.acknowledge(batch, since),
            (_, Since::MayBeLost) => {
                self.ahead = Ahead::May;
                self.queue.acknowledge(batch, since);
            }
        }
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
        let Bounds { messages, bytes } = self.bounds();
        QueueBounds::new(messages, bytes, self.rules.queue_overflow)
    }

    /// Sets bounds for this session alone, which then has rules of its own.
    pub(crate) fn set_queue_bounds(&mut self, bounds: QueueBounds) {
        let rules = Arc::make_mut(&mut self.rules);
        (rules.max_queue, rules.max_queue_bytes) = (bounds.messages, bounds.bytes);
        rules.queue_overflow = bounds.overflow;
    }

    fn bounds(&self) -> Bounds {
        Bounds { messages: self.rules.max_queue, bytes: self.rules.max_queue_bytes }
    }

    pub(crate) fn start_batch(&mut self) {
        self.batch += 1;
    }

    /// Ends a batch, and says who is to be told; true when it was the outermost and messages that are not
    /// lazy wait.
    pub(crate) fn end_batch(&mut self) -> (bool, Tell<C>) {
        self.batch = self.batch.saturating_sub(1);
        let is_last = self.batch == 0;
        let is_news = is_last && self.queue.is_waiting();
        let tell = if is_news { self.carriage.call() } else { Tell::Nobody };
        (is_last && self.queue.is_urgent(), tell)
    }

    // --- the carrier ---

    /// Has `carrier` carry the session if nobody does; true when it carries.
    pub(crate) fn bind(&mut self, carrier: &C, means: Means, turn: Turn) -> bool {
        self.carriage.bind(carrier, means, turn)
    }

    /// Notes that `carrier` is gone, or done; true when it carried the session, which lives.
    pub(crate) fn leave(&mut self, carrier: &C) -> bool {
        let carried = self.carriage.leave(carrier);
        if carried && self.ahead == Ahead::Goes {
            // Another connection may carry before the client has said what it has.
            self.ahead = Ahead::Stops;
        }
        carried && self.is_handshook()
    }

    pub(crate) fn is_carried_by(&self, carrier: &C) -> bool {
        self.carriage.is_by(carrier)
    }

    /// Notes that `carrier` is awake; tells when somebody else last wrote to it.
    pub(crate) fn wake_up(&mut self, carrier: &C) -> Option<Instant> {
        self.carriage.wake_up(carrier)
    }

    /// Has `carrier` wait; false when it has to look again before.
    pub(crate) fn wait(&mut self, carrier: &C) -> bool {
        self.carriage.wait(carrier)
    }

    /// Returns all who have to see what has changed for good.
    pub(crate) fn everybody(&self) -> Vec<C> {
        self.carriage.everybody()
    }
}
