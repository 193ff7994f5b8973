//! A session as an application holds it.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bayeux_api::{
    Attribute, Batch, ConnectionType, Frozen, Message, Registration,
    implement::lock,
    server::{
        ConnectionLimits, DeQueueListener, Depth, LocalSession, QueueBounds, ServerSession,
        ServerSessionListener, SessionExtension, SessionKind,
    },
};

use crate::{
    channel::Channel,
    fan_out::Writing,
    proto::session::Delivery,
    server::Server,
    session::{Origin, Session},
};

impl Session {
    /// Returns the session's id, the `clientId` of its messages.
    #[doc(alias = "getId")]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether the session was handshaken and has not ended.
    pub fn is_handshook(&self) -> bool {
        lock(&self.core).machine.is_handshook()
    }

    /// Returns whether the session has sent a `/meta/connect` and has not ended.
    pub fn is_connected(&self) -> bool {
        lock(&self.core).machine.is_connected()
    }

    /// Returns whether this is the server's end of a local session.
    pub fn is_local_session(&self) -> bool {
        self.origin.local.is_some()
    }

    /// Returns whose session this is.
    pub fn kind(&self) -> SessionKind {
        match &self.origin {
            _ if self.is_node() => SessionKind::Node,
            Origin { local: Some(_), .. } => SessionKind::Local,
            Origin { .. } => SessionKind::Client,
        }
    }

    /// Says that this session is another node's of the same cluster, whatever its handshake or the server's
    /// own code goes by to know that. It stays one until it ends. A local session that publishes what came
    /// from other nodes is one, too: so that goes no further.
    pub fn set_node(&self) {
        self.origin.is_node.store(true, Relaxed);
    }

    /// Sets what the WebSocket connections that carry this session may do, in place of the server's
    /// configuration; from the next one on, or from the handshake on when it is set before its reply.
    pub fn set_connection_limits(&self, limits: ConnectionLimits) {
        lock(&self.core).limits = Some(Box::new(limits));
    }

    pub(crate) fn connection_limits(&self) -> Option<ConnectionLimits> {
        lock(&self.core).limits.as_deref().copied()
    }

    /// Returns the local session that this is the server's end of.
    #[doc(alias = "getLocalSession")]
    pub fn local_session(&self) -> Option<Arc<dyn LocalSession>> {
        Some(self.origin.local.as_ref()?.upgrade()?)
    }

    /// Returns the `User-Agent` of the handshake.
    #[doc(alias = "getUserAgent")]
    pub fn user_agent(&self) -> Option<&str> {
        self.origin.user_agent.as_deref()
    }

    /// Returns the transport of the handshake; none for a local session.
    #[doc(alias = "getServerTransport")]
    pub fn transport(&self) -> Option<ConnectionType> {
        self.origin.transport
    }

    /// Returns the channels this session is subscribed to.
    #[doc(alias = "getSubscriptions")]
    pub fn subscriptions(&self) -> Vec<Arc<Channel>> {
        lock(&self.core).subscriptions.snapshot().to_vec()
    }

    /// Returns how much waits to be delivered, or was and is not yet acknowledged.
    pub fn queue_depth(&self) -> Depth {
        lock(&self.core).machine.depth()
    }

    /// Returns how much may wait for this session, and what happens to more.
    pub fn queue_bounds(&self) -> QueueBounds {
        lock(&self.core).machine.queue_bounds()
    }

    /// Sets how much may wait for this session, and what happens to more, from the next message on.
    pub fn set_queue_bounds(&self, bounds: QueueBounds) {
        lock(&self.core).machine.set_queue_bounds(bounds);
    }

    /// Returns how long a `/meta/connect` is held; none for the transport's `timeout`.
    #[doc(alias = "getTimeout")]
    pub fn timeout(&self) -> Option<Duration> {
        lock(&self.core).machine.own_timeout()
    }

    /// Sets how long a `/meta/connect` is held. The next reply tells the client.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        lock(&self.core).machine.set_timeout(timeout);
    }

    /// Returns the pause between connects; none for the transport's `interval`.
    #[doc(alias = "getInterval")]
    pub fn interval(&self) -> Option<Duration> {
        lock(&self.core).machine.own_interval()
    }

    /// Sets the pause between connects. The next reply tells the client.
    pub fn set_interval(&self, interval: Option<Duration>) {
        lock(&self.core).machine.set_interval(interval);
    }

    /// Returns how long the session may be silent; none for the transport's `maxInterval`.
    #[doc(alias = "getMaxInterval")]
    pub fn max_interval(&self) -> Option<Duration> {
        lock(&self.core).machine.own_max_interval()
    }

    /// Sets how long the session may be silent.
    pub fn set_max_interval(&self, max_interval: Option<Duration>) {
        self.with_timer(|core| core.machine.set_max_interval(max_interval));
    }

    /// Returns whether messages are delivered with connect replies only.
    pub fn is_meta_connect_delivery_only(&self) -> bool {
        lock(&self.core).machine.delivery() == Delivery::ConnectOnly
    }

    /// Sets whether messages are delivered with connect replies only.
    pub fn set_meta_connect_delivery_only(&self, only: bool) {
        let delivery = if only { Delivery::ConnectOnly } else { Delivery::Any };
        let tell = lock(&self.core).machine.set_delivery(delivery);
        tell.wake();
    }

    /// Returns whether the session gets what it publishes itself.
    pub fn is_broadcast_to_publisher(&self) -> bool {
        lock(&self.core).machine.is_broadcast_to_publisher()
    }

    /// Sets whether the session gets what it publishes itself.
    pub fn set_broadcast_to_publisher(&self, broadcast: bool) {
        lock(&self.core).machine.set_broadcast_to_publisher(broadcast);
    }

    /// Holds deliveries back until the guard, and every other one, is dropped.
    #[doc(alias("endBatch", "batch"))]
    pub fn start_batch(&self) -> Batch {
        self.open_batch();
        let me = self.me.clone();
        Batch::new(move || {
            if let Some(session) = me.upgrade() {
                session.end_batch();
            }
        })
    }

    /// Adds an extension.
    pub fn add_extension(&self, extension: Arc<dyn SessionExtension>) -> Registration {
        self.hooks_mut().extensions.add(extension)
    }

    /// Adds a listener.
    pub fn add_listener(&self, listener: Arc<dyn ServerSessionListener>) -> Registration {
        self.hooks_mut().listeners.add(listener)
    }

    /// Adds a listener to what is about to be sent.
    #[doc(alias = "addListener")]
    pub fn add_de_queue_listener(&self, listener: Arc<dyn DeQueueListener>) -> Registration {
        self.hooks_mut().de_queue_listeners.add(listener)
    }

    /// Delivers `message` to this session alone, subscribed or not, and returns whether the
    /// session took it.
    pub async fn deliver(&self, message: Message) -> bool {
        self.deliver_for(None, message).await
    }

    /// Delivers on behalf of `sender`, whom the listeners and extensions see, as
    /// [`deliver`](Self::deliver) does.
    pub async fn deliver_from(&self, sender: &dyn ServerSession, message: Message) -> bool {
        self.deliver_for(Some(sender), message).await
    }

    /// Delivers a message that is encoded already, as [`deliver`](Self::deliver) does: one that goes to
    /// many sessions is encoded once, by [`Message::freeze`].
    pub async fn deliver_frozen(&self, message: &Arc<Frozen>) -> bool {
        self.deliver_frozen_for(None, message, Writing::AtOnce).await
    }

    /// Delivers a message that is encoded already on behalf of `sender`, whom the listeners and extensions
    /// see.
    pub async fn deliver_frozen_from(
        &self,
        sender: &dyn ServerSession,
        message: &Arc<Frozen>,
    ) -> bool {
        self.deliver_frozen_for(Some(sender), message, Writing::AtOnce).await
    }

    /// Delivers as [`deliver_frozen_from`](Self::deliver_frozen_from) does, but it is written together with what else
    /// is delivered or [published](crate::Channel::publish_together) so within
    /// [`Server::together`](crate::Server::together), when that waits or is done.
    pub async fn deliver_frozen_together(
        &self,
        sender: &dyn ServerSession,
        message: &Arc<Frozen>,
    ) -> bool {
        self.deliver_frozen_for(Some(sender), message, Writing::Gathered).await
    }

    /// Ends the session and tells its client.
    pub async fn disconnect(&self) {
        if let Some((server, me)) = self.handles() {
            server.disconnect_session(&me).await;
        }
    }

    /// Returns the attribute of this name.
    #[doc(alias = "getAttribute")]
    pub fn attribute(&self, name: &str) -> Option<Attribute> {
        self.attributes()?.get(name)
    }

    /// Sets the attribute of this name and returns its old value.
    pub fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(self.attributes.get_or_init(Box::default)).set(name, value)
    }

    /// Removes the attribute of this name and returns it.
    pub fn remove_attribute(&self, name: &str) -> Option<Attribute> {
        self.attributes()?.remove(name)
    }

    /// Returns the names of all attributes.
    #[doc(alias = "getAttributeNames")]
    pub fn attribute_names(&self) -> Vec<String> {
        self.attributes().map(|attributes| attributes.names()).unwrap_or_default()
    }

    pub(super) async fn deliver_for(
        &self,
        sender: Option<&dyn ServerSession>,
        message: Message,
    ) -> bool {
        let Some((server, me)) = self.handles() else { return false };
        let sender = self.seen_sender(&server, sender);
        server.deliver_from_server(sender.as_ref(), &me, message, Writing::AtOnce).await
    }

    pub(super) async fn deliver_frozen_for(
        &self,
        sender: Option<&dyn ServerSession>,
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> bool {
        let Some((server, me)) = self.handles() else { return false };
        let sender = self.seen_sender(&server, sender);
        server.deliver_frozen_from_server(sender.as_ref(), &me, message, writing).await
    }

    /// Finds on whose behalf something is delivered, if there is anybody to see that.
    fn seen_sender(
        &self,
        server: &Server,
        sender: Option<&dyn ServerSession>,
    ) -> Option<Arc<Self>> {
        let is_seen = self.hooks().is_some() || !server.0.extensions.is_empty();
        sender.filter(|_| is_seen).and_then(|sender| server.0.sessions.get(sender.id()))
    }

    fn handles(&self) -> Option<(Server, Arc<Self>)> {
        Some((self.server()?, self.me.upgrade()?))
    }
}
