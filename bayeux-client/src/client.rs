//! `BayeuxClient`: the handle of a client.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, ChannelId, ChannelIdError, ConnectionType, Json, Message, Registration,
    client::{ClientExtension, ClientSession, ClientSessionChannel, RequestError},
    implement::{Sealed, lock},
};
use url::Url;

use crate::{
    Builder, Channel, Config, State, StateChanges, TransportListener, reply::Reply, shared::Shared,
};

/// A client of a Bayeux server: one session, over the best transport that both ends have.
///
/// It is a handle; clones are of the same client. Requests are made when they are called for: the
/// futures they return are of the replies alone. When the last handle is dropped, and with it every
/// [`Channel`] and [`Messages`](crate::Messages) of the client, its connections are closed;
/// [`disconnect`](Self::disconnect) is what tells the server.
///
/// ```
/// use bayeux_client::{BayeuxClient, State};
/// use serde_json::json;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = bayeux_server::Server::new();
/// let client = BayeuxClient::builder().in_process(server.in_process()).build()?;
/// client.handshake().await?;
/// let room = client.channel("/chat/room")?;
/// let mut messages = room.subscribe().await?;
/// room.publish(json!({ "text": "hello" })).await?;
/// let message = messages.next().await.expect("the session lives");
/// assert_eq!(message.data.unwrap().value()["text"], "hello");
/// client.disconnect().await?;
/// assert!(client.wait_for(Duration::from_secs(5), &[State::Disconnected]).await);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BayeuxClient(Arc<Owner>);

/// Ends the client when the last handle goes.
pub(crate) struct Owner(Arc<Shared>);

impl Owner {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.input(|machine, now| machine.abort("the client was dropped", now));
    }
}

impl BayeuxClient {
    /// Makes a client of the server at `url`, such as `https://example.com/cometd`, over WebSocket
    /// or else long-polling.
    ///
    /// # Errors
    ///
    /// When `url` is not one of `http`, `https`, `ws` or `wss`.
    pub fn new(url: &str) -> Result<Self, crate::ConfigError> {
        Self::builder().url(url).build()
    }

    /// Starts making a client.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_shared(shared: Shared) -> Self {
        let owner = Arc::new(Owner(Arc::new(shared)));
        owner.shared().set_owner(Arc::downgrade(&owner));
        Self(owner)
    }

    fn shared(&self) -> &Arc<Shared> {
        self.0.shared()
    }

    /// Starts the session; see [`handshake_with`](Self::handshake_with).
    pub fn handshake(&self) -> Reply {
        self.handshake_with(Message::default())
    }

    /// Starts the session, with the fields of `template` in this handshake and in those that the
    /// client makes by itself later.
    ///
    /// The reply is that of the first handshake. If it fails for a reason that may pass, such as a
    /// server that does not run, this says so and the client goes on trying;
    /// [`wait_for`](Self::wait_for) and [`states`](Self::states) tell when it succeeds, and
    /// [`abort`](Self::abort) ends it.
    ///
    /// The client lives in the tokio runtime that this is called in, and is disconnected when that ends.
    /// Outside one, the reply is [`RequestError::NoRuntime`].
    pub fn handshake_with(&self, template: Message) -> Reply {
        let (waiter, reply) = Reply::new();
        self.shared().begin(template, waiter);
        reply
    }

    /// Ends the session, after what was asked for before, and returns the future of the server's
    /// reply. The client is [`State::Disconnected`] soon after that, and can handshake again.
    pub fn disconnect(&self) -> Reply {
        let (waiter, reply) = Reply::new();
        self.shared().input(|machine, now| machine.disconnect(waiter, now));
        reply
    }

    /// Ends the session without a word to the server, whose end of it expires. All that waits fails.
    pub fn abort(&self) {
        self.shared().input(|machine, now| machine.abort("the client was aborted", now));
    }

    /// Returns the channel of this name.
    ///
    /// # Errors
    ///
    /// When `id` is not a channel name.
    #[doc(alias = "getChannel")]
    pub fn channel(&self, id: &str) -> Result<Channel, ChannelIdError> {
        let id = ChannelId::new(id)?;
        let members = lock(&self.shared().channels).get_or_add(id);
        Ok(Channel { client: self.0.clone(), members })
    }

    /// Sends what `batch` asks for in one request, and returns what it returns.
    pub fn batch<R>(&self, batch: impl FnOnce() -> R) -> R {
        let guard = self.start_batch();
        let result = batch();
        guard.end();
        result
    }

    /// Holds back what is asked for until the guard, and every other one, is dropped.
    pub fn start_batch(&self) -> Batch {
        self.shared().input(|machine, _| machine.start_batch());
        Batch(self.shared().clone())
    }

    /// Calls `target` on the server and returns the future of its answer, also a failure, which is a
    /// message that is not successful.
    ///
    /// # Errors
    ///
    /// When `target` makes no channel name.
    pub fn remote_call(
        &self,
        target: &str,
        data: impl Into<Json>,
    ) -> Result<Reply, ChannelIdError> {
        let target = ChannelId::new(&format!("/{}", target.trim_start_matches('/')))?;
        let id = ChannelId::new(&format!("/service{target}"))?;
        if id.is_wild() {
            return Err(ChannelIdError::Wild);
        }
        let (waiter, reply) = Reply::new();
        let message = Message::with_data(id.as_str(), data);
        self.shared().input(|machine, now| machine.remote_call(message, waiter, now));
        Ok(reply)
    }

    /// Returns the state.
    pub fn state(&self) -> State {
        self.shared().look(crate::proto::Machine::state)
    }

    /// Returns the state as it changes.
    pub fn states(&self) -> StateChanges {
        StateChanges::new(self.shared().state.subscribe())
    }

    /// Waits until the client is in one of `states`, or in a state that [implies](State::implies)
    /// one, and its listeners have been told. Returns false if that takes longer than `timeout`.
    pub async fn wait_for(&self, timeout: Duration, states: &[State]) -> bool {
        let mut settled = self.shared().settled.subscribe();
        let is_wanted = |state: State| states.iter().any(|wanted| state.implies(*wanted));
        // The listeners may have been told of an earlier state only.
        let arrives = settled.wait_for(|told| is_wanted(*told) && is_wanted(self.state()));
        tokio::time::timeout(timeout, arrives).await.is_ok_and(|arrived| arrived.is_ok())
    }

    /// Returns whether the session is over, or is being ended.
    pub fn is_disconnected(&self) -> bool {
        matches!(self.state(), State::Terminating | State::Disconnected)
    }

    /// Returns the transport in use.
    #[doc(alias = "getTransport")]
    pub fn transport(&self) -> ConnectionType {
        self.shared().look(crate::proto::Machine::transport)
    }

    /// Returns the transports that the client has, best first.
    #[doc(alias = "getAllowedTransports")]
    pub fn allowed_transports(&self) -> &[ConnectionType] {
        &self.shared().transports
    }

    /// Returns the address in use.
    #[doc(alias = "getURL")]
    pub fn url(&self) -> Url {
        self.shared().look(|machine| machine.url().clone())
    }

    /// Changes the configuration, of what begins from now on. `change` gets a copy, and may use the client;
    /// of two changes at the same time the one that ends last counts.
    #[doc(alias = "setOption")]
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        let mut config = self.shared().look(|machine| machine.config().clone());
        change(&mut config);
        self.shared().input(|machine, _| machine.set_config(config));
    }

    /// Adds a listener to what goes over the transports.
    pub fn add_transport_listener(&self, listener: Arc<dyn TransportListener>) -> Registration {
        self.shared().transport_listeners.add(listener)
    }

    /// Returns the value of a cookie that would be sent to the address in use.
    #[doc(alias = "getCookie")]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.shared().network.cookie(&self.url(), name)
    }

    /// Keeps a cookie, written as in a `Set-Cookie` header of the address in use.
    pub fn put_cookie(&self, cookie: &str) {
        self.shared().network.put_cookie(&self.url(), cookie);
    }
}

impl Sealed for BayeuxClient {}

#[async_trait]
impl ClientSession for BayeuxClient {
    fn id(&self) -> Option<String> {
        self.shared().look(|machine| machine.client_id().map(str::to_owned))
    }

    fn is_handshook(&self) -> bool {
        self.state().is_handshook()
    }

    fn is_connected(&self) -> bool {
        self.shared().look(crate::proto::Machine::is_connected)
    }

    async fn handshake(&self, template: Message) -> Result<Message, RequestError> {
        self.handshake_with(template).await
    }

    async fn disconnect(&self) -> Result<Message, RequestError> {
        Self::disconnect(self).await
    }

    fn channel(&self, id: &str) -> Result<Arc<dyn ClientSessionChannel>, ChannelIdError> {
        Ok(Arc::new(Self::channel(self, id)?))
    }

    fn start_batch(&self) -> bayeux_api::Batch {
        let batch = Self::start_batch(self);
        bayeux_api::Batch::new(move || batch.end())
    }

    fn add_extension(&self, extension: Arc<dyn ClientExtension>) -> Registration {
        self.shared().extensions.add(extension)
    }

    async fn remote_call(&self, target: &str, data: Json) -> Result<Message, RequestError> {
        Self::remote_call(self, target, data)?.await
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.shared().attributes).get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(&self.shared().attributes).set(name, value)
    }

    fn remove_attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.shared().attributes).remove(name)
    }

    fn attribute_names(&self) -> Vec<String> {
        lock(&self.shared().attributes).names()
    }
}

impl fmt::Debug for BayeuxClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BayeuxClient")
            .field("id", &self.id())
            .field("state", &self.state())
            .field("transport", &self.transport())
            .field("url", &self.url().as_str())
            .finish()
    }
}

/// Holds back what a client is asked for until it is dropped.
#[must_use = "dropping it ends the batch"]
pub struct Batch(Arc<Shared>);

impl Batch {
    /// Ends the batch; the outermost sends what was held back.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.0.input(|machine, now| machine.end_batch(now));
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch")
    }
}
