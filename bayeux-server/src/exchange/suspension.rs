//! A held `/meta/connect`, as the session's listeners and the counters see it.

use std::{sync::Arc, time::Duration};

use crate::{
    server::Server,
    session::{Noted, Session},
};

/// Says that a connect is held when it is made, and that it goes on when it is
/// [resumed](Self::resume) or, because its connection broke or another took its place, dropped.
#[derive(Debug)]
pub(crate) struct Suspension {
    server: Server,
    session: Arc<Session>,
    /// None when nobody was there to hear of it.
    number: Option<u64>,
    timed_out: bool,
}

impl Suspension {
    pub(crate) fn new(server: &Server, session: &Arc<Session>, timeout: Duration) -> Self {
        server.0.counters.held_connects.increment();
        let is_heard = !session.listeners().is_empty();
        let noted = is_heard.then(|| session.note_suspended(timeout)).flatten();
        let number = noted.map(|(number, noted)| {
            tell(server, session, &noted);
            number
        });
        Self { server: server.clone(), session: session.clone(), number, timed_out: false }
    }

    pub(crate) fn resume(mut self, timed_out: bool) {
        self.timed_out = timed_out;
    }
}

impl Drop for Suspension {
    fn drop(&mut self) {
        self.server.0.counters.held_connects.decrement();
        if let Some(number) = self.number {
            let noted = self.session.note_resumed(number, self.timed_out);
            tell(&self.server, &self.session, &noted);
        }
    }
}

fn tell(server: &Server, session: &Arc<Session>, noted: &Noted) {
    if noted.is_teller {
        server.begin_telling(session);
    }
}
