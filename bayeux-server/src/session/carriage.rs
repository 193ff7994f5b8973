//! What carries a session, as its connections and requests tell and ask.

use std::{sync::Arc, time::Instant};

use bayeux_api::implement::lock;

use crate::{
    carrier::Carrier,
    clock,
    proto::{
        carriage::{self, Means, Turn},
        session::{Accepted, Cycle, Held, Hold},
    },
    session::Session,
};

/// Who is left to be told of a message that was queued.
pub(crate) type Tell = carriage::Tell<Arc<Carrier>>;

impl Tell {
    /// Wakes who has to be.
    pub(crate) fn wake(self) {
        if let Self::Wake(carrier) = self {
            carrier.wake();
        }
    }
}

impl Session {
    /// Holds a connect unless it has to be answered at once; if it is the newest, `carrier` takes the
    /// session over.
    pub(crate) fn hold(&self, accepted: Accepted, carrier: &Arc<Carrier>, means: Means) -> Hold {
        let (hold, tell) = lock(&self.core).machine.hold(accepted, carrier, means, clock::now());
        tell.wake();
        hold
    }

    /// Answers a connect with a request that cannot hold it.
    pub(crate) fn release(&self, cycle: Cycle) {
        let tell = lock(&self.core).machine.release(cycle);
        tell.wake();
    }

    /// Asks what a held connect does now.
    pub(crate) fn held(&self, cycle: Cycle, means: Means, now: Instant) -> Held {
        lock(&self.core).machine.held(cycle, means, now)
    }

    /// Takes back that a connect is held.
    pub(crate) fn let_go(&self, cycle: Cycle, carrier: &Arc<Carrier>) {
        lock(&self.core).machine.let_go(cycle, carrier, clock::now());
    }

    /// Has a connection carry this session if nothing does; false when the session does not live.
    pub(crate) fn bind(&self, carrier: &Arc<Carrier>) -> bool {
        let machine = &mut lock(&self.core).machine;
        let lives = machine.is_handshook();
        if lives {
            machine.bind(carrier, carrier.means(), Turn::Again);
        }
        lives
    }

    /// Has `carrier`, which always waits, carry this session if nothing does.
    pub(crate) fn bind_waiting(&self, carrier: &Arc<Carrier>) {
        lock(&self.core).machine.bind(carrier, carrier.means(), Turn::Waits);
    }

    /// Notes that `carrier` is done.
    pub(crate) fn leave(&self, carrier: &Arc<Carrier>) {
        lock(&self.core).machine.leave(carrier);
    }

    pub(crate) fn is_carried_by(&self, carrier: &Arc<Carrier>) -> bool {
        lock(&self.core).machine.is_carried_by(carrier)
    }

    /// Notes that `carrier` is awake; tells when somebody else last wrote to it.
    pub(crate) fn wake_up(&self, carrier: &Arc<Carrier>) -> Option<Instant> {
        lock(&self.core).machine.wake_up(carrier)
    }

    /// Has `carrier` wait; false when it has to look again before.
    pub(crate) fn wait(&self, carrier: &Arc<Carrier>) -> bool {
        lock(&self.core).machine.wait(carrier)
    }

    /// Wakes everybody, to look again.
    pub(crate) fn wake(&self) {
        let everybody = lock(&self.core).machine.everybody();
        everybody.iter().for_each(|carrier| carrier.wake());
    }
}
