//! What fails below Bayeux, and whom it concerns.

use std::time::{Duration, Instant};

use bayeux_api::{
    BayeuxError, ConnectionType, Message,
    client::{FailureKind, RequestError, TransportFailure},
};

use super::{
    LONGEST, Machine, Output, Phase,
    exchange::{Kind, Pending, Timer, What},
    reading::Reading,
};

impl<T> Machine<T> {
    /// The answer to an exchange is read. What is in it came before, by [`received`](Self::received);
    /// what is not will not come.
    pub(crate) fn exchange_ended(
        &mut self,
        exchange: u64,
        result: Result<(), TransportFailure>,
        now: Instant,
    ) {
        let Some(transport) = self.exchanges.get(&exchange).map(|one| one.transport) else {
            self.flush(now);
            return;
        };
        let failure = result.err().unwrap_or_else(|| {
            let reason = "the answer has no reply to this message";
            TransportFailure::new(transport, FailureKind::Unanswered, reason)
        });
        let is_smaller = self.learn_portion(&failure, &[exchange]);
        self.fail_exchange(exchange, &failure, now);
        if is_smaller && self.is_open() {
            self.subscribe_to_lost(now);
        }
        self.flush(now);
    }

    /// A connection is gone, and with it every answer that was to come over it.
    pub(crate) fn connection_failed(
        &mut self,
        transport: ConnectionType,
        failure: &TransportFailure,
        now: Instant,
    ) {
        self.ack.lost();
        let gone = self.exchanges.iter().filter(|(_, one)| one.transport == transport);
        let gone: Vec<_> = gone.map(|(id, _)| *id).collect();
        self.learn_portion(failure, &gone);
        for exchange in gone {
            self.fail_exchange(exchange, failure, now);
        }
        if matches!(self.phase, Phase::Terminating(_)) {
            self.finish();
        }
    }

    /// The listeners were asked about a late answer: they wait for `more`, or no longer.
    pub(crate) fn overdue(&mut self, exchange: u64, more: Option<Duration>, now: Instant) {
        let Some(late) = self.exchanges.get_mut(&exchange) else { return };
        // Reading has stopped since.
        if self.reading != Reading::GoesOn && !late.kind.is_request() {
            return;
        }
        if let Some(more) = more.filter(|more| !more.is_zero()) {
            late.deadline = now + more.min(LONGEST);
            self.timers.insert((late.deadline, Timer::Exchange(exchange)));
            return;
        }
        let delay = self.config.network_delay(late.transport);
        let reason = format!("no answer came within {} ms", delay.as_millis());
        let failure = TransportFailure::new(late.transport, FailureKind::Timeout, reason);
        // Other answers have come over a connection that still owes one to a session that is over.
        if late.transport == ConnectionType::WebSocket && late.kind != Kind::Former {
            // What is still to come over it would come out of turn.
            self.outputs.push(Output::Leave(ConnectionType::WebSocket));
            self.connection_failed(ConnectionType::WebSocket, &failure, now);
        } else {
            self.outputs.push(Output::Cancel(exchange));
            self.fail_exchange(exchange, &failure, now);
        }
        self.flush(now);
    }

    /// Returns the requests of an exchange that are without a reply, as far as they are known.
    pub(crate) fn unanswered(&self, exchange: u64) -> Vec<Message> {
        let left = self.exchanges.get(&exchange).map(|one| &one.left).into_iter().flatten();
        let pending = left.filter_map(|id| Some((*id, self.pending.get(id)?)));
        pending
            .map(|(id, pending)| {
                let mut message = Message::new(pending.channel.clone());
                message.id = Some(id.to_string());
                message.subscription = pending.subscription.clone();
                message
            })
            .collect()
    }

    /// Returns all requests over a transport that are without a reply.
    pub(crate) fn all_unanswered(&self, transport: ConnectionType) -> Vec<Message> {
        let over = self.exchanges.iter().filter(|(_, one)| one.transport == transport);
        over.flat_map(|(exchange, _)| self.unanswered(*exchange)).collect()
    }

    /// A request is larger than may be sent.
    pub(crate) fn too_large(&mut self, id: &str, most: usize, now: Instant) {
        let transport = self.negotiation.current();
        let reason = format!("the message is larger than {most} bytes and was not sent");
        let failure = TransportFailure::new(transport, FailureKind::TooLarge, reason);
        id.parse().into_iter().for_each(|id| self.cannot_be_made(id));
        self.fail_unsent(id, &failure, &RequestError::Failed(failure.clone()), None, now);
    }

    /// An extension of this end deleted a request, or the reply to it.
    pub(crate) fn deleted(&mut self, id: &str, now: Instant) {
        let transport = self.negotiation.current();
        let reason = "an extension deleted the message";
        let failure = TransportFailure::new(transport, FailureKind::Aborted, reason);
        let error = Some(BayeuxError::MessageDeleted);
        self.fail_unsent(id, &failure, &RequestError::Deleted, error, now);
    }

    fn fail_unsent(
        &mut self,
        id: &str,
        failure: &TransportFailure,
        error: &RequestError,
        text: Option<BayeuxError>,
        now: Instant,
    ) {
        let Ok(id) = id.parse() else { return };
        let Some(pending) = self.settle(id) else { return };
        let mut reply = in_place_of_reply(id, &pending, failure);
        let told = match text {
            // The extensions have seen it, and one of them has had its say.
            Some(text) => {
                reply.fail(&text);
                Output::Notify(reply)
            }
            None => Output::Failed(reply),
        };
        let is_handshake = matches!(pending.what, What::Handshake);
        let is_connect = matches!(pending.what, What::Connect);
        self.resolve_failed(id, pending, error);
        self.outputs.push(told);
        if is_handshake {
            self.handshake_failed(failure.clone(), now);
        } else if is_connect {
            self.connect_failed(failure.clone(), now);
        }
        self.after_disconnect(now);
        self.flush(now);
    }

    fn fail_exchange(&mut self, exchange: u64, failure: &TransportFailure, now: Instant) {
        let Some(gone) = self.forget(exchange) else { return };
        for id in gone.left {
            let Some(pending) = self.settle(id) else { continue };
            let reply = in_place_of_reply(id, &pending, failure);
            self.resolve_failed(id, pending, &RequestError::Failed(failure.clone()));
            self.outputs.push(Output::Failed(reply));
        }
        match gone.kind {
            Kind::Handshake => self.handshake_failed(failure.clone(), now),
            Kind::Connect => self.connect_failed(failure.clone(), now),
            Kind::Plain | Kind::Former => {}
        }
        if matches!(self.phase, Phase::Disconnecting) && !self.is_disconnect_due() {
            self.terminate(&RequestError::Failed(failure.clone()), now);
        }
    }

    /// Answers whoever waits for a request with an error.
    pub(super) fn resolve_failed(&mut self, id: u64, pending: Pending<T>, error: &RequestError) {
        match pending.what {
            What::Handshake | What::Connect => {}
            What::Subscribe(channel) => self.subscribe_failed(&channel, id, error),
            What::Plain(waiter) => {
                let waiter = waiter.into_iter();
                self.outputs.extend(waiter.map(|one| Output::Resolve(one, Err(error.clone()))));
            }
            What::Disconnect(waiter) => {
                self.outputs.push(Output::Resolve(waiter, Err(error.clone())));
            }
            What::Call => self.fail_call(id, error),
        }
    }

    /// Forgets an exchange that nobody waits for.
    pub(super) fn drop_exchange(&mut self, exchange: u64) {
        if let Some(gone) = self.forget(exchange) {
            for id in gone.left {
                self.settle(id);
            }
            self.outputs.push(Output::Cancel(exchange));
        }
    }
}

/// What a failed request looks like to the listeners of its channel.
fn in_place_of_reply<T>(id: u64, pending: &Pending<T>, failure: &TransportFailure) -> Message {
    let mut reply = Message::new(pending.channel.clone());
    reply.id = Some(id.to_string());
    reply.subscription.clone_from(&pending.subscription);
    reply.successful = Some(false);
    let mut fields = serde_json::Map::new();
    fields.insert("connectionType".to_owned(), failure.connection_type.as_str().into());
    fields.insert("reason".to_owned(), failure.reason.as_str().into());
    let codes = [("httpCode", failure.http_code), ("websocketCode", failure.websocket_code)];
    for (name, code) in codes {
        if let Some(code) = code {
            fields.insert(name.to_owned(), code.into());
        }
    }
    reply.set_extra("failure", serde_json::Value::Object(fields));
    reply
}
