//! `Seti`: who is where, as an application has it.

use std::{future::Future, sync::Arc};

use bayeux_api::{Json, Registration, server::ServerSession};
use bayeux_oort::{Comet, Oort};
use serde::Serialize;

use crate::{
    AssociateError, PresenceListener, SendMessageError, Sent, SetiConfig, SetiStatistics,
    StartSetiError, engine::Engine,
};

/// Who is where: on each node an application says which user a session is of, and on each node it can ask where a
/// user is, send to all sessions that the user has anywhere, and hear who comes and goes. Cheap to clone; dropping
/// the last one ends it.
///
/// A user may have several sessions, on several nodes, and a session several users. The other nodes may be CometD's.
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
/// # let cloud = |id: &str| hub.cloud(id, &format!("http://{id}:8080/cometd"));
/// let here = Server::new();
/// let seti = Seti::start(&Oort::start(&here, cloud("here")).await?).await?;
/// let there = Seti::start(&Oort::start(&Server::new(), cloud("there")).await?).await?;
///
/// let session = here.new_local_session("phone");
/// session.handshake(Message::default()).await?;
/// seti.associate("dave", &session.server_session().ok_or("it has ended")?)?;
///
/// # while !there.is_present("dave") { tokio::task::yield_now().await }
/// assert!(there.is_present("dave") && !there.is_associated("dave"));
/// let sent = there.send_message("dave", "/news", &json!({ "text": "hello" })).await?;
/// assert_eq!((sent.sessions, sent.nodes), (0, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Seti(pub(crate) Arc<Engine>);

impl Seti {
    /// Starts the Seti of a node. There is one on each; one that has just been stopped or dropped is waited for, for up
    /// to a second.
    ///
    /// # Errors
    ///
    /// When there is one already, another node has the same Seti id, or the node has left the cloud; see
    /// [`StartSetiError`].
    pub async fn start(oort: &Oort) -> Result<Self, StartSetiError> {
        Self::start_with(oort, SetiConfig::default()).await
    }

    /// [Starts](Self::start) one that behaves as `config` says.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(oort: &Oort, config: SetiConfig) -> Result<Self, StartSetiError> {
        Ok(Self(Arc::new(Engine::start(oort, config).await?)))
    }

    /// Returns the node that it is on.
    #[doc(alias = "getOort")]
    pub fn oort(&self) -> &Oort {
        &self.0.inner.oort
    }

    /// Returns as what it is known on the wire: the node's URL without its signs.
    #[doc(alias = "getId")]
    pub fn id(&self) -> &str {
        &self.0.inner.seti_id
    }

    /// Associates a user with a session of this node, until that ends. Returns whether that is new.
    ///
    /// # Errors
    ///
    /// When the session has ended or is of another server, the id is too long, or the Seti was stopped.
    pub fn associate(
        &self,
        user_id: &str,
        session: &Arc<dyn ServerSession>,
    ) -> Result<bool, AssociateError> {
        self.0.inner.associate(user_id, session)
    }

    /// Ends the association of a user with a session of this node, and returns whether there was one.
    pub fn disassociate(&self, user_id: &str, session: &Arc<dyn ServerSession>) -> bool {
        let local = crate::session::Local(session.clone());
        self.0.inner.advance(|presence, _| presence.disassociate(user_id, &local))
    }

    /// Ends the associations of a user with all sessions of this node, and returns these.
    #[doc(alias = "disassociate")]
    pub fn disassociate_all(&self, user_id: &str) -> Vec<Arc<dyn ServerSession>> {
        let sessions = self.0.inner.advance(|presence, _| presence.disassociate_user(user_id));
        sessions.into_iter().map(|local| local.0).collect()
    }

    /// Returns whether a user has a session on this node.
    pub fn is_associated(&self, user_id: &str) -> bool {
        self.association_count(user_id) > 0
    }

    /// Returns how many sessions of this node a user has.
    #[doc(alias = "getAssociationCount")]
    pub fn association_count(&self, user_id: &str) -> usize {
        self.0.inner.presence(|presence| presence.counts(user_id)).0
    }

    /// Returns whether a user has a session on any node.
    pub fn is_present(&self, user_id: &str) -> bool {
        self.presence_count(user_id) > 0
    }

    /// Returns how many sessions of this node a user has, and on how many other nodes it is, together.
    #[doc(alias = "getPresenceCount")]
    pub fn presence_count(&self, user_id: &str) -> usize {
        let (sessions, nodes) = self.0.inner.presence(|presence| presence.counts(user_id));
        sessions + nodes
    }

    /// Returns the nodes on which a user is.
    pub fn locations(&self, user_id: &str) -> Vec<Location> {
        let places = self.0.inner.presence(|presence| presence.places(user_id));
        let own = (!places.sessions.is_empty()).then(|| Location {
            comet: self.oort().own().clone(),
            sessions: Some(places.sessions.len()),
        });
        let others = places.comets.into_iter();
        let others = others.map(|comet| Location { comet, sessions: None });
        own.into_iter().chain(others).collect()
    }

    /// Returns the sessions of this node that a user has.
    pub fn sessions(&self, user_id: &str) -> Vec<Arc<dyn ServerSession>> {
        let sessions = self.0.inner.presence(|presence| presence.sessions(user_id));
        sessions.into_iter().map(|local| local.0).collect()
    }

    /// Returns the users that are on any node, sorted.
    #[doc(alias = "getUserIds")]
    pub fn user_ids(&self) -> Vec<Arc<str>> {
        self.0.inner.presence(|presence| presence.present())
    }

    /// Returns the users that are on this node, sorted.
    #[doc(alias = "getAssociatedUserIds")]
    pub fn associated_user_ids(&self) -> Vec<Arc<str>> {
        self.0.inner.presence(|presence| presence.associated())
    }

    /// Sends a message to all sessions of a user, wherever they are, and returns where it went. It needs no
    /// subscription, and the channel may be a service channel. Where an application's code looks at it, this waits: for
    /// 5 seconds at each session, and for a minute at what goes to other nodes, or two if no node that has the user can
    /// be reached.
    ///
    /// # Errors
    ///
    /// When nothing can be sent on that channel, the data has no JSON form, or the Seti was stopped. That a user is
    /// nowhere is none.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped some places may not get it.
    pub async fn send_message<T: Serialize + Sync + ?Sized>(
        &self,
        user_id: &str,
        channel: &str,
        data: &T,
    ) -> Result<Sent, SendMessageError> {
        self.send_messages([user_id], channel, data).await
    }

    /// [Sends](Self::send_message) a message to several users, to each once.
    ///
    /// # Errors
    ///
    /// As [`send_message`](Self::send_message).
    ///
    /// # Cancel safety
    ///
    /// As [`send_message`](Self::send_message).
    #[doc(alias = "sendMessage")]
    pub async fn send_messages<T: Serialize + Sync + ?Sized>(
        &self,
        user_ids: impl IntoIterator<Item = impl Into<String>> + Send,
        channel: &str,
        data: &T,
    ) -> Result<Sent, SendMessageError> {
        let data = Json::new(data).map_err(|error| SendMessageError::Data(error.to_string()))?;
        let users = user_ids.into_iter().map(Into::into).collect();
        self.0.inner.send_message(users, channel, &data).await
    }

    /// Adds a listener to users who come and go. It is not told of those that are there already, which
    /// [`user_ids`](Self::user_ids) returns, but when they go. One that is removed while it waits is waited for no longer.
    #[doc(alias = "addPresenceListener")]
    pub fn add_presence_listener(&self, listener: Arc<dyn PresenceListener>) -> Registration {
        self.0.inner.listeners.add_told(listener)
    }

    /// Returns what it has done.
    pub fn statistics(&self) -> SetiStatistics {
        self.0.inner.presence(|presence| presence.statistics())
    }

    /// Ends it: nobody is present any more, neither here, where listeners are not told of that, nor on the other
    /// nodes as far as they were here. The future is of when these have been told; it goes on if that is dropped, too.
    /// Where an application's code looks at what goes to other nodes and does not come back, that takes two minutes: one
    /// for what is on its way, and one for the end.
    pub fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.stop()
    }
}

/// A node on which a user is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The node.
    pub comet: Comet,
    /// How many sessions the user has there; none if it is another node than this one, which does not say.
    pub sessions: Option<usize>,
}
