//! What carries a session: whose turn it is to deliver, and who is to be told.

use std::{sync::Arc, time::Instant};

use bayeux_api::implement::lock;

use crate::{
    carrier::Carrier,
    session::{Core, Session},
};

/// What delivers to a session now.
pub(super) struct Carried {
    pub(super) carrier: Arc<Carrier>,
    pub(super) turn: Turn,
    /// When somebody else last wrote to the carrier.
    pub(super) written: Option<Instant>,
}

/// Whose turn it is to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The carrier waits: it has to be woken, or written to.
    Anybody,
    /// The carrier is awake, and looks again before it waits.
    Carrier,
    /// So it is, and there is something new.
    CarrierAgain,
}

/// Who is left to be told of a message that was queued.
#[derive(Debug)]
pub(crate) enum Tell {
    Nobody,
    Wake(Arc<Carrier>),
    /// The session's messages can be [written](Session::write).
    Write,
}

impl Session {
    /// Makes `carrier` the one that delivers; the one before is woken a last time, to see it.
    pub(crate) fn attach(&self, carrier: &Arc<Carrier>, turn: Turn) {
        let carried = Carried { carrier: carrier.clone(), turn, written: None };
        let before = lock(&self.core).carried.replace(carried).map(|before| before.carrier);
        wake(before.filter(|before| !Arc::ptr_eq(before, carrier)));
    }

    pub(crate) fn detach(&self, carrier: &Arc<Carrier>) {
        let mut core = lock(&self.core);
        if core.is_carried_by(carrier) {
            core.carried = None;
        }
    }

    /// Takes the turn for `carrier`, which is awake; tells when somebody else last wrote to it.
    pub(crate) fn take_turn(&self, carrier: &Arc<Carrier>) -> Option<Instant> {
        let mut core = lock(&self.core);
        let carried = core.carried.as_mut().filter(|own| Arc::ptr_eq(&own.carrier, carrier))?;
        carried.turn = Turn::Carrier;
        carried.written
    }

    /// Gives back the turn of `carrier`, which is about to wait; false when it has to look again.
    pub(crate) fn give_turn(&self, carrier: &Arc<Carrier>) -> bool {
        let mut core = lock(&self.core);
        let carried = core.carried.as_mut().filter(|own| Arc::ptr_eq(&own.carrier, carrier));
        let Some(carried) = carried else { return true };
        let has_seen_all = carried.turn != Turn::CarrierAgain;
        carried.turn = if has_seen_all { Turn::Anybody } else { Turn::Carrier };
        has_seen_all
    }

    pub(crate) fn is_carried_by(&self, carrier: &Arc<Carrier>) -> bool {
        lock(&self.core).is_carried_by(carrier)
    }

    /// Wakes the carrier, to look again.
    pub(crate) fn wake(&self) {
        let carrier = lock(&self.core).carrier();
        wake(carrier);
    }
}

impl Core {
    pub(super) fn carrier(&self) -> Option<Arc<Carrier>> {
        self.carried.as_ref().map(|carried| carried.carrier.clone())
    }

    pub(super) fn is_carried_by(&self, carrier: &Arc<Carrier>) -> bool {
        self.carried.as_ref().is_some_and(|own| Arc::ptr_eq(&own.carrier, carrier))
    }

    /// Says who is to be told that there is something new.
    pub(super) fn tell(&mut self) -> Tell {
        match &mut self.carried {
            None => Tell::Nobody,
            Some(carried) if carried.turn != Turn::Anybody => {
                carried.turn = Turn::CarrierAgain;
                Tell::Nobody
            }
            Some(carried) if carried.carrier.direct().is_some() => Tell::Write,
            Some(carried) => Tell::Wake(carried.carrier.clone()),
        }
    }

    /// Notes that the carrier has looked at all there is.
    pub(super) fn has_looked(&mut self) {
        if let Some(carried) = self.carried.as_mut().filter(|own| own.turn == Turn::CarrierAgain) {
            carried.turn = Turn::Carrier;
        }
    }
}

pub(super) fn wake(carrier: Option<Arc<Carrier>>) {
    if let Some(carrier) = carrier {
        carrier.wake();
    }
}
