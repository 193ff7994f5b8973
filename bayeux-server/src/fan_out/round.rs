//! The deliveries of one message: past what the application added to each session, into its queue.

use std::{
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bayeux_api::{
    Frozen,
    server::{Removal, ServerSession},
};
use futures_util::{FutureExt as _, future::join_all, poll};
use tokio::{runtime::Handle, task::JoinHandle, time::timeout_at};

use crate::{
    clock,
    fan_out::{
        seen::{Seen, Shown},
        write::{self, PORTION, Writing},
    },
    finish::finish,
    proto::session::{Delivered, Offered},
    server::Server,
    session::{Hooks, Session, Tell},
};

/// The deliveries of one message.
pub(super) struct Round<'a> {
    server: &'a Server,
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

impl<'a> Round<'a> {
    /// Begins a round, and lets others run before if the same work has gone on for long.
    pub(super) async fn begin(
        server: &'a Server,
        lazy_timeout: Option<Duration>,
        writing: Writing,
        until: Option<Instant>,
    ) -> Self {
        let now = clock::now();
        let since = match writing {
            Writing::Gathered => write::working_since(now).unwrap_or(now),
            Writing::AtOnce => now,
        };
        let mut round = Self::new(server, lazy_timeout, writing, now);
        (round.since, round.until) = (since, until);
        if since + PORTION <= now {
            round.let_others_run().await;
        }
        round
    }

    fn new(
        server: &'a Server,
        lazy_timeout: Option<Duration>,
        writing: Writing,
        now: Instant,
    ) -> Self {
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
            sessions.append(&mut write::take_gathered(self.server));
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
        let mut late = 0;
        if !self.late.is_empty() {
            late = self.deliver_late().await.unwrap_or_default();
        }
        late + self.settle().await
    }

    /// Counts what was queued, and gathers or writes it. Returns how much that was.
    async fn settle(&mut self) -> usize {
        let queued = self.count();
        match self.writing {
            Writing::Gathered if write::gather(self.server, &mut self.waiting) => {}
            Writing::Gathered | Writing::AtOnce => {
                let waiting = std::mem::take(&mut self.waiting);
                self.server.flush_all(waiting, self.now).await;
                if !self.tasks.is_empty() {
                    self.written().await;
                }
                // Who publishes in a loop lets others run, too.
                tokio::task::coop::consume_budget().await;
            }
        }
        queued
    }

    /// Delivers to those whose queues were full, in a round of their own, which is done to its end though
    /// whoever publishes goes meanwhile. Returns how many took it.
    fn deliver_late(&mut self) -> impl Future<Output = Option<usize>> + Send + use<> {
        self.flush_waiting();
        let (server, lazy_timeout, now) = (self.server.clone(), self.lazy_timeout, self.now);
        let late = std::mem::take(&mut self.late);
        finish(async move {
            let mut round = Round::new(&server, lazy_timeout, Writing::AtOnce, now);
            round.offer_again(&late).await;
            round.settle().await
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
            let seen = session.hooks().map(|hooks| Seen::new(session, hooks));
            match session.offer(message, self.lazy_timeout, self.now) {
                Offered::Queued(tell) => self.note(seen.as_ref(), session, message, tell),
                Offered::Gone => {}
                Offered::Full | Offered::Write => self.overflow(seen.as_ref(), session, message),
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

    /// Counts what was queued and dropped so far. Returns how much was queued.
    fn count(&mut self) -> usize {
        let (counters, queued) = (&self.server.0.counters, std::mem::take(&mut self.queued));
        counters.messages_queued.add(queued);
        counters.messages_dropped.add(std::mem::take(&mut self.dropped));
        queued
    }

    /// Has what is queued so far written, while this round waits for an application.
    fn flush_waiting(&mut self) {
        if self.writing == Writing::AtOnce || !write::gather(self.server, &mut self.waiting) {
            let waiting = std::mem::take(&mut self.waiting);
            self.tasks.extend(self.server.flush_soon(waiting));
        }
    }

    /// Queues the message for a session, past what the application added to that; false when that one
    /// does not get it.
    pub(super) async fn deliver(
        &mut self,
        sender: Option<&Arc<dyn ServerSession>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        match session.hooks() {
            None => self.offer(session, message),
            Some(hooks) => self.deliver_past(hooks, sender, session, message).await,
        }
    }

    /// Queues the message for a session if its hooks let that pass; false when it does not get it.
    pub(super) async fn deliver_past(
        &mut self,
        hooks: &Hooks,
        sender: Option<&Arc<dyn ServerSession>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        let seen = Seen::new(session, hooks);
        let mut shown = pin!(seen.show(sender, message));
        let shown = match poll!(shown.as_mut()) {
            Poll::Ready(shown) => shown,
            Poll::Pending => {
                // The others do not wait for this one's application.
                self.flush_waiting();
                let shown = match self.until.filter(|_| Handle::try_current().is_ok()) {
                    None => shown.await,
                    Some(until) => timeout_at(until.into(), shown).await.unwrap_or_else(|_| {
                        tracing::warn!(session = session.id(), "hook takes too long, given up");
                        self.missed(session, 1);
                        Shown::Dropped
                    }),
                };
                self.now = clock::now();
                shown
            }
        };
        let changed;
        let message = match shown {
            Shown::Passes => message,
            Shown::Changed(other) => {
                changed = other;
                &changed
            }
            Shown::Dropped => return false,
        };
        self.offer_seen(Some(&seen), session, message)
    }

    /// Queues the message for a session without hooks; false when it does not get it.
    pub(super) fn offer(&mut self, session: &Arc<Session>, message: &Arc<Frozen>) -> bool {
        self.offer_seen(None, session, message)
    }

    fn offer_seen(
        &mut self,
        seen: Option<&Seen<'_>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        match session.offer(message, self.lazy_timeout, self.now) {
            Offered::Queued(tell) => self.note(seen, session, message, tell),
            Offered::Full | Offered::Write => self.late.push((session.clone(), message.clone())),
            Offered::Gone => return false,
        }
        true
    }

    /// Queues the message though there is no room: the session's listeners or the rules say what goes.
    fn overflow(&mut self, seen: Option<&Seen<'_>>, session: &Arc<Session>, message: &Arc<Frozen>) {
        let overflow = seen.and_then(|seen| seen.overflow(message));
        match session.enqueue(message, self.lazy_timeout, overflow, self.now) {
            (Delivered::Queued { dropped }, tell) => {
                self.missed(session, dropped);
                self.note(seen, session, message, tell);
            }
            (Delivered::Dropped, _) => self.missed(session, 1),
            (Delivered::Gone, _) => {}
            (Delivered::Overflowed, _) => self.end(session),
        }
    }

    /// Notes that the message was queued, and tells whom it concerns.
    fn note(
        &mut self,
        seen: Option<&Seen<'_>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        tell: Tell,
    ) {
        match tell {
            Tell::Wake(carrier) => carrier.wake(),
            Tell::Write => self.waiting.push(session.clone()),
            // Somebody else was told to write, who may take his time.
            Tell::Nobody if self.writing == Writing::AtOnce && !message.is_lazy() => {
                self.waiting.push(session.clone());
            }
            Tell::Nobody => {}
        }
        self.queued += 1;
        if let Some(seen) = seen {
            seen.queued(message);
        }
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
impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.count();
        if !self.waiting.is_empty() {
            self.server.flush_soon(std::mem::take(&mut self.waiting));
        }
    }
}
