//! What the driver asks of the listeners of transports: how long to wait, and what to do after a failure.

use bayeux_api::{
    client::{FailureKind, TransportFailure},
    implement::{ask, tell},
};

use super::Driver;
use crate::FailureInfo;

impl Driver {
    pub(super) fn overdue(&mut self, exchange: u64) {
        let requests = self.shared.look(|machine| machine.unanswered(exchange));
        let listeners = self.shared.transport_listeners.snapshot();
        let more = listeners.iter().find_map(|one| ask(|| one.timeout(&requests)).flatten());
        if more.is_none() {
            let transport = self.shared.look(|machine| machine.transport_of(exchange));
            let reason = "no answer came in time";
            let failure =
                transport.map(|it| TransportFailure::new(it, FailureKind::Timeout, reason));
            failure.iter().for_each(|failure| self.tell_failure(failure, exchange));
        }
        self.shared.input(|machine, now| machine.overdue(exchange, more, now));
    }

    pub(super) fn tell_failure(&self, failure: &TransportFailure, exchange: u64) {
        let requests = self.shared.look(|machine| machine.unanswered(exchange));
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.failure(failure, &requests));
        }
    }

    pub(super) fn decide(&mut self, mut info: FailureInfo) {
        for listener in self.shared.transport_listeners.snapshot().iter() {
            tell(|| listener.transport_failure(&mut info));
        }
        tracing::debug!(failure = %info.failure, action = %info.action, delay = ?info.delay, "failed");
        self.shared.input(|machine, now| machine.decided(info, now));
    }
}
