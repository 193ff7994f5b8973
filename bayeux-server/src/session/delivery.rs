//! What a session has to deliver.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{Frozen, implement::lock, server::Overflow};

use crate::{
    carrier::{Carrier, Written},
    proto::{
        carriage::Lent,
        session::{Cycle, Delivered, Due, Offered},
    },
    session::{Core, Session, Tell},
};

impl Session {
    /// Queues a message if there is room for it, and says who is to be told. What waits for a connection that
    /// lends its socket is written before the queue is full, or long.
    pub(crate) fn offer(
        &self,
        message: &Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        now: Instant,
    ) -> Offered<Arc<Carrier>> {
        let mut core = lock(&self.core);
        let offered = core.machine.offer(message, true, lazy_timeout, now);
        if !matches!(offered, Offered::Write) {
            return offered;
        }
        self.flush_before(&mut core, now);
        core.machine.offer(message, false, lazy_timeout, now)
    }

    fn flush_before(&self, core: &mut Core, now: Instant) {
        if self.is_shown() {
            return;
        }
        let count = self.flush_lent(core, &mut Vec::new(), now);
        if let Some(server) = self.server.upgrade() {
            server.counters.messages_sent.add(count);
        }
    }

    /// Queues a message whether there is place for it or not, and says who is to be told.
    pub(crate) fn enqueue(
        &self,
        message: &Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        overflow: Option<Overflow>,
        now: Instant,
    ) -> (Delivered, Tell) {
        lock(&self.core).machine.deliver(message.clone(), lazy_timeout, overflow, now)
    }

    /// Writes what is queued to the session's connection if that waits, and wakes it if it cannot be
    /// written whole; returns how many messages were. `messages` is empty, before and after.
    pub(crate) fn flush(&self, messages: &mut Vec<Arc<Frozen>>, now: Instant) -> usize {
        self.flush_lent(&mut lock(&self.core), messages, now)
    }

    fn flush_lent(&self, core: &mut Core, messages: &mut Vec<Arc<Frozen>>, now: Instant) -> usize {
        let machine = &mut core.machine;
        let (socket, batch) = match machine.lend(!self.is_shown(), messages, now) {
            Lent::No => return 0,
            Lent::Wake(carrier) => {
                carrier.wake();
                return 0;
            }
            Lent::Socket(carrier, batch) => (carrier, batch),
        };
        let count = messages.len();
        let mut whole = 0;
        match socket.direct().map_or(Written::Nothing, |direct| direct.write(messages, batch)) {
            Written::All => {
                machine.written(now);
                return count;
            }
            Written::Part(count) => whole = count,
            Written::Nothing => drop(machine.put_back(std::mem::take(messages))),
        }
        // Nobody else may write before the connection has written the rest.
        if let Some(carrier) = machine.call_back() {
            carrier.wake();
        }
        whole
    }

    /// Whether listeners see what is sent, so that only the connection itself may.
    fn is_shown(&self) -> bool {
        self.hooks().is_some_and(|hooks| !hooks.de_queue_listeners.is_empty())
    }

    /// Takes what `carrier` has to send now, and tells when it has to look again. Nothing when another
    /// carries the session.
    pub(crate) fn push(
        &self,
        carrier: &Arc<Carrier>,
        now: Instant,
    ) -> (Option<Due>, Option<Instant>) {
        lock(&self.core)
            .look(|core| (core.machine.push(carrier, now), core.machine.push_deadline(carrier)))
    }

    pub(crate) fn drain_with_response(&self) -> Due {
        let messages = lock(&self.core).look(|core| core.machine.drain_with_response());
        Due { messages, batch: None }
    }

    pub(crate) fn drain_with_connect(&self, cycle: Cycle) -> (Option<u64>, Vec<Arc<Frozen>>) {
        lock(&self.core).look(|core| core.machine.drain_with_connect(cycle))
    }

    pub(crate) fn drain_with_reply(&self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        lock(&self.core).look(|core| core.machine.drain_with_reply())
    }

    /// Puts back what could not be delivered.
    pub(crate) fn put_back(&self, messages: Vec<Arc<Frozen>>) {
        if messages.is_empty() {
            return;
        }
        let count = messages.len();
        let mut core = lock(&self.core);
        if core.machine.is_acknowledged() {
            core.machine.was_not_told();
            return;
        }
        let (dropped, tell) = core.machine.put_back(messages);
        drop(core);
        if let Some(server) = self.server.upgrade() {
            server.counters.messages_requeued.add(count - dropped.min(count));
            server.counters.messages_dropped.add(dropped);
        }
        tell.wake();
    }

    /// Holds deliveries back until the end of as many batches.
    pub(crate) fn open_batch(&self) {
        lock(&self.core).machine.start_batch();
    }

    pub(crate) fn end_batch(&self) {
        let (_, tell) = lock(&self.core).machine.end_batch();
        tell.wake();
    }

    pub(crate) fn enable_acknowledgements(&self, ahead: bool) {
        lock(&self.core).machine.enable_acknowledgements(ahead);
    }

    pub(crate) fn max_processing(&self) -> Duration {
        lock(&self.core).machine.max_processing()
    }

    /// Whether messages may go ahead of the replies after which they are acknowledged.
    pub(crate) fn sends_ahead(&self) -> bool {
        lock(&self.core).machine.sends_ahead()
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        lock(&self.core).machine.is_acknowledged()
    }
}
