//! A client that reads nothing for a while, since its listeners have too much to do: what is not read
//! cannot be late.
//!
//! Meanwhile no handshake or connect is overdue. Who waits for the reply to something else is told in
//! time that there is none, since it may be the listener that keeps the client from reading; but its
//! exchange goes on, and with it the connection. When reading goes on, each exchange has the time back.

use std::time::Instant;

use bayeux_api::client::{FailureKind, RequestError, TransportFailure};

use super::{LONGEST, Machine, Output, Phase, Timer, What, subscriptions::Subscriptions};

/// Whether what arrives is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    GoesOn,
    /// Not since the instant.
    Stopped(Instant),
}

impl<T> Machine<T> {
    /// Nothing is read from now on.
    pub(crate) fn stop_reading(&mut self, now: Instant) {
        if self.reading != Reading::GoesOn {
            return;
        }
        self.reading = Reading::Stopped(now);
        let held = self.exchanges.iter().filter(|(_, one)| !one.kind.is_request());
        for (id, one) in held {
            self.timers.remove(&(one.deadline, Timer::Exchange(*id)));
        }
    }

    /// What arrives is read again.
    pub(crate) fn go_on_reading(&mut self, now: Instant) {
        let Reading::Stopped(since) = std::mem::replace(&mut self.reading, Reading::GoesOn) else {
            return;
        };
        for (id, one) in &mut self.exchanges {
            self.timers.remove(&(one.deadline, Timer::Exchange(*id)));
            let unread = now.saturating_duration_since(since.max(one.sent));
            if !one.kind.is_request() {
                one.deadline += unread;
            }
            // After a long time what has come meanwhile has to be read first.
            let delay = self.config.network_delay(one.transport).min(LONGEST);
            one.deadline = one.deadline.max(now + unread.min(delay));
            self.timers.insert((one.deadline, Timer::Exchange(*id)));
        }
        if let Phase::Handshaken { until, .. } = &mut self.phase {
            *until += now.saturating_duration_since(since);
        }
    }

    /// Whether nothing is read, and the session is to go on.
    pub(super) fn is_unread(&self) -> bool {
        self.reading != Reading::GoesOn && self.is_open()
    }

    /// Answers who waits for the replies of an exchange, which may still come; and who has waited as
    /// long for a request behind it that could not be sent.
    pub(super) fn wait_no_longer(&mut self, exchange: u64, now: Instant) {
        let Some(late) = self.exchanges.get_mut(&exchange) else { return };
        late.deadline = now + self.config.network_delay(late.transport).min(LONGEST);
        self.timers.insert((late.deadline, Timer::Exchange(exchange)));
        let mut waiting = Vec::new();
        for id in &late.left {
            if let Some(pending) = self.pending.get_mut(id) {
                waiting.extend(pending.what.take_waiting(*id, &mut self.subscriptions));
            }
        }
        for request in self.queue.iter_mut().flatten().filter(|one| one.id <= self.told_until) {
            waiting.extend(request.what.take_waiting(request.id, &mut self.subscriptions));
        }
        self.told_until = self.last_id;
        let reason = "no answer was read in time";
        let failure = TransportFailure::new(late.transport, FailureKind::Timeout, reason);
        let error = RequestError::Failed(failure);
        let waiting = waiting.into_iter();
        self.outputs.extend(waiting.map(|one| Output::Resolve(one, Err(error.clone()))));
    }
}

impl<T> What<T> {
    /// Takes whoever waits for the reply to this request.
    fn take_waiting(&mut self, id: u64, subscriptions: &mut Subscriptions<T>) -> Vec<T> {
        match self {
            Self::Plain(waiter) => waiter.take().into_iter().collect(),
            Self::Subscribe(channel) => subscriptions.take_waiting(channel, id),
            // A call has a time of its own.
            Self::Handshake | Self::Connect | Self::Call | Self::Disconnect(_) => Vec::new(),
        }
    }
}
