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
    server::{Overflow, Removal, ServerSessionListener},
};
use futures_util::{FutureExt as _, future::join_all, poll};
use tokio::{runtime::Handle, task::JoinHandle, time::timeout_at};

use crate::{
    clock,
    fan_out::write::{self, PORTION, Writing},
    finish::finish,
    proto::session::Delivered,
    server::Server,
    session::{Hooks, Session, Tell},
};

/// The deliveries of one message.
pub(super) struct Round {
    server: Server,
    lazy_timeout: Option<Duration>,
    writing: Writing,
    /// When hooks that still wait are given up, if ever.
    until: Option<Instant>,
    /// Since when others had to wait for this.
    since: Instant,
    now: Instant,
    /// How many deliveries there were since the last look at the clock.
    steps: usize,
    queued: usize,
    dropped: usize,
    took: usize,
    /// The sessions whose queues were full, with what they are to get.
    late: Vec<(Arc<Session>, Arc<Frozen>)>,
    /// The sessions that are to be written to, and what writes to others.
    waiting: Vec<Arc<Session>>,
    tasks: Vec<JoinHandle<()>>,
}

/// A look at the clock after so many deliveries.
pub(super) const STEPS: usize = 256;

/// How long a round waits for those who are about to take what is in a full queue. They come as soon as
/// they run; one that is held up by what it does itself has to cope with it.
const PATIENCE: Duration = Duration::from_millis(250);

impl Round {
    /// Begins a round, and lets others run before if the same work has gone on for long.
    pub(super) async fn begin(
        server: &Server,
        lazy_timeout: Option<Duration>,
        writing: Writing,
        until: Option<Instant>,
    ) -> Self {
        let now = clock::now();
        let since = match writing {
            Writing::Gathered => write::working_since(now).unwrap_or(now),
            Writing::AtOnce => now,
        };
        let mut round = Self::new(server.clone(), lazy_timeout, writing, now);
        (round.since, round.until) = (since, until);
        if since + PORTION <= now {
            round.let_others_run().await;
        }
        round
    }

    fn new(server: Server, lazy_timeout: Option<Duration>, writing: Writing, now: Instant) -> Self {
        Self {
            server,
            lazy_timeout,
            writing,
            until: None,
            since: now,
            now,
            steps: 0,
            queued: 0,
            dropped: 0,
            took: 0,
            late: Vec::new(),
            waiting: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// Comes to so many deliveries more; true when it is time to let others run before.
    pub(super) fn is_over(&mut self, more: usize) -> bool {
        let looks = self.steps >= STEPS;
        self.steps = if looks { more } else { self.steps + more };
        looks && self.since + PORTION <= clock::now()
    }

    /// Lets others run, and waits until what was gathered is written.
    pub(super) async fn let_others_run(&mut self) {
        let mut sessions = std::mem::take(&mut self.waiting);
        if self.writing == Writing::Gathered {
            sessions.append(&mut write::take_gathered());
        }
        self.tasks.extend(self.server.flush_soon(sessions));
        tokio::task::yield_now().await;
        self.written().await;
        self.now = clock::now();
        self.since = self.now;
    }

    /// Ends the round: those whose queues were full get it, and what is left to write is gathered, or
    /// written. Returns how many sessions took the message.
    pub(super) async fn finish(&mut self) -> usize {
        if !self.late.is_empty() {
            self.took += self.deliver_late().await.unwrap_or_default();
        }
        self.settle().await;
        self.took
    }

    /// Counts what was queued, and gathers or writes it.
    async fn settle(&mut self) {
        self.count();
        match self.writing {
            Writing::Gathered if write::gather(&mut self.waiting) => {}
            Writing::Gathered | Writing::AtOnce => {
                self.server.flush_all(std::mem::take(&mut self.waiting)).await;
                self.written().await;
                // Who publishes in a loop lets others run, too.
                tokio::task::coop::consume_budget().await;
            }
        }
    }

    /// Delivers to those whose queues were full, in a round of their own, which is done to its end though
    /// whoever publishes goes meanwhile. Returns how many took it.
    fn deliver_late(&mut self) -> impl Future<Output = Option<usize>> + Send + use<> {
        self.flush_waiting();
        let (server, now) = (self.server.clone(), self.now);
        let mut round = Self::new(server, self.lazy_timeout, Writing::AtOnce, now);
        let late = std::mem::take(&mut self.late);
        finish(async move {
            round.offer_again(&late).await;
            round.settle().await;
            round.took
        })
    }

    /// Delivers what found no place before. Who was told of what is in the queue, and is about to take it,
    /// gets the time for that; only then does the queue overflow.
    async fn offer_again(&mut self, late: &[(Arc<Session>, Arc<Frozen>)]) {
        if Handle::try_current().is_ok() {
            let until = clock::now() + PATIENCE;
            let wait = late.iter().map(|(session, message)| session.wait_for_room(message, until));
            join_all(wait).await;
        }
        self.now = clock::now();
        for (session, message) in late {
            let offered = session.offer(message, self.lazy_timeout, self.now);
            let outcome = offered.unwrap_or_else(|| {
                let overflow = ask_overflow(session, message);
                session.enqueue(message, self.lazy_timeout, overflow, self.now)
            });
            self.note(session, message, outcome);
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
    fn flush_waiting(&mut self) {
        if self.writing == Writing::AtOnce || !write::gather(&mut self.waiting) {
            let waiting = std::mem::take(&mut self.waiting);
            self.tasks.extend(self.server.flush_soon(waiting));
        }
    }

    /// Queues the message for a session, past what the application added to that; false when that one
    /// does not get it.
    pub(super) async fn deliver(
        &mut self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        let Some(hooks) = session.hooks() else { return self.offer(session, message) };
        let mut shown = pin!(show(sender, session, hooks, message.clone()));
        let shown = match poll!(shown.as_mut()) {
            Poll::Ready(shown) => shown,
            Poll::Pending => {
                // The others do not wait for this one's application.
                self.flush_waiting();
                match self.until.filter(|_| Handle::try_current().is_ok()) {
                    None => shown.await,
                    Some(until) => timeout_at(until.into(), shown).await.unwrap_or_else(|_| {
                        tracing::warn!(session = session.id(), "hook takes too long, given up");
                        self.missed(session, 1);
                        None
                    }),
                }
            }
        };
        shown.is_some_and(|message| self.offer(session, &message))
    }

    fn offer(&mut self, session: &Arc<Session>, message: &Arc<Frozen>) -> bool {
        match session.offer(message, self.lazy_timeout, self.now) {
            Some(outcome) => self.note(session, message, outcome),
            None => {
                self.late.push((session.clone(), message.clone()));
                true
            }
        }
    }

    /// Notes what became of the message, and tells whom it concerns; true when it was queued.
    fn note(
        &mut self,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        (delivered, tell): (Delivered, Tell),
    ) -> bool {
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
                self.took += 1;
                self.missed(session, dropped);
                tell_queued(session, message);
                return true;
            }
            Delivered::Dropped => self.missed(session, 1),
            Delivered::Gone => {}
            Delivered::Overflowed => self.end(session),
        }
        false
    }

    /// Ends a session whose queue overflowed. Nobody waits until its listeners are told.
    fn end(&self, session: &Arc<Session>) {
        tracing::warn!(session = session.id(), "queue full, session ended");
        let (server, session) = (self.server.clone(), session.clone());
        let end = async move { server.end_session(&session, Removal::Overflowed, None).await };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(end)),
            // It is over at once, and what its listeners do at once is done.
            Err(_) => drop(end.now_or_never()),
        }
    }

    fn missed(&mut self, session: &Session, count: usize) {
        if count > 0 {
            self.dropped += count;
            session.missed(count);
        }
    }
}

/// What was queued by a round that did not finish is written all the same.
impl Drop for Round {
    fn drop(&mut self) {
        self.count();
        if !self.waiting.is_empty() {
            self.server.flush_soon(std::mem::take(&mut self.waiting));
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

/// Asks the session's listeners what happens to a message for which its queue has no place.
fn ask_overflow(session: &Arc<Session>, message: &Frozen) -> Option<Overflow> {
    let listeners = session.listeners();
    let (seen, depth) = (session.as_dyn(), session.queue_depth());
    let hook = Hook("ServerSessionListener::queue_maxed", session.id());
    let ask = |it: &dyn ServerSessionListener| it.queue_maxed(&seen, depth, message);
    listeners.iter().find_map(|listener| listener.ask(hook, ask).flatten())
}

fn tell_queued(session: &Arc<Session>, message: &Frozen) {
    let Some(hooks) = session.hooks() else { return };
    let listeners = hooks.listeners.members();
    if listeners.is_empty() {
        return;
    }
    let (seen, hook) = (session.as_dyn(), Hook("ServerSessionListener::queued", session.id()));
    let queued = |it: &dyn ServerSessionListener| it.queued(&seen, message);
    listeners.iter().for_each(|listener| listener.tell(hook, queued));
}
