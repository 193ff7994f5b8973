//! Stands for an answer on its way, and says what happens if it does not arrive.

use std::{sync::Arc, time::Duration};

use bayeux_api::Frozen;

use crate::{proto::session::Cycle, server::Server, session::Session};

/// Stands for an answer on its way. Dropped before it is [`delivered`](Self::delivered), it puts
/// the messages back into their session's queue; either way the session counts its silence from
/// then on.
#[derive(Debug)]
#[must_use]
pub(crate) struct Receipt {
    pub(super) server: Server,
    pub(super) session: Option<Arc<Session>>,
    /// The handshake or connect that is answered.
    pub(super) cycle: Option<Cycle>,
    pub(crate) messages: Vec<Arc<Frozen>>,
}

impl Receipt {
    pub(crate) fn new(server: Server, session: Option<Arc<Session>>) -> Self {
        Self { server, session, cycle: None, messages: Vec::new() }
    }

    /// Whether the session waits to hear that the answer has gone out.
    pub(crate) fn is_awaited(&self) -> bool {
        self.cycle.is_some()
    }

    /// Returns the session that is answered, and how long its reply may take to be written.
    pub(crate) fn answered(&self) -> Option<(&Arc<Session>, Duration)> {
        let session = self.session.as_ref()?;
        let config = self.server.0.config.transport(session.origin.transport?);
        Some((session, config.max_processing))
    }

    /// The messages were handed over to the connection.
    pub(crate) fn delivered(&mut self) {
        self.server.0.counters.messages_sent.add(self.messages.len());
        self.messages = Vec::new();
    }

    /// Leaves the cycle, and what else there is, to another receipt.
    pub(super) fn split(&mut self) -> Self {
        let rest = Self::new(self.server.clone(), self.session.clone());
        std::mem::replace(self, rest)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Some(session) = &self.session else { return };
        if let Some(cycle) = self.cycle {
            session.replied(cycle);
        }
        session.put_back(std::mem::take(&mut self.messages));
    }
}
