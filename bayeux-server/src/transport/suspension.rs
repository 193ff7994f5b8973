//! A held `/meta/connect`, as the session's listeners and the counters see it.

use std::{sync::Arc, time::Duration};

use bayeux_api::{implement::Hook, server::ServerSession as _};

use crate::{server::Server, session::Session};

/// Says that a connect is held when it is made, and that it goes on when it is
/// [resumed](Self::resume) or, because its connection broke or another took its place, dropped.
#[derive(Debug)]
pub(crate) struct Suspension {
    server: Server,
    session: Arc<Session>,
    timed_out: bool,
}

impl Suspension {
    pub(crate) fn new(server: &Server, session: &Arc<Session>, timeout: Duration) -> Self {
        server.0.counters.held_connects.increment();
        let seen = session.as_dyn();
        let hook = Hook("ServerSessionListener::suspended", session.id());
        for listener in session.listeners().iter() {
            listener.tell(hook, |it| it.suspended(&seen, timeout));
        }
        Self { server: server.clone(), session: session.clone(), timed_out: false }
    }

    pub(crate) fn resume(mut self, timed_out: bool) {
        self.timed_out = timed_out;
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        self.server.0.counters.held_connects.decrement();
        let (seen, timed_out) = (self.session.as_dyn(), self.timed_out);
        let hook = Hook("ServerSessionListener::resumed", self.session.id());
        for listener in self.session.listeners().iter() {
            listener.tell(hook, |it| it.resumed(&seen, timed_out));
        }
    }
}
