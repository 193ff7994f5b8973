//! What a session has to deliver.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{
    Frozen,
    implement::lock,
    server::{Overflow, Removal},
};

use crate::{
    carrier::Written,
    proto::session::{Cycle, Delivered},
    session::{Core, Session, Tell, Turn, carriage::wake},
};

impl Session {
    /// Queues a message, and says who is to be told.
    pub(crate) fn enqueue(
        &self,
        message: Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        overflow: Option<Overflow>,
        now: Instant,
    ) -> (Delivered, Tell) {
        let mut core = lock(&self.core);
        let delivered = core.machine.deliver(message, lazy_timeout, overflow, now);
        let tell = match &delivered {
            Delivered::Queued { wake: true, .. } => core.tell(),
            Delivered::Queued { wake: false, .. } | Delivered::Dropped | Delivered::Gone => {
                Tell::Nobody
            }
            Delivered::Overflowed => {
                core.machine.remove(Removal::Overflowed);
                Tell::Nobody
            }
        };
        (delivered, tell)
    }

    /// Writes what is queued to the session's connection if that waits, and wakes it if it cannot be
    /// written whole; returns how many messages were. `messages` is empty, before and after.
    pub(crate) fn write(&self, messages: &mut Vec<Arc<Frozen>>, now: Instant) -> usize {
        let has_listeners = self.hooks().is_some_and(|hooks| !hooks.listeners.is_empty());
        let mut core = lock(&self.core);
        let Core { machine, carried: Some(carried), .. } = &mut *core else { return 0 };
        if carried.turn != Turn::Anybody {
            carried.turn = Turn::CarrierAgain;
            return 0;
        }
        let is_plain = !has_listeners && machine.removal().is_none();
        let direct = carried.carrier.direct().filter(|_| is_plain);
        let mut whole = 0;
        if let Some(direct) = direct.filter(|_| machine.push_into(messages, now)) {
            let count = messages.len();
            match direct.write(messages) {
                Written::All => {
                    carried.written = Some(now);
                    return count;
                }
                Written::Part(count) => whole = count,
                Written::Nothing => {
                    machine.put_back(std::mem::take(messages));
                }
            }
            // Nobody else may write before the connection has written the rest.
            carried.turn = Turn::CarrierAgain;
        }
        carried.carrier.wake();
        whole
    }

    pub(crate) fn is_full_for(&self, message: &Frozen) -> bool {
        lock(&self.core).machine.is_full_for(message)
    }

    /// Takes what a connection has to send now, and tells when it has to look again.
    pub(crate) fn push(&self, now: Instant) -> (Option<Vec<Arc<Frozen>>>, Option<Instant>) {
        let mut core = lock(&self.core);
        let due = core.machine.push(now);
        let again = core.machine.push_deadline();
        core.has_looked();
        (due, again)
    }

    pub(crate) fn drain_with_response(&self) -> Vec<Arc<Frozen>> {
        lock(&self.core).machine.drain_with_response()
    }

    pub(crate) fn drain_with_connect(&self, cycle: Cycle) -> (Option<u64>, Vec<Arc<Frozen>>) {
        lock(&self.core).machine.drain_with_connect(cycle)
    }

    pub(crate) fn drain_with_reply(&self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        lock(&self.core).machine.drain_with_reply()
    }

    /// Puts back what could not be delivered.
    pub(crate) fn put_back(&self, messages: Vec<Arc<Frozen>>) {
        if messages.is_empty() {
            return;
        }
        let count = messages.len();
        let mut core = lock(&self.core);
        if core.machine.is_acknowledged() {
            return;
        }
        let dropped = core.machine.put_back(messages);
        let carrier = core.carrier();
        drop(core);
        if let Some(server) = self.server.upgrade() {
            server.counters.messages_requeued.add(count - dropped.min(count));
            server.counters.messages_dropped.add(dropped);
        }
        wake(carrier);
    }

    /// Holds deliveries back until the end of as many batches.
    pub(crate) fn start_batch(&self) {
        lock(&self.core).machine.start_batch();
    }

    pub(crate) fn end_batch(&self) {
        let mut core = lock(&self.core);
        core.machine.end_batch();
        let carrier = core.carrier().filter(|_| core.machine.is_waiting());
        drop(core);
        wake(carrier);
    }

    pub(crate) fn enable_acknowledgements(&self) {
        lock(&self.core).machine.enable_acknowledgements();
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        lock(&self.core).machine.is_acknowledged()
    }
}
