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
use tokio::task::JoinHandle;

use crate::{
    clock,
    fan_out::write::{self, PORTION, Writing},
    proto::session::Delivered,
    server::Server,
    session::{Hooks, Session, Tell},
};

/// The deliveries of one message.
pub(super) struct Round<'a> {
    server: &'a Server,
    lazy_timeout: Option<Duration>,
    writing: Writing,
    /// Since when others had to wait for this.
    since: Instant,
    now: Instant,
    steps: usize,
    queued: usize,
    dropped: usize,
    /// The sessions that are to be written to, and what writes to others.
    waiting: Vec<Arc<Session>>,
    tasks: Vec<JoinHandle<()>>,
}

/// A look at the clock after so many deliveries.
const STEPS: usize = 256;

impl<'a> Round<'a> {
    /// Begins a round, and lets others run before if the same work has gone on for long.
    pub(super) async fn begin(
        server: &'a Server,
        lazy_timeout: Option<Duration>,
        writing: Writing,
    ) -> Self {
        let now = clock::now();
        let since = match writing {
            Writing::Gathered => write::working_since(now).unwrap_or(now),
            Writing::AtOnce => now,
        };
        let (waiting, tasks) = (Vec::new(), Vec::new());
        let mut round = Self {
            server,
            lazy_timeout,
            writing,
            since,
            now,
            steps: 0,
            queued: 0,
            dropped: 0,
            waiting,
            tasks,
        };
        if since + PORTION <= now {
            round.let_others_run().await;
        }
        round
    }

    /// Counts one more delivery; true when it is time to let others run.
    pub(super) fn is_over(&mut self) -> bool {
        self.steps += 1;
        self.steps.is_multiple_of(STEPS) && self.since + PORTION <= clock::now()
    }

    /// Lets others run, and waits until what was gathered is written.
    pub(super) async fn let_others_run(&mut self) {
        let mut sessions = std::mem::take(&mut self.waiting);
        if self.writing == Writing::Gathered {
            sessions.append(&mut write::take_gathered());
        }
        self.tasks.extend(self.server.write_soon(sessions));
        tokio::task::yield_now().await;
        self.written().await;
        self.now = clock::now();
        self.since = self.now;
    }

    /// Ends the round: what it leaves to write is gathered, or written.
    pub(super) async fn finish(&mut self) {
        self.count();
        match self.writing {
            Writing::Gathered if write::gather(&mut self.waiting) => {}
            Writing::Gathered | Writing::AtOnce => {
                self.server.write_all(std::mem::take(&mut self.waiting)).await;
                self.written().await;
                // Who publishes in a loop lets others run, too.
                tokio::task::coop::consume_budget().await;
            }
        }
    }

    /// Waits until what others were to write is written.
    async fn written(&mut self) {
        for task in self.tasks.drain(..) {
            // One that was cancelled ends together with the runtime.
            let _ = task.await;
        }
    }

    fn count(&mut self) {
        let counters = &self.server.0.counters;
        counters.messages_queued.add(std::mem::take(&mut self.queued));
        counters.messages_dropped.add(std::mem::take(&mut self.dropped));
    }

    /// Has what is queued so far written, while this round waits for an application.
    fn write_waiting(&mut self) {
        if self.writing == Writing::AtOnce || !write::gather(&mut self.waiting) {
            let waiting = std::mem::take(&mut self.waiting);
            self.tasks.extend(self.server.write_soon(waiting));
        }
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

    fn missed(&mut self, session: &Session, count: usize) {
        if count > 0 {
            self.dropped += count;
            session.missed(count);
        }
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
            Tell::Wake(carrier) => carrier.wake(),
            Tell::Write => self.waiting.push(session.clone()),
            // Somebody else was told to write, who may take his time.
            Tell::Nobody if self.writing == Writing::AtOnce && !message.is_lazy() => {
                self.waiting.push(session.clone());
            }
            Tell::Nobody => {}
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

/// What was queued by a round that did not finish is written all the same.
impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.count();
        if !self.waiting.is_empty() {
            self.server.write_soon(std::mem::take(&mut self.waiting));
        }
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
