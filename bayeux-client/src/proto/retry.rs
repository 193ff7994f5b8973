//! What comes after a handshake or connect that failed: when, over which transport and to which server the
//! next one goes, if any does.

use std::time::{Duration, Instant};

use bayeux_api::{
    ConnectionType, Reconnect,
    client::{FailureKind, RequestError, TransportFailure},
};
use url::Url;

use super::{
    Decision, LONGEST, Machine, Output, Phase, SHORTEST, Step, exchange::Kind, servers::Next,
};
use crate::{Backoff, FailureInfo};

impl<T> Machine<T> {
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

    pub(super) fn connect_failed(&mut self, failure: TransportFailure, now: Instant) {
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
