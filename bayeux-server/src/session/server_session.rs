//! A session as an application sees it.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, Batch, ConnectionType, Frozen, Message, Registration,
    implement::{Sealed, lock},
    server::{
        DeQueueListener, Depth, LocalSession, QueueBounds, ServerChannel, ServerSession,
        ServerSessionListener, SessionExtension, SessionKind,
    },
};

use crate::{
    channel::Channel,
    proto::session::Delivery,
    server::Server,
    session::{Origin, Session},
};

impl Sealed for Session {}

#[async_trait]
impl ServerSession for Session {
    fn id(&self) -> &str {
        &self.id
    }

    fn is_handshook(&self) -> bool {
        lock(&self.core).machine.is_handshook()
    }

    fn is_connected(&self) -> bool {
        lock(&self.core).machine.is_connected()
    }

    fn is_local_session(&self) -> bool {
        self.origin.local.is_some()
    }

    fn kind(&self) -> SessionKind {
        match &self.origin {
            _ if self.is_node() => SessionKind::Node,
            Origin { local: Some(_), .. } => SessionKind::Local,
            Origin { .. } => SessionKind::Client,
        }
    }

    fn set_node(&self) {
        self.origin.is_node.store(true, Relaxed);
    }

    fn local_session(&self) -> Option<Arc<dyn LocalSession>> {
        Some(self.origin.local.as_ref()?.upgrade()?)
    }

    fn user_agent(&self) -> Option<&str> {
        self.origin.user_agent.as_deref()
    }

    fn transport(&self) -> Option<ConnectionType> {
        self.origin.transport
    }

    fn subscriptions(&self) -> Vec<Arc<dyn ServerChannel>> {
        let subscriptions = lock(&self.core).subscriptions.snapshot();
        subscriptions.iter().map(Channel::as_dyn).collect()
    }

    fn queue_depth(&self) -> Depth {
        lock(&self.core).machine.depth()
    }

    fn queue_bounds(&self) -> QueueBounds {
        lock(&self.core).machine.queue_bounds()
    }

    fn set_queue_bounds(&self, bounds: QueueBounds) {
        lock(&self.core).machine.set_queue_bounds(bounds);
    }

    fn timeout(&self) -> Option<Duration> {
        lock(&self.core).machine.own_timeout()
    }

    fn set_timeout(&self, timeout: Option<Duration>) {
        lock(&self.core).machine.set_timeout(timeout);
    }

    fn interval(&self) -> Option<Duration> {
        lock(&self.core).machine.own_interval()
    }

    fn set_interval(&self, interval: Option<Duration>) {
        lock(&self.core).machine.set_interval(interval);
    }

    fn max_interval(&self) -> Option<Duration> {
        lock(&self.core).machine.own_max_interval()
    }

    fn set_max_interval(&self, max_interval: Option<Duration>) {
        self.with_timer(|core| core.machine.set_max_interval(max_interval));
    }

    fn is_meta_connect_delivery_only(&self) -> bool {
        lock(&self.core).machine.delivery() == Delivery::ConnectOnly
    }

    fn set_meta_connect_delivery_only(&self, only: bool) {
        let delivery = if only { Delivery::ConnectOnly } else { Delivery::Any };
        let tell = lock(&self.core).machine.set_delivery(delivery);
        tell.wake();
    }

    fn is_broadcast_to_publisher(&self) -> bool {
        lock(&self.core).machine.is_broadcast_to_publisher()
    }

    fn set_broadcast_to_publisher(&self, broadcast: bool) {
        lock(&self.core).machine.set_broadcast_to_publisher(broadcast);
    }

    fn start_batch(&self) -> Batch {
        Self::start_batch(self);
        let me = self.me.clone();
        Batch::new(move || {
            if let Some(session) = me.upgrade() {
                session.end_batch();
            }
        })
    }

    fn add_extension(&self, extension: Arc<dyn SessionExtension>) -> Registration {
        self.hooks_mut().extensions.add(extension)
    }

    fn add_listener(&self, listener: Arc<dyn ServerSessionListener>) -> Registration {
        self.hooks_mut().listeners.add(listener)
    }

    fn add_de_queue_listener(&self, listener: Arc<dyn DeQueueListener>) -> Registration {
        self.hooks_mut().de_queue_listeners.add(listener)
    }

    async fn deliver(&self, sender: Option<&Arc<dyn ServerSession>>, message: Message) -> bool {
        let Some((server, me)) = self.handles() else { return false };
        let sender = sender.and_then(|session| server.0.sessions.get(session.id()));
        server.deliver_from_server(sender.as_ref(), &me, message).await
    }

    async fn deliver_frozen(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> bool {
        let Some((server, me)) = self.handles() else { return false };
        let sender = sender.and_then(|session| server.0.sessions.get(session.id()));
        server.deliver_frozen_from_server(sender.as_ref(), &me, message).await
    }

    async fn disconnect(&self) {
        if let Some((server, me)) = self.handles() {
            server.disconnect_session(&me).await;
        }
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        self.attributes()?.get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(self.attributes.get_or_init(Box::default)).set(name, value)
    }

    fn remove_attribute(&self, name: &str) -> Option<Attribute> {
        self.attributes()?.remove(name)
    }

    fn attribute_names(&self) -> Vec<String> {
        self.attributes().map(|attributes| attributes.names()).unwrap_or_default()
    }
}

impl Session {
    fn handles(&self) -> Option<(Server, Arc<Self>)> {
        Some((self.server()?, self.me.upgrade()?))
    }
}
