//! `/meta/handshake`: how a session starts, and starts again.

use std::time::{Duration, Instant};

use bayeux_api::{
    Message, Reconnect,
    client::{FailureKind, RequestError, TransportFailure},
    meta,
};

use super::{Kind, LONGEST, Machine, Output, Phase, Progress, Step, What, request::Request};

impl<T> Machine<T> {
    /// Starts a session, with the fields of `template` in each of its handshakes.
    pub(crate) fn handshake(&mut self, template: Message, waiter: T, now: Instant) {
        if !matches!(self.phase, Phase::Disconnected) {
            self.outputs.push(Output::Resolve(waiter, Err(RequestError::AlreadyHandshaken)));
            return;
        }
        self.template = template;
        self.handshaker = Some(waiter);
        self.negotiation.forgive_all();
        self.negotiation.choose(now);
        self.enter(Phase::Handshaking { again: false, step: Step::Waiting(now) });
        self.tick(now);
    }

    /// Starts a new session in place of the one that the server does not know any more.
    pub(super) fn handshake_after(&mut self, delay: Duration, now: Instant) {
        self.lose_session();
        let step = Step::Waiting(self.pace_of_sessions.not_before(now + delay.min(LONGEST)));
        self.enter(Phase::Handshaking { again: true, step });
        self.tick(now);
    }

    /// What belonged to the session is gone with it.
    fn lose_session(&mut self) {
        self.client_id = None;
        self.ack.lost();
        self.promoted = None;
        let connects = self.exchanges.iter().filter(|(_, one)| !one.kind.is_request());
        for exchange in connects.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.drop_exchange(exchange);
        }
        self.leave_behind();
    }

    pub(super) fn begin_handshake(&mut self, now: Instant) {
        let Phase::Handshaking { again, .. } = self.phase else { return };
        if self.asks_credentials {
            let until = now + self.config.network_delay(self.negotiation.current()).min(LONGEST);
            self.phase = Phase::Handshaking { again, step: Step::Asking(until) };
            self.outputs.push(Output::Credentials);
        } else {
            self.send_handshake(Message::default(), now);
        }
    }

    /// The application gave the fields for the handshake that is due, or said why it cannot.
    pub(crate) fn credentials(&mut self, fields: Result<Message, String>, now: Instant) {
        if !matches!(self.phase, Phase::Handshaking { step: Step::Asking(_), .. }) {
            return;
        }
        match fields {
            Ok(fields) => self.send_handshake(fields, now),
            Err(reason) => {
                let transport = self.negotiation.current();
                let failure = TransportFailure::new(transport, FailureKind::Aborted, reason);
                self.handshake_failed(failure, now);
            }
        }
    }

    fn send_handshake(&mut self, fields: Message, now: Instant) {
        let Phase::Handshaking { again, .. } = self.phase else { return };
        self.phase = Phase::Handshaking { again, step: Step::Sent };
        let mut message = self.template.clone();
        merge(&mut message, fields);
        message.channel = Some(meta::HANDSHAKE.to_owned());
        message.client_id = None;
        message.version = Some("1.0".to_owned());
        message.supported_connection_types = Some(self.negotiation.acceptable(now));
        self.ack.offer(&mut message);
        self.pace_of_sessions.sent(now);
        let request = Request::new(self.next_id(), message, What::Handshake);
        self.send(vec![request], Kind::Handshake, Duration::ZERO, now);
    }

    /// A handshake was answered.
    pub(super) fn handshake_replied(&mut self, mut reply: Message, now: Instant) {
        if !matches!(self.phase, Phase::Handshaking { step: Step::Sent, .. }) {
            return;
        }
        if !reply.is_successful() {
            return self.handshake_refused(reply, now);
        }
        let before = self.negotiation.current();
        let server = reply.supported_connection_types.clone().unwrap_or_default();
        match self.negotiation.agree(server, now) {
            Ok(transport) if transport != before => self.outputs.push(Output::Leave(before)),
            Ok(_) => {}
            Err(error) => {
                reply.fail(&error);
                reply.advice_mut().reconnect = Some(Reconnect::None);
                return self.handshake_refused(reply, now);
            }
        }
        let Some(id) = reply.client_id.clone().filter(|id| !id.is_empty()) else {
            let reason = "the reply to the handshake has no clientId";
            let failure = TransportFailure::new(before, FailureKind::Invalid, reason);
            return self.handshake_failed(failure, now);
        };
        self.client_id = Some(id);
        self.negotiation.works(self.negotiation.current());
        if let Some(advice) = reply.advice.clone() {
            self.advice = advice;
        }
        let batch = self.ack.agree(&reply);
        let left = reply.x_messages.unwrap_or_default();
        let until = now + self.config.network_delay(before).min(LONGEST);
        self.enter(Phase::Handshaken { left, batch, until });
        if let Some(waiter) = self.handshaker.take() {
            self.outputs.push(Output::Resolve(waiter, Ok(reply.clone())));
        }
        self.outputs.push(Output::Notify(reply));
        self.subscribe_again(now);
        self.flush(now);
        self.arrived_with_handshake(0, now);
    }

    /// So many of the messages arrived that the server sends with the handshake's reply.
    pub(super) fn arrived_with_handshake(&mut self, count: u64, now: Instant) {
        let Phase::Handshaken { left, batch, until } = self.phase else { return };
        let left = left.saturating_sub(count);
        if left > 0 {
            self.phase = Phase::Handshaken { left, batch, until };
            return;
        }
        let got = self.ack.got_batch(batch);
        self.outputs.extend(got.into_iter().map(Output::Notify));
        self.start_connecting(now);
    }

    pub(super) fn start_connecting(&mut self, now: Instant) {
        let step = self.connect_at(now + self.interval());
        self.enter(Phase::Live { progress: Progress::Connecting, step });
        self.tick(now);
    }

    fn handshake_refused(&mut self, reply: Message, now: Instant) {
        let advised = reply.advice.as_ref().and_then(|advice| advice.reconnect);
        let action = advised.or(self.advice.reconnect).unwrap_or(Reconnect::Handshake);
        let advice = reply.advice.clone();
        let refused = RequestError::Refused(Box::new(reply.clone()));
        if let Some(waiter) = self.handshaker.take() {
            self.outputs.push(Output::Resolve(waiter, Err(refused.clone())));
        }
        self.outputs.push(Output::Notify(reply));
        let delay = self.next_delay(Kind::Handshake, now);
        if let Some(advice) = advice {
            self.advice = advice;
        }
        match delay.filter(|_| action != Reconnect::None) {
            Some(delay) => self.handshake_after(self.interval() + delay, now),
            None => self.terminate(&refused, now),
        }
    }

    /// How long the server wants to be left alone between two connects.
    pub(super) fn interval(&self) -> Duration {
        self.advice.interval().unwrap_or_default().min(LONGEST)
    }
}

/// Adds the fields of `other`, which win.
fn merge(message: &mut Message, other: Message) {
    if let Some(serde_json::Value::Object(fields)) = other.ext.map(|ext| ext.value()) {
        message.ext_mut().extend(fields);
    }
    if other.data.is_some() {
        message.data = other.data;
    }
    for (name, json) in other.extra {
        message.set_extra(name, json);
    }
}
