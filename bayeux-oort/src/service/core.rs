//! A service without its place in the cloud.

use std::sync::{Arc, Mutex};

use bayeux_api::{Json, implement::lock};
use tokio::sync::oneshot;

use crate::{
    Comet, Oort,
    proto::{
        request::{Requests, Why},
        share::Shares,
    },
    service::{
        ServiceConfig, ServiceError, ServiceStatistics, channels::Channels, handler::Handler,
        statistics::Counters,
    },
};

/// What a service has, whoever asks: [`ask`](super::ask) is this node, [`handle`](super::handle) another.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) oort: Oort,
    pub(super) name: String,
    pub(super) channels: Channels,
    pub(super) config: ServiceConfig,
    pub(super) requests: Mutex<Requests<Waiter>>,
    pub(super) shares: Mutex<Shares>,
    /// None when the service is over: the closure may hold the service itself.
    pub(super) handler: Mutex<Option<Arc<Handler>>>,
    pub(super) counters: Counters,
}

/// What a request comes to.
pub(super) type Outcome = Result<Json, ServiceError>;

/// Who waits for that.
pub(super) type Waiter = oneshot::Sender<Outcome>;

impl Core {
    pub(super) fn new(
        oort: &Oort,
        name: &str,
        channels: Channels,
        config: ServiceConfig,
        handler: Handler,
    ) -> Self {
        Self {
            oort: oort.clone(),
            name: name.to_owned(),
            channels,
            requests: Mutex::new(Requests::new(oort.own().clone(), config.max_pending)),
            shares: Mutex::new(Shares::new(config.max_handled, config.max_handled_of_node)),
            config,
            handler: Mutex::new(Some(Arc::new(handler))),
            counters: Counters::default(),
        }
    }

    pub(super) fn joined(&self, comet: &Comet) {
        lock(&self.requests).joined(comet);
    }

    pub(super) fn left(&self, comet: &Comet) {
        let ended = lock(&self.requests).left(comet);
        self.end(ended);
    }

    pub(super) fn stop(&self) {
        let stopped = lock(&self.requests).stop();
        self.end(stopped);
        let handler = lock(&self.handler).take();
        drop(handler);
    }

    /// Tells those whose requests ended without an answer.
    pub(super) fn end(&self, ended: Vec<(Waiter, Why)>) {
        for (waiter, why) in ended {
            let error = match why {
                Why::Left(comet) => ServiceError::Left(comet.url().to_owned()),
                Why::Nobody => ServiceError::Nobody,
                Why::Stopped => ServiceError::Stopped,
            };
            tell(Some(waiter), Err(error));
        }
    }

    pub(super) fn statistics(&self) -> ServiceStatistics {
        ServiceStatistics {
            pending: lock(&self.requests).len(),
            being_handled: lock(&self.shares).total(),
            handled: self.counters.handled.get(),
            overloads: self.counters.overloads.get(),
            malformed: self.counters.malformed.get(),
            forged: self.counters.forged.get(),
            late: self.counters.late.get(),
        }
    }
}

/// Tells who waits. If that one is gone, nobody wants to know.
pub(super) fn tell(waiter: Option<Waiter>, outcome: Outcome) {
    if let Some(waiter) = waiter {
        let _ = waiter.send(outcome);
    }
}
