//! What fails below Bayeux: whom it concerns, and what comes next.

use std::time::{Duration, Instant};

use bayeux_api::{
    BayeuxError, ConnectionType, Message, Reconnect,
    client::{FailureKind, RequestError, TransportFailure},
};
use url::Url;

use super::{
    Decision, Kind, LONGEST, Machine, Output, Pending, Phase, SHORTEST, Step, Timer, What,
    reading::Reading, servers::Next,
};
use crate::{Backoff, FailureInfo};

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

    pub(super) fn handshake_failed(&mut self, failure: TransportFailure, now: Instant) {
        if !matches!(self.phase, Phase::Handshaking { .. }) {
            return;
        }
        let before = self.negotiation.current();
        self.judge(&failure, now);
        let chosen = self.choose(&failure, now);
        // What is wrong with one transport may be right for another.
        if chosen.is_some_and(|transport| transport != before) {
            return self.ask_listeners(
                failure,
                Reconnect::Handshake,
                Decision::SameAttempt,
                chosen,
            );
        }
        let delay = self.next_delay(Kind::Handshake, now);
        let is_elsewhere = self.servers.len() > 1 && self.servers.advance() == Next::Untried;
        let decision = match delay {
            Some(_) if is_elsewhere => Decision::SameAttempt,
            delay => Decision::Retry(delay.map_or(Duration::ZERO, |delay| self.interval() + delay)),
        };
        let is_hopeless = chosen.is_none() || delay.is_none() || self.is_fatal(&failure);
        let action = if is_hopeless { Reconnect::None } else { Reconnect::Handshake };
        self.ask_listeners(failure, action, decision, chosen);
    }

    fn connect_failed(&mut self, failure: TransportFailure, now: Instant) {
        if !matches!(self.phase, Phase::Live { .. }) {
            return;
        }
        self.ack.lost();
        let before = self.negotiation.current();
        self.judge(&failure, now);
        let chosen = self.choose(&failure, now);
        let delay = self.next_delay(Kind::Connect, now).map(|delay| self.interval() + delay);
        let is_elsewhere = self.servers.len() > 1
            && self.failures.count > 1
            && failure.kind == FailureKind::Unreachable;
        if is_elsewhere {
            self.servers.advance();
        }
        let action = match delay {
            None => Reconnect::None,
            Some(_) if chosen.is_none() => Reconnect::None,
            Some(delay) if chosen != Some(before) || is_elsewhere || self.is_gone(delay, now) => {
                Reconnect::Handshake
            }
            Some(_) if failure.is_fatal() => Reconnect::Handshake,
            Some(_) => Reconnect::Retry,
        };
        self.ask_listeners(failure, action, Decision::Retry(delay.unwrap_or_default()), chosen);
    }

    fn ask_listeners(
        &mut self,
        failure: TransportFailure,
        action: Reconnect,
        decision: Decision,
        transport: Option<ConnectionType>,
    ) {
        match &mut self.phase {
            Phase::Handshaking { step, .. } | Phase::Live { step, .. } => {
                *step = Step::Deciding(decision);
            }
            Phase::Disconnected
            | Phase::Handshaken { .. }
            | Phase::Disconnecting
            | Phase::Terminating(_) => return,
        }
        let delay = match decision {
            Decision::SameAttempt => Duration::ZERO,
            Decision::Retry(delay) => delay,
        };
        let delay = delay.max(failure.retry_after.unwrap_or_default().min(LONGEST));
        let url = self.servers.current().clone();
        let info = FailureInfo { failure, action, delay, transport, url };
        self.outputs.push(Output::Decide(Box::new(info)));
    }

    /// The listeners have seen a failure, and what comes next may be theirs.
    pub(crate) fn decided(&mut self, info: FailureInfo, now: Instant) {
        let (is_handshaking, decision) = match self.phase {
            Phase::Handshaking { step: Step::Deciding(decision), .. } => (true, decision),
            Phase::Live { step: Step::Deciding(decision), .. } => (false, decision),
            Phase::Disconnected
            | Phase::Handshaking { .. }
            | Phase::Handshaken { .. }
            | Phase::Live { .. }
            | Phase::Disconnecting
            | Phase::Terminating(_) => return,
        };
        let error = RequestError::Failed(info.failure);
        let moves = self.go_over(info.transport, info.url);
        // Another transport or address that is tried at once belongs to the same attempt, also when it is
        // a listener who wants it.
        let goes_on = is_handshaking
            && info.action != Reconnect::None
            && info.delay.is_zero()
            && (decision == Decision::SameAttempt || moves);
        let delay = match decision {
            Decision::SameAttempt => info.delay,
            Decision::Retry(_) => info.delay.max(self.shortest_delay()),
        };
        if let Some(waiter) = self.handshaker.take_if(|_| !goes_on) {
            self.outputs.push(Output::Resolve(waiter, Err(error.clone())));
        }
        match (info.action, is_handshaking) {
            (Reconnect::None, _) => self.terminate(&error, now),
            (Reconnect::Retry, false) => self.retry_connect(delay, now),
            (Reconnect::Retry, true) | (Reconnect::Handshake, _) => {
                self.handshake_after(delay, now);
            }
        }
    }

    /// Leaves the transport for the one that was chosen, and the address. Returns whether either is another.
    fn go_over(&mut self, transport: Option<ConnectionType>, url: Url) -> bool {
        let before = self.negotiation.current();
        self.outputs.push(Output::Leave(before));
        let other = transport.filter(|transport| *transport != before);
        if let Some(transport) = other {
            self.negotiation.set_current(transport);
        }
        let is_elsewhere = url != *self.servers.current();
        if is_elsewhere {
            self.servers.set_current(url);
        }
        other.is_some() || is_elsewhere
    }

    /// Counts a failure and returns how long to wait after it; none when it was the last.
    pub(super) fn next_delay(&mut self, kind: Kind, now: Instant) -> Option<Duration> {
        self.failures.count = self.failures.count.saturating_add(1);
        let count = self.failures.count;
        let since = *self.failures.since.get_or_insert(now);
        let random = self.random.draw();
        let delay = match self.config.backoff {
            // As CometD: the first handshake is repeated at once.
            Backoff::Linear { .. } if kind == Kind::Handshake => {
                self.config.backoff.delay(count - 1, random)
            }
            Backoff::Linear { .. } | Backoff::Exponential { .. } | Backoff::Constant(_) => {
                self.config.backoff.delay(count, random)
            }
        };
        let delay = delay.clamp(self.shortest_delay(), LONGEST);
        let too_often = self.config.max_attempts.is_some_and(|most| count >= most);
        let spent = now.saturating_duration_since(since) + delay;
        let too_long = self.config.max_reconnect_time.is_some_and(|most| spent > most);
        (!too_often && !too_long).then_some(delay)
    }

    /// The first failure in a row may be followed by another try at once, and no other.
    fn shortest_delay(&self) -> Duration {
        if self.failures.count > 1 { SHORTEST } else { Duration::ZERO }
    }

    /// Whether the server has forgotten the session by the time of the next connect: it said for how
    /// long it would not.
    fn is_gone(&self, delay: Duration, now: Instant) -> bool {
        let Some(kept) = self.advice.max_interval.and_then(|ms| u64::try_from(ms).ok()) else {
            return false;
        };
        let kept = Duration::from_millis(kept).min(LONGEST);
        let held = self.advice.timeout().unwrap_or_default().min(LONGEST);
        let away = self
            .failures
            .since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        !kept.is_zero() && away + delay > held + self.interval() + kept
    }

    /// Whether another handshake cannot help. Credentials that were refused may be better next time.
    fn is_fatal(&self, failure: &TransportFailure) -> bool {
        let may_change =
            self.asks_credentials && matches!(failure.http_code, Some(401 | 403 | 407));
        failure.is_fatal() && !may_change
    }

    /// Finds out whether the failure speaks against the transport.
    fn judge(&mut self, failure: &TransportFailure, now: Instant) {
        let transport = failure.connection_type;
        if transport != ConnectionType::WebSocket {
            return;
        }
        let sticks = self.config.sticky_reconnect && self.negotiation.has_worked(transport);
        let is_refused = match failure.kind {
            FailureKind::Status => true,
            FailureKind::Closed
            | FailureKind::Timeout
            | FailureKind::Invalid
            | FailureKind::TooLarge
            | FailureKind::Unanswered => !sticks,
            // These say nothing of the transport: the server is not there, or another one is.
            FailureKind::Unreachable | FailureKind::Untrusted | FailureKind::Aborted | _ => false,
        };
        if is_refused {
            self.negotiation.refuse(transport, now);
        }
    }

    /// Chooses the transport for the next attempt. The last one is not given up for what passes.
    fn choose(&mut self, failure: &TransportFailure, now: Instant) -> Option<ConnectionType> {
        let before = self.negotiation.current();
        let best = match self.negotiation.best(now) {
            None if !failure.is_fatal() => {
                self.negotiation.forgive(before);
                Some(before)
            }
            best => best,
        };
        // A transport that works is not left for a better one in the middle of an outage.
        let keeps = best.is_some() && self.negotiation.is_usable(before, now);
        if keeps { Some(before) } else { best }
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
