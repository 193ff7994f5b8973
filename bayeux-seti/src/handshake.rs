//! Users who are known from the handshake on: the application says who it is, and Seti does the rest.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use bayeux_api::{
    Registration,
    implement::Hook,
    server::{ServerMessage, ServerSession, SessionKind, SessionListener},
};

use tokio_util::sync::CancellationToken;

use crate::{AssociateError, Seti, engine::Inner};

/// A handshake of which Seti asks whose it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Handshake {
    /// The session that it starts, with the attributes that the policy gave it.
    pub session: Arc<dyn ServerSession>,
    /// The message, with its `ext` and what carried it.
    pub message: ServerMessage,
}

impl Seti {
    /// Has `user` say, of each handshake that succeeds, which user it is of, if any: that one is associated with
    /// the session before the reply is made, and so before the client can do anything. Only other nodes' handshakes
    /// are not asked about. It ends with the Seti, and when what is returned is dropped; handshakes that still wait
    /// for `user` then are nobody's.
    ///
    /// The policy has decided by then: `user` says who it is, and not whether it may. What a client says in its
    /// `ext` is as true as the policy has made sure that it is; what the policy has verified it may leave as an
    /// attribute of the session, and a layer before the server as a [principal](bayeux_api::server::Principal).
    ///
    /// The reply waits for `user`, which may wait. If it panics, or what it returns is too long for a user's id,
    /// the session is nobody's, and the log says so.
    ///
    /// ```
    /// # use bayeux_oort::Cloud;
    /// use bayeux_seti::{Seti, oort::Oort};
    /// use bayeux_server::{Server, api::Message};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let hub = tests::cloud_hub::CloudHub::default();
    /// # let cloud = hub.cloud("here", "http://here:8080/cometd");
    /// let server = Server::new();
    /// let seti = Seti::start(&Oort::start(&server, cloud).await?).await?;
    /// seti.associate_at_handshake(async |it| Some(it.message.ext_field("user")?.as_str()?.to_owned())).keep();
    ///
    /// let session = server.new_local_session("phone");
    /// let mut handshake = Message::default();
    /// handshake.ext_mut().insert("user".to_owned(), json!("dave"));
    /// session.handshake(handshake).await?;
    /// assert!(seti.is_associated("dave"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn associate_at_handshake<F, A>(&self, user: F) -> Registration
    where
        F: Fn(Handshake) -> A + Send + Sync + 'static,
        A: Future<Output = Option<String>> + Send + 'static,
    {
        let inner = &self.0.inner;
        let over = inner.stopped.child_token();
        // It holds no Seti, which would never end otherwise.
        let begins = Begins { seti: Arc::downgrade(inner), user, over: over.clone() };
        let place = self.oort().server().add_session_listener(Arc::new(begins));
        let until = over.clone();
        // One that is kept goes with the Seti.
        inner.runtime.spawn(async move {
            until.cancelled().await;
            drop(place);
        });
        Registration::new(move || over.cancel())
    }
}

/// Hears of sessions that begin.
struct Begins<F> {
    seti: Weak<Inner>,
    user: F,
    /// Nobody is asked any more.
    over: CancellationToken,
}

#[async_trait]
impl<F, A> SessionListener for Begins<F>
where
    F: Fn(Handshake) -> A + Send + Sync,
    A: Future<Output = Option<String>> + Send,
{
    async fn session_added(&self, session: &Arc<dyn ServerSession>, message: &ServerMessage) {
        if self.over.is_cancelled() || session.kind() == SessionKind::Node {
            return;
        }
        let handshake = Handshake { session: session.clone(), message: message.clone() };
        let hook = Hook("Seti::associate_at_handshake", session.id());
        let asking = hook.wait(|| (self.user)(handshake));
        let user = self.over.run_until_cancelled(asking).await.flatten().flatten();
        // It may have said whose it is when it was over.
        if self.over.is_cancelled() {
            return;
        }
        if let (Some(user), Some(seti)) = (user, self.seti.upgrade()) {
            associate(&seti, &user, session);
        }
    }
}

fn associate(seti: &Inner, user: &str, session: &Arc<dyn ServerSession>) {
    match seti.associate(user, session) {
        Ok(_) => {}
        Err(error @ AssociateError::LongId(_)) => {
            tracing::warn!(session = session.id(), %error, "a session is nobody's");
        }
        // Whoever ended the session or the Seti wants nobody there, and of other servers no handshake comes.
        Err(
            error @ (AssociateError::Ended(_)
            | AssociateError::Stopped
            | AssociateError::Foreign(_)),
        ) => {
            tracing::debug!(session = session.id(), %error, "a session is nobody's");
        }
    }
}

impl<F> fmt::Debug for Begins<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seti::associate_at_handshake")
    }
}
