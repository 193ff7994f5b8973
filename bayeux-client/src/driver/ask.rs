//! What the driver asks of the listeners of transports: how long to wait, and what to do after a failure.

use bayeux_api::{
    client::{FailureKind, TransportFailure},
    implement::Hook,
};

use super::Driver;
use crate::FailureInfo;

impl Driver {
    pub(super) fn overdue(&mut self, exchange: u64) {
        let requests = self.shared.look(|machine| machine.unanswered(exchange));
        let (listeners, hook) =
            (self.shared.transport_listeners.members(), Hook("TransportListener::timeout", ""));
        let more =
            listeners.iter().find_map(|one| one.ask(hook, |it| it.timeout(&requests)).flatten());
        if more.is_none() {
            let transport = self.shared.look(|machine| machine.transport_of(exchange));
            let reason = "no answer came in time";
            let failure =
                transport.map(|it| TransportFailure::new(it, FailureKind::Timeout, reason));
            failure.iter().for_each(|failure| self.tell_failure(failure, exchange));
        }
        self.shared.drive(|machine, now| machine.overdue(exchange, more, now));
    }

    pub(super) fn tell_failure(&self, failure: &TransportFailure, exchange: u64) {
        let requests = self.shared.look(|machine| machine.unanswered(exchange));
        let hook = Hook("TransportListener::failure", failure.connection_type.as_str());
        for listener in self.shared.transport_listeners.members().iter() {
            listener.tell(hook, |it| it.failure(failure, &requests));
        }
    }

    pub(super) fn decide(&mut self, mut info: FailureInfo) {
        for listener in self.shared.transport_listeners.members().iter() {
            let hook = Hook("TransportListener::transport_failure", "");
            listener.tell(hook, |it| it.transport_failure(&mut info));
        }
        tracing::debug!(failure = %info.failure, action = %info.action, delay = ?info.delay, "failed");
        self.shared.drive(|machine, now| machine.decided(info, now));
    }
}
