//! What application and client set, over the transport's rules; and the advice that tells it.

use std::time::Duration;

use bayeux_api::{Advice, ConnectionType, Reconnect};

use crate::proto::{
    carriage::Tell,
    session::{Delivery, Session, dismissal::Dismissal},
};

/// What application and client set, over the transport's rules, and the end of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Timing {
    pub(super) timeout: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) max_interval: Option<Duration>,
    /// For the current connect only.
    pub(super) advised_timeout: Option<Duration>,
    pub(super) advised_interval: Option<Duration>,
    pub(super) dismissal: Option<Dismissal>,
}

impl<C: Clone + PartialEq> Session<C> {
    /// Returns the advice for a reply over `transport`, if the client does not have it yet.
    pub(crate) fn take_advice(&mut self, transport: Option<ConnectionType>) -> Option<Advice> {
        if transport.is_some() && self.advised == transport {
            return None;
        }
        self.advised = transport;
        let mut advice = Advice::default();
        advice.reconnect = Some(Reconnect::Retry);
        advice.interval = Some(millis(self.current_interval()));
        advice.timeout = Some(millis(self.timeout()));
        advice.max_interval = self.rules.handshake_reconnect.then(|| millis(self.max_interval()));
        Some(advice)
    }

    /// Makes the next reply carry advice.
    pub(crate) fn advise_again(&mut self) {
        self.advised = None;
    }

    pub(crate) fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.change_timing(|timing| timing.timeout = timeout);
        self.advise_again();
    }

    pub(crate) fn set_interval(&mut self, interval: Option<Duration>) {
        self.change_timing(|timing| timing.interval = interval);
        self.advise_again();
    }

    pub(crate) fn set_max_interval(&mut self, max_interval: Option<Duration>) {
        self.change_timing(|timing| timing.max_interval = max_interval);
    }

    pub(crate) fn own_timeout(&self) -> Option<Duration> {
        self.timing(|timing| timing.timeout)
    }

    pub(crate) fn own_interval(&self) -> Option<Duration> {
        self.timing(|timing| timing.interval)
    }

    pub(crate) fn own_max_interval(&self) -> Option<Duration> {
        self.timing(|timing| timing.max_interval)
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Sets when messages go out, and says who is to be told.
    pub(crate) fn set_delivery(&mut self, delivery: Delivery) -> Tell<C> {
        self.delivery = delivery;
        self.carriage.call()
    }

    pub(crate) fn is_broadcast_to_publisher(&self) -> bool {
        self.broadcast_to_publisher
    }

    pub(crate) fn set_broadcast_to_publisher(&mut self, broadcast: bool) {
        self.broadcast_to_publisher = broadcast;
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timing(|timing| timing.timeout).unwrap_or(self.rules.timeout)
    }

    pub(super) fn max_interval(&self) -> Duration {
        self.timing(|timing| timing.max_interval).unwrap_or(self.rules.max_interval)
    }

    pub(super) fn current_interval(&self) -> Duration {
        let own = self.timing(|timing| timing.interval).unwrap_or(self.rules.interval);
        self.timing(|timing| timing.advised_interval).unwrap_or(own)
    }

    pub(super) fn timing(
        &self,
        field: impl FnOnce(&Timing) -> Option<Duration>,
    ) -> Option<Duration> {
        self.timing.as_deref().and_then(field)
    }

    pub(super) fn change_timing(&mut self, change: impl FnOnce(&mut Timing)) {
        let mut timing = self.timing.as_deref().copied().unwrap_or_default();
        change(&mut timing);
        match &mut self.timing {
            own if timing == Timing::default() => *own = None,
            Some(own) => **own = timing,
            own @ None => *own = Some(Box::new(timing)),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
