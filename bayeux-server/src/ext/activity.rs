//! The end of sessions whose clients do nothing but stay connected.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bayeux_api::{
    Flow, Frozen, Message,
    implement::lock,
    meta,
    server::{ServerExtension, ServerMessage, ServerSession, SessionExtension, SessionKind},
};

use crate::clock;

/// What counts as activity. Connects and their replies do not: a client that is left alone sends them for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// What the client sends.
    Client,
    /// What the client sends, and what it is sent.
    ClientServer,
}

/// Ends sessions in which nothing has happened for some time.
///
/// Whether it has is seen when the next connect arrives, and so late by what that was held. The session then ends as by
/// [`ServerSession::disconnect`].
///
/// The sessions of other nodes of a cluster go on: what a node has to say is not for it to decide.
///
/// As a [`ServerExtension`] it looks after all sessions that begin from then on, as a [`SessionExtension`], from when
/// it is added, after that one: each session needs a value of its own.
#[derive(Debug)]
pub struct ActivityExtension {
    activity: Activity,
    max_inactivity: Duration,
    /// When something last happened in the one session.
    last: Mutex<Instant>,
}

impl ActivityExtension {
    /// Ends sessions in which there is no `activity` for longer than `max_inactivity`.
    pub fn new(activity: Activity, max_inactivity: Duration) -> Self {
        Self { activity, max_inactivity, last: Mutex::new(clock::now()) }
    }

    fn note(&self) {
        *lock(&self.last) = clock::now();
    }

    fn is_over(&self) -> bool {
        clock::now().saturating_duration_since(*lock(&self.last)) > self.max_inactivity
    }
}

#[async_trait]
impl ServerExtension for ActivityExtension {
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        if message.channel() == meta::HANDSHAKE
            && message.is_successful()
            && let Some(session) = to
        {
            let own = Self::new(self.activity, self.max_inactivity);
            session.add_extension(Arc::new(own)).keep();
        }
        Flow::Continue
    }
}

#[async_trait]
impl SessionExtension for ActivityExtension {
    async fn incoming(
        &self,
        session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> Flow {
        if message.channel() != meta::CONNECT {
            self.note();
        } else if session.kind() == SessionKind::Client && self.is_over() {
            session.disconnect().await;
        }
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        if self.activity == Activity::ClientServer {
            self.note();
        }
        Some(message)
    }

    async fn outgoing_reply(&self, _session: &Arc<dyn ServerSession>, reply: &mut Message) -> Flow {
        if self.activity == Activity::ClientServer && reply.channel() != meta::CONNECT {
            self.note();
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Server, session::Origin};

    const MINUTE: Duration = Duration::from_secs(60);

    /// A session that ends after an hour without this activity.
    struct Watched {
        _server: Server,
        extension: ActivityExtension,
        session: Arc<dyn ServerSession>,
    }

    impl Watched {
        fn new(activity: Activity) -> Self {
            let server = Server::new();
            let session = server.new_session(None, Origin::default());
            assert!(session.handshaken());
            server.0.sessions.insert(session.clone());
            let extension = ActivityExtension::new(activity, 60 * MINUTE);
            Self { _server: server, extension, session }
        }

        /// Sends a message, and returns whether the session goes on.
        async fn sends(&self, channel: &str) -> bool {
            let mut message = ServerMessage::new(Message::new(channel));
            SessionExtension::incoming(&self.extension, &self.session, &mut message).await;
            self.session.is_handshook()
        }

        async fn is_replied_to(&self, channel: &str) {
            let mut reply = Message::new(channel);
            self.extension.outgoing_reply(&self.session, &mut reply).await;
        }

        async fn is_sent(&self) {
            let message = Message::with_data("/a", 1).freeze();
            let extension: &dyn SessionExtension = &self.extension;
            assert!(extension.outgoing(None, &self.session, message).await.is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_sends_keeps_its_session_and_connects_do_not() {
        let watched = Watched::new(Activity::Client);
        for channel in ["/a", meta::SUBSCRIBE, "/service/echo"] {
            tokio::time::advance(59 * MINUTE).await;
            assert!(watched.sends(meta::CONNECT).await);
            assert!(watched.sends(channel).await);
        }
        tokio::time::advance(59 * MINUTE).await;
        assert!(watched.sends(meta::CONNECT).await);
        tokio::time::advance(2 * MINUTE).await;
        assert!(!watched.sends(meta::CONNECT).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_has_nothing_to_say_goes_on() {
        let watched = Watched::new(Activity::Client);
        watched.session.set_node();
        tokio::time::advance(600 * MINUTE).await;
        assert!(watched.sends(meta::CONNECT).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_is_sent_keeps_its_session_if_that_counts() {
        for activity in [Activity::Client, Activity::ClientServer] {
            for publishes in [true, false] {
                let watched = Watched::new(activity);
                tokio::time::advance(59 * MINUTE).await;
                watched.is_replied_to(meta::CONNECT).await;
                if publishes {
                    watched.is_sent().await;
                } else {
                    watched.is_replied_to(meta::SUBSCRIBE).await;
                }
                tokio::time::advance(2 * MINUTE).await;
                watched.is_replied_to(meta::CONNECT).await;
                let goes_on = watched.sends(meta::CONNECT).await;
                assert_eq!(goes_on, activity == Activity::ClientServer);
            }
        }
    }
}
