//! The writing: to the sockets that connections lend while they wait, for many sessions in one task.
//!
//! What is published together is written together: while a request or the frames of a connection are
//! worked on, the sessions are gathered, and written to when that is done or waits. Tasks that write
//! begin at once if a thread of the runtime is idle, and each would find one message.
//!
//! What the application's own code publishes and delivers is written before its call returns, since
//! nobody knows what that code does next: it may block its thread until it gets an answer.

use std::{
    cell::RefCell,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant},
    vec,
};

use bayeux_api::implement::lock;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    clock,
    server::{Inner, Server},
    session::Session,
};

/// How long work goes on without letting others run; what it has gathered by then is written before.
pub(super) const PORTION: Duration = Duration::from_millis(10);

/// So many sessions are written to before others run.
const WRITE_TOGETHER: usize = 64;

/// When what is delivered is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Together with what else the same request or connection leads to.
    Gathered,
    /// Before whoever delivers goes on.
    AtOnce,
}

thread_local! {
    /// What the work that this thread does now has gathered; none when nothing is gathered.
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// The sessions of one server to write to, and since when this work has gone on without letting others
/// run, if it has published anything.
#[derive(Debug)]
struct Gathered {
    server: *const Inner,
    sessions: Vec<Arc<Session>>,
    since: Option<Instant>,
}

impl Gathered {
    fn new(server: &Server) -> Self {
        Self { server: Arc::as_ptr(&server.0), sessions: Vec::new(), since: None }
    }

    fn is_of(&self, server: &Server) -> bool {
        std::ptr::eq(self.server, Arc::as_ptr(&server.0))
    }
}

/// Work whose deliveries are written when it is done, or waits.
pub(crate) struct Together<F> {
    server: Server,
    work: F,
}

impl<F> Together<F> {
    pub(crate) fn new(server: &Server, work: F) -> Self {
        Self { server: server.clone(), work }
    }
}

impl<F: Future + Unpin> Future for Together<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { server, work } = self.get_mut();
        together(server, || Pin::new(work).poll(context))
    }
}

/// Works without waiting; what that delivers is written when it is done.
pub(crate) fn together<T>(server: &Server, work: impl FnOnce() -> T) -> T {
    let gathering = Gathering::begin(server);
    let done = work();
    let gathered = gathering.end();
    if !gathered.is_empty() {
        server.flush_soon(gathered);
    }
    done
}

/// The time in which sessions are gathered.
struct Gathering<'a> {
    server: &'a Server,
    outer: Option<Gathered>,
    is_over: bool,
}

impl<'a> Gathering<'a> {
    fn begin(server: &'a Server) -> Self {
        let outer = GATHERED.replace(Some(Gathered::new(server)));
        Self { server, outer, is_over: false }
    }

    /// Returns the sessions that were gathered.
    fn end(mut self) -> Vec<Arc<Session>> {
        self.is_over = true;
        self.restore()
    }

    fn restore(&mut self) -> Vec<Arc<Session>> {
        GATHERED.replace(self.outer.take()).map(|own| own.sessions).unwrap_or_default()
    }
}

/// What was gathered before a panic is written all the same.
impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let sessions = self.restore();
            self.server.flush_soon(sessions);
        }
    }
}

/// Returns since when the work of this thread has gone on, which is `now` if it has just begun to publish;
/// none when nothing is gathered.
pub(super) fn working_since(now: Instant) -> Option<Instant> {
    GATHERED.with_borrow_mut(|gathered| {
        gathered.as_mut().map(|gathered| *gathered.since.get_or_insert(now))
    })
}

/// Leaves the sessions to the work of this thread, to be written to when it is done; false, and they
/// stay, when nothing is gathered of their server.
pub(super) fn gather(server: &Server, sessions: &mut Vec<Arc<Session>>) -> bool {
    GATHERED.with_borrow_mut(|gathered| match gathered {
        Some(gathered) if gathered.is_of(server) => {
            gathered.sessions.append(sessions);
            true
        }
        _ => false,
    })
}

/// Takes what was gathered of this server so far.
pub(super) fn take_gathered(server: &Server) -> Vec<Arc<Session>> {
    GATHERED.with_borrow_mut(|gathered| match gathered {
        Some(gathered) if gathered.is_of(server) => std::mem::take(&mut gathered.sessions),
        _ => Vec::new(),
    })
}

impl Server {
    /// Writes what is queued for these sessions, and is done when all of it is written.
    pub(super) async fn flush_all(&self, sessions: Vec<Arc<Session>>, now: Instant) {
        if sessions.len() <= WRITE_TOGETHER {
            self.flush(&sessions, now);
            return;
        }
        for task in self.flush_soon(sessions) {
            // One that was cancelled ends together with the runtime.
            let _ = task.await;
        }
    }

    /// Has what is queued for these sessions written in tasks of their own, as many at once as there are
    /// threads. After each portion others run: what they publish meanwhile goes out together with what
    /// the other sessions still wait for.
    pub(super) fn flush_soon(&self, sessions: Vec<Arc<Session>>) -> Vec<JoinHandle<()>> {
        let Ok(runtime) = Handle::try_current() else {
            self.flush(&sessions, clock::now());
            return Vec::new();
        };
        let server = self.clone();
        let portions = sessions.len().div_ceil(WRITE_TOGETHER);
        match portions {
            0 => return Vec::new(),
            1 => return vec![runtime.spawn(async move { server.flush(&sessions, clock::now()) })],
            _ => {}
        }
        let left = Arc::new(Mutex::new(sessions.into_iter()));
        let write = |_| runtime.spawn(server.clone().flush_left(left.clone()));
        (0..portions.min(runtime.metrics().num_workers())).map(write).collect()
    }

    async fn flush_left(self, left: Arc<Mutex<vec::IntoIter<Arc<Session>>>>) {
        loop {
            let some: Vec<_> = lock(&left).by_ref().take(WRITE_TOGETHER).collect();
            self.flush(&some, clock::now());
            if some.len() < WRITE_TOGETHER {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Writes what is queued for sessions whose connections wait.
    fn flush(&self, sessions: &[Arc<Session>], now: Instant) {
        if sessions.is_empty() {
            return;
        }
        let mut messages = Vec::new();
        let sent = sessions.iter().map(|session| session.flush(&mut messages, now)).sum();
        self.0.counters.messages_sent.add(sent);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use bayeux_api::{
        Frozen, Message,
        implement::Hook,
        server::{DeQueueListener, ServerSession, ServerSessionListener, SessionExtension},
    };
    use serde_json::json;

    use super::*;
    use crate::{
        carrier::{Carrier, Direct, Written},
        proto::session::Offered,
        session::Origin,
    };

    fn gathered() -> Option<usize> {
        GATHERED.with_borrow(|gathered| gathered.as_ref().map(|gathered| gathered.sessions.len()))
    }

    #[tokio::test]
    async fn sessions_are_gathered_until_the_work_is_done_or_waits() {
        let server = Server::builder().build();
        let session = server.new_session(None, Origin::default());
        let work = Box::pin(async {
            assert!(gather(&server, &mut vec![session.clone()]));
            assert!(gather(&server, &mut vec![session.clone()]));
            assert_eq!(gathered(), Some(2));
            tokio::task::yield_now().await;
            assert_eq!(gathered(), Some(0));
            let inner = Box::pin(async { assert!(gather(&server, &mut vec![session.clone()])) });
            Together::new(&server, inner).await;
            assert_eq!(gathered(), Some(0));
        });
        Together::new(&server, work).await;
        assert_eq!(gathered(), None);
        assert!(!gather(&server, &mut vec![session.clone()]));
        assert_eq!(gathered(), None);
    }

    #[tokio::test]
    async fn each_server_writes_to_its_own_sessions() {
        let (one, other) = (Server::builder().build(), Server::builder().build());
        let session = one.new_session(None, Origin::default());
        together(&one, || {
            assert!(gather(&one, &mut vec![session.clone()]));
            assert!(!gather(&other, &mut vec![session.clone()]));
            assert!(take_gathered(&other).is_empty());
            assert_eq!(take_gathered(&one).len(), 1);
        });
    }

    /// A socket that takes all, and counts.
    #[derive(Debug, Default)]
    struct Counts(AtomicUsize);

    impl Direct for Counts {
        fn is_there(&self) -> bool {
            true
        }

        fn write(&self, messages: &mut Vec<Arc<Frozen>>, _batch: Option<u64>) -> Written {
            self.0.fetch_add(messages.len(), Relaxed);
            messages.clear();
            Written::All
        }
    }

    /// Makes a session whose connection waits, and counts what is written to it.
    fn waiting(server: &Server) -> (Arc<Session>, Arc<Carrier<Counts>>) {
        let session = server.new_session(None, Origin::default());
        let socket = Arc::new(Carrier::new(Counts::default()));
        let carrier: Arc<Carrier> = socket.clone();
        session.bind_waiting(&carrier);
        (session, socket)
    }

    #[derive(Debug)]
    struct Empty;

    impl ServerSessionListener for Empty {}

    impl SessionExtension for Empty {}

    impl DeQueueListener for Empty {
        fn de_queue(
            &self,
            _session: &Arc<dyn ServerSession>,
            _queue: &mut Vec<Arc<Frozen>>,
            _replies: &mut Vec<Message>,
        ) {
        }
    }

    #[tokio::test]
    async fn a_session_is_written_to_unless_somebody_is_to_see_what_is_sent() {
        let server = Server::builder().build();
        let (session, socket) = waiting(&server);
        let written = async || {
            let before = socket.socket().0.load(Relaxed);
            session.deliver(Message::with_data("/a", json!(1))).await;
            socket.socket().0.load(Relaxed) - before
        };
        assert_eq!(written().await, 1);
        session.set_attribute("user", Arc::new("somebody"));
        assert!(session.hooks().is_none());
        session.add_listener(Arc::new(Empty)).keep();
        session.add_extension(Arc::new(Empty)).keep();
        assert_eq!(written().await, 1);
        session.add_de_queue_listener(Arc::new(Empty)).keep();
        assert_eq!(written().await, 0);
    }

    #[tokio::test]
    async fn what_is_published_together_is_written_when_that_is_done() {
        let server = Server::builder().build();
        let (session, socket) = waiting(&server);
        assert!(session.handshaken());
        server.0.sessions.insert(session.clone());
        let channel = server.create_channel_if_absent("/a").unwrap().channel();
        assert!(channel.subscribe(&*session).await);
        let node = server.new_session(None, Origin::default());
        let publish = async || {
            channel.publish_together(&*node, json!(1)).await.unwrap();
            socket.socket().0.load(Relaxed)
        };
        assert_eq!(publish().await, 1, "nothing is gathered");
        let together = server.together(async { (publish().await, publish().await) }).await;
        assert_eq!(together, (1, 1));
        tokio::task::yield_now().await;
        assert_eq!(socket.socket().0.load(Relaxed), 3);
    }

    #[tokio::test]
    async fn what_is_delivered_together_is_written_when_that_is_done() {
        let server = Server::builder().build();
        let (session, socket) = waiting(&server);
        let node = server.new_session(None, Origin::default()).as_dyn();
        let session = session.as_dyn();
        let message = Message::with_data("/a", json!(1)).freeze();
        let deliver = async || {
            assert!(session.deliver_frozen_together(Some(&node), &message).await);
            socket.socket().0.load(Relaxed)
        };
        assert_eq!(deliver().await, 1, "nothing is gathered");
        let together = server.together(async { (deliver().await, deliver().await) }).await;
        assert_eq!(together, (1, 1));
        tokio::task::yield_now().await;
        assert_eq!(socket.socket().0.load(Relaxed), 3);
    }

    #[tokio::test]
    async fn what_comes_while_many_are_written_to_goes_out_with_it() {
        let server = Server::builder().build();
        let bound = (0..3 * WRITE_TOGETHER).map(|_| waiting(&server));
        let (sessions, sockets): (Vec<_>, Vec<_>) = bound.unzip();
        let message = Message::with_data("/a", json!(1)).freeze();
        let takes = |session: &Arc<Session>| {
            matches!(session.offer(&message, None, clock::now()), Offered::Queued(_))
        };
        assert!(sessions.iter().all(takes));
        let writing = server.flush_soon(sessions.clone());
        tokio::task::yield_now().await;
        assert!(sessions.iter().all(takes));
        for task in writing {
            task.await.unwrap();
        }
        let written = sockets.iter().map(|socket| socket.socket().0.load(Relaxed));
        let (first, others): (Vec<_>, Vec<_>) = written.partition(|count| *count == 1);
        assert_eq!((first.len(), others), (WRITE_TOGETHER, vec![2; 2 * WRITE_TOGETHER]));
    }

    #[tokio::test]
    async fn a_panic_ends_the_gathering() {
        let server = Server::builder().build();
        let work = Box::pin(async { assert_eq!(gathered(), None) });
        assert_eq!(Hook("work", "").wait(|| Together::new(&server, work)).await, None);
        assert_eq!(gathered(), None);
    }
}
