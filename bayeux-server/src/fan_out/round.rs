//! The deliveries of one message: past what the application added to each session, into its queue.

use std::{
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bayeux_api::{
    Flow, Frozen,
    implement::Hook,
    server::{Overflow, Removal, ServerSession, ServerSessionListener},
};
use futures_util::poll;

use crate::{
    clock,
    proto::session::Delivered,
    server::Server,
    session::{Hooks, Session, Tell},
};

/// The deliveries of one message. When it ends, the sessions that wait for their messages get them, by
/// [`Server::write_to`].
pub(super) struct Round<'a> {
    server: &'a Server,
    lazy_timeout: Option<Duration>,
    now: Instant,
    queued: usize,
    dropped: usize,
    waiting: Vec<Arc<Session>>,
}

impl<'a> Round<'a> {
    pub(super) fn new(server: &'a Server, lazy_timeout: Option<Duration>) -> Self {
        let (now, waiting) = (clock::now(), Vec::new());
        Self { server, lazy_timeout, now, queued: 0, dropped: 0, waiting }
    }

    /// Queues the message for a session, past what the application added to that; true when it was
    /// taken.
    pub(super) async fn deliver(
        &mut self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        let Some(hooks) = session.hooks() else {
            return self.enqueue(session, message, None);
        };
        let mut shown = pin!(show(sender, session, hooks, message.clone()));
        let shown = match poll!(shown.as_mut()) {
            Poll::Ready(shown) => shown,
            Poll::Pending => {
                // The others do not wait for this one's application.
                self.write_waiting();
                shown.await
            }
        };
        let Some(message) = shown else { return false };
        let listeners = hooks.listeners.members();
        let overflow = (!listeners.is_empty() && session.is_full_for(&message)).then(|| {
            let (seen, depth) = (session.as_dyn(), session.queue_depth());
            let hook = Hook("ServerSessionListener::queue_maxed", session.id());
            let ask = |it: &dyn ServerSessionListener| it.queue_maxed(&seen, depth, &message);
            listeners.iter().find_map(|listener| listener.ask(hook, ask).flatten())
        });
        let is_queued = self.enqueue(session, &message, overflow.flatten());
        if is_queued && !listeners.is_empty() {
            let (seen, hook) =
                (session.as_dyn(), Hook("ServerSessionListener::queued", session.id()));
            let queued = |it: &dyn ServerSessionListener| it.queued(&seen, &message);
            listeners.iter().for_each(|listener| listener.tell(hook, queued));
        }
        is_queued
    }

    fn enqueue(
        &mut self,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        overflow: Option<Overflow>,
    ) -> bool {
        let (delivered, tell) =
            session.enqueue(message.clone(), self.lazy_timeout, overflow, self.now);
        match tell {
            Tell::Nobody => {}
            Tell::Wake(carrier) => carrier.wake(),
            Tell::Write => self.waiting.push(session.clone()),
        }
        match delivered {
            Delivered::Queued { dropped } => {
                self.queued += 1;
                self.missed(session, dropped);
                return true;
            }
            Delivered::Dropped => self.missed(session, 1),
            Delivered::Gone => {}
            Delivered::Overflowed => {
                tracing::warn!(session = session.id(), "queue full, session ended");
                let (server, session) = (self.server.clone(), session.clone());
                tokio::spawn(async move {
                    server.end_session(&session, Removal::Overflowed, None).await
                });
            }
        }
        false
    }
}

impl Round<'_> {
    fn missed(&mut self, session: &Session, count: usize) {
        if count > 0 {
            self.dropped += count;
            session.missed(count);
        }
    }

    /// Has what is queued written to the sessions that wait.
    pub(super) fn write_waiting(&mut self) {
        self.server.write_to(std::mem::take(&mut self.waiting));
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.server.0.counters.messages_queued.add(self.queued);
        self.server.0.counters.messages_dropped.add(self.dropped);
        self.write_waiting();
    }
}

/// Shows a message to the session's extensions and listeners; none when one of them drops it, or
/// panics.
async fn show(
    sender: Option<&Arc<Session>>,
    session: &Arc<Session>,
    hooks: &Hooks,
    mut message: Arc<Frozen>,
) -> Option<Arc<Frozen>> {
    let (sender, seen) = (sender.map(Session::as_dyn), session.as_dyn());
    for extension in hooks.extensions.members().iter().rev() {
        let hook = Hook("SessionExtension::outgoing", session.id());
        let shown = extension.wait(hook, |it| it.outgoing(sender.as_ref(), &seen, message)).await;
        message = shown.flatten()?;
    }
    for listener in hooks.listeners.members().iter() {
        let hook = Hook("ServerSessionListener::on_message", session.id());
        let shown = listener.wait(hook, |it| it.on_message(&seen, sender.as_ref(), &message));
        if shown.await != Some(Flow::Continue) {
            return None;
        }
    }
    Some(message)
}
