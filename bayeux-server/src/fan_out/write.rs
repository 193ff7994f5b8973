//! What is published together is written together.
//!
//! A round of deliveries ends with sessions whose connections wait for somebody to write to them. Tasks
//! that write begin at once if a thread of the runtime is idle, and each would find one message. So while
//! a request or the frames of a connection are worked on, the sessions are gathered, and written to when
//! that is done, or waits.

use std::{
    cell::RefCell,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

use crate::{clock, server::Server, session::Session};

/// To so many sessions one task writes.
const WRITE_TOGETHER: usize = 64;

thread_local! {
    /// The sessions to write to when the work that this thread does now is done; none when they are not
    /// gathered.
    static GATHERED: RefCell<Option<Vec<Arc<Session>>>> = const { RefCell::new(None) };
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
        let _gathering = Gathering::begin(server);
        Pin::new(work).poll(context)
    }
}

/// Writes what was gathered when it ends, even by a panic.
struct Gathering<'a> {
    server: &'a Server,
    outer: Option<Vec<Arc<Session>>>,
}

impl<'a> Gathering<'a> {
    fn begin(server: &'a Server) -> Self {
        Self { server, outer: GATHERED.replace(Some(Vec::new())) }
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        let gathered = GATHERED.replace(self.outer.take());
        self.server.write_soon(gathered.unwrap_or_default());
    }
}

impl Server {
    /// Has what is queued for these sessions written: when the work that gathers them is done, or else at
    /// once, in tasks of their own.
    pub(super) fn write_to(&self, sessions: Vec<Arc<Session>>) {
        let left = GATHERED.with_borrow_mut(|gathered| match gathered {
            Some(gathered) => {
                gathered.extend(sessions);
                Vec::new()
            }
            None => sessions,
        });
        self.write_soon(left);
    }

    fn write_soon(&self, sessions: Vec<Arc<Session>>) {
        let mut sessions = sessions.into_iter();
        while sessions.len() > 0 {
            let some: Vec<_> = sessions.by_ref().take(WRITE_TOGETHER).collect();
            let server = self.clone();
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(async move { server.write(&some) })),
                Err(_) => server.write(&some),
            }
        }
    }

    /// Writes what is queued for sessions whose connections wait.
    fn write(&self, sessions: &[Arc<Session>]) {
        let (now, mut messages) = (clock::now(), Vec::new());
        let sent = sessions.iter().map(|session| session.write(&mut messages, now)).sum();
        self.0.counters.messages_sent.add(sent);
    }
}

#[cfg(test)]
mod tests {
    use bayeux_api::implement::Hook;

    use super::*;
    use crate::session::Origin;

    fn gathered() -> Option<usize> {
        GATHERED.with_borrow(|gathered| gathered.as_ref().map(Vec::len))
    }

    #[tokio::test]
    async fn sessions_are_gathered_until_the_work_is_done_or_waits() {
        let server = Server::builder().build();
        let session = server.new_session(None, Origin::default());
        let work = Box::pin(async {
            server.write_to(vec![session.clone()]);
            server.write_to(vec![session.clone()]);
            assert_eq!(gathered(), Some(2));
            tokio::task::yield_now().await;
            assert_eq!(gathered(), Some(0));
            let inner = Box::pin(async { server.write_to(vec![session.clone()]) });
            Together::new(&server, inner).await;
            assert_eq!(gathered(), Some(0));
        });
        Together::new(&server, work).await;
        assert_eq!(gathered(), None);
        server.write_to(vec![session.clone()]);
        assert_eq!(gathered(), None);
    }

    #[tokio::test]
    async fn a_panic_ends_the_gathering() {
        let server = Server::builder().build();
        let work = Box::pin(async { assert_eq!(gathered(), None) });
        assert_eq!(Hook("work", "").wait(|| Together::new(&server, work)).await, None);
        assert_eq!(gathered(), None);
    }
}
