//! `/meta/disconnect`, and every other way in which a session ends.

use std::time::{Duration, Instant};

use bayeux_api::{
    Message,
    client::{FailureKind, RequestError, TransportFailure},
    meta,
};

use super::{Failures, Kind, Machine, Output, Phase, What, request::Request};

impl<T> Machine<T> {
    /// Ends the session, after what was asked for before.
    pub(crate) fn disconnect(&mut self, waiter: T, now: Instant) {
        match self.phase {
            Phase::Live { .. } | Phase::Handshaken { .. } => {
                self.close_batch();
                self.enter(Phase::Disconnecting);
                let message = Message::new(meta::DISCONNECT);
                let request = Request::new(self.next_id(), message, What::Disconnect(waiter));
                self.enqueue_unbatched(request, now);
            }
            Phase::Handshaking { .. } => {
                self.terminate(&RequestError::NotHandshaken, now);
                self.outputs.push(Output::Resolve(waiter, Err(RequestError::NotHandshaken)));
            }
            Phase::Disconnected | Phase::Disconnecting | Phase::Terminating(_) => {
                self.outputs.push(Output::Resolve(waiter, Err(RequestError::NotHandshaken)));
            }
        }
    }

    /// Ends the session without a word to the server, for this reason.
    pub(crate) fn abort(&mut self, reason: &str, now: Instant) {
        if matches!(self.phase, Phase::Disconnected) {
            return;
        }
        let transport = self.negotiation.current();
        let failure = TransportFailure::new(transport, FailureKind::Aborted, reason);
        self.terminate(&RequestError::Failed(failure), now);
        if !matches!(self.phase, Phase::Disconnected) {
            self.finish();
        }
    }

    /// Ends a session whose disconnect has been answered.
    pub(super) fn after_disconnect(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Disconnecting) && !self.is_disconnect_due() {
            self.terminate(&RequestError::NotHandshaken, now);
        }
    }

    /// Whether the disconnect is still to be sent or answered.
    pub(super) fn is_disconnect_due(&self) -> bool {
        let queued = self.queue.iter().flatten().map(|request| &request.what);
        let sent = self.pending.values().map(|pending| &pending.what);
        queued.chain(sent).any(|what| matches!(what, What::Disconnect(_)))
    }

    /// Answers all who wait with `error`. A connect that is on its way may still be answered.
    pub(super) fn terminate(&mut self, error: &RequestError, now: Instant) {
        self.enter(Phase::Terminating(now + LAST_CONNECT));
        self.close_batch();
        let handshaker = self.handshaker.take();
        self.outputs.extend(handshaker.map(|one| Output::Resolve(one, Err(error.clone()))));
        for request in std::mem::take(&mut self.queue).into_iter().flatten() {
            self.waiting.0 -= 1;
            self.waiting.1 -= request.size;
            let id = request.id;
            let pending = super::Pending {
                exchange: 0,
                size: 0,
                channel: String::new(),
                subscription: None,
                what: request.what,
            };
            self.resolve_failed(id, pending, error);
        }
        let plain = self.exchanges.iter().filter(|(_, one)| one.kind != Kind::Connect);
        for exchange in plain.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(gone) = self.forget(exchange) else { continue };
            for id in gone.left {
                if let Some(pending) = self.settle(id) {
                    self.resolve_failed(id, pending, error);
                }
            }
            self.outputs.push(Output::Cancel(exchange));
        }
        self.fail_calls(error);
        for channel in self.subscriptions.channels() {
            let waiting = self.subscriptions.remove(&channel).unwrap_or_default().into_iter();
            self.outputs.extend(waiting.map(|one| Output::Resolve(one, Err(error.clone()))));
            self.outputs.push(Output::Unsubscribed(channel));
        }
        if self.exchanges.is_empty() {
            self.finish();
        }
    }

    /// Nothing is left to wait for.
    pub(super) fn finish(&mut self) {
        let left: Vec<_> = self.exchanges.keys().copied().collect();
        left.into_iter().for_each(|exchange| self.drop_exchange(exchange));
        self.timers.clear();
        self.ack.lost();
        self.client_id = None;
        self.advice = bayeux_api::Advice::default();
        self.failures = Failures::default();
        self.promoted = None;
        self.is_probing = false;
        self.reading = super::reading::Reading::GoesOn;
        self.outputs.push(Output::Close);
        self.enter(Phase::Disconnected);
    }
}

/// How long the reply to the last connect may take when the session is over.
const LAST_CONNECT: Duration = Duration::from_secs(1);
