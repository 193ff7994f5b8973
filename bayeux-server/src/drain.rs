//! The orderly end of a server: waits and sends away, as `proto/drain.rs` and the sessions' machines say.

use std::{sync::Arc, time::Duration};

use crate::{clock, proto::drain::Drain, server::Server, session::Session};

impl Server {
    /// Ends this server in good order, and returns when it is [stopped](Self::stop): in the time that
    /// [`DrainConfig::timeout`] allows.
    ///
    /// From the first moment no session begins (`503::handshake_unavailable`), and no client publishes to
    /// others (`503::publish_unavailable`), since not all of them would get it; both are told so. What was
    /// taken before is worked on, and arrives. Then, one after the other over [`DrainConfig::spread`], the
    /// clients get the reply to their connect, with all that waits for them, the answers to what is still
    /// worked on for them included. It fails with
    /// `503::connect_unavailable`, and advises a handshake after a random while, no longer than
    /// [`DrainConfig::interval`], so that they do not all come to the next server at once. Connections of
    /// HTTP/1.1 are closed after it, WebSockets with the code 1001. At last the server is stopped.
    ///
    /// What other nodes of a cluster bring is taken, and reaches those who are still here; so it is with what a
    /// backplane has to send [back](crate::api::server::Passage::Back).
    ///
    /// Connections have to be taken meanwhile, for the clients that are between two connects: who mounts
    /// [`service`](Self::service) elsewhere stops accepting after this, and before
    /// [`closed`](Self::closed): axum's graceful shutdown does, as below, and so does a loop of hyper's that
    /// accepts until this returns and ends its connections by `hyper_util`'s `GracefulShutdown`. A balancer
    /// hears of it by a path of the application's own that asks [`is_draining`](Self::is_draining);
    /// `docs/deploying.md` says how.
    ///
    /// ```no_run
    /// # async fn terminated() {}
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = bayeux_server::Server::new();
    /// let app = axum::Router::new().nest_service("/cometd", server.service());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    /// let draining = server.clone();
    /// let drained = async move {
    ///     terminated().await;
    ///     draining.drain().await;
    /// };
    /// axum::serve(listener, app).with_graceful_shutdown(drained).await?;
    /// // WebSockets are no business of axum's any more.
    /// server.closed().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// A server stays as it is when this is dropped: it takes no sessions any more, and is not stopped.
    /// Calling this again, also at the same time, goes on from there.
    ///
    /// [`DrainConfig::timeout`]: crate::DrainConfig::timeout
    /// [`DrainConfig::spread`]: crate::DrainConfig::spread
    /// [`DrainConfig::interval`]: crate::DrainConfig::interval
    pub async fn drain(&self) {
        let drain = Drain::new(self.0.config.drain, clock::now());
        self.0.doors.close();
        let sessions = self.remote_sessions().len();
        tracing::info!(sessions, "sessions are sent away before the end");
        tokio::select! {
            () = self.send_everybody_away(&drain) => {}
            () = tokio::time::sleep_until(drain.deadline().into()) => {
                tracing::warn!("not all clients were sent away in time");
            }
            () = self.stopped() => {}
        }
        self.stop();
    }

    /// Whether this server ends or has ended, so that it takes no new sessions: a balancer is to send
    /// clients elsewhere.
    pub fn is_draining(&self) -> bool {
        self.0.doors.are_closed() || self.0.is_stopped()
    }

    async fn send_everybody_away(&self, drain: &Drain) {
        let work_until = drain.work_until().into();
        if tokio::time::timeout_at(work_until, self.0.doors.empty()).await.is_err() {
            tracing::warn!("the application still works on messages when clients are sent away");
        }
        self.0.doors.end();
        let start = clock::now();
        let mut sessions = self.remote_sessions();
        // They bring what others may get as long as they are here.
        sessions.sort_by_key(|session| session.is_node());
        for (index, session) in sessions.iter().enumerate() {
            let turn = drain.turn(start, index, sessions.len());
            if turn > clock::now() {
                tokio::time::sleep_until(turn.into()).await;
            }
            session.dismiss(self.draw_absence());
        }
        settled(sessions).await;
    }

    /// Returns the sessions of clients and of nodes: those of the server's own code go with it.
    fn remote_sessions(&self) -> Vec<Arc<Session>> {
        let mut sessions = self.0.sessions.all();
        sessions.retain(|session| !session.is_local_session());
        sessions
    }

    /// Draws for how long a client is to stay away.
    pub(crate) fn draw_absence(&self) -> Duration {
        Drain::absence(self.0.config.drain, self.0.ids.number())
    }
}

/// Waits until there is nothing more to do for any of the sessions.
async fn settled(mut sessions: Vec<Arc<Session>>) {
    loop {
        let now = clock::now();
        sessions.retain(|session| !session.is_settled(now));
        if sessions.is_empty() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The pause between two looks for sessions that are not settled.
const LOOK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests;
