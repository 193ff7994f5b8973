//! A session as callbacks and extensions see it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, Batch, ConnectionType, Frozen, Message, Registration,
    implement::Sealed,
    server::{
        ConnectionLimits, DeQueueListener, Depth, LocalSession, QueueBounds, ServerChannel,
        ServerSession, ServerSessionListener, SessionExtension, SessionKind,
    },
};

use crate::{channel::Channel, fan_out::Writing, session::Session};

impl Sealed for Session {}

#[async_trait]
impl ServerSession for Session {
    fn id(&self) -> &str {
        Self::id(self)
    }

    fn is_handshook(&self) -> bool {
        Self::is_handshook(self)
    }

    fn is_connected(&self) -> bool {
        Self::is_connected(self)
    }

    fn is_local_session(&self) -> bool {
        Self::is_local_session(self)
    }

    fn kind(&self) -> SessionKind {
        Self::kind(self)
    }

    fn set_node(&self) {
        Self::set_node(self)
    }

    fn set_connection_limits(&self, limits: ConnectionLimits) {
        Self::set_connection_limits(self, limits);
    }

    fn local_session(&self) -> Option<Arc<dyn LocalSession>> {
        Self::local_session(self)
    }

    fn user_agent(&self) -> Option<&str> {
        Self::user_agent(self)
    }

    fn transport(&self) -> Option<ConnectionType> {
        Self::transport(self)
    }

    fn subscriptions(&self) -> Vec<Arc<dyn ServerChannel>> {
        Self::subscriptions(self).iter().map(Channel::as_dyn).collect()
    }

    fn queue_depth(&self) -> Depth {
        Self::queue_depth(self)
    }

    fn queue_bounds(&self) -> QueueBounds {
        Self::queue_bounds(self)
    }

    fn set_queue_bounds(&self, bounds: QueueBounds) {
        Self::set_queue_bounds(self, bounds)
    }

    fn timeout(&self) -> Option<Duration> {
        Self::timeout(self)
    }

    fn set_timeout(&self, timeout: Option<Duration>) {
        Self::set_timeout(self, timeout)
    }

    fn interval(&self) -> Option<Duration> {
        Self::interval(self)
    }

    fn set_interval(&self, interval: Option<Duration>) {
        Self::set_interval(self, interval)
    }

    fn max_interval(&self) -> Option<Duration> {
        Self::max_interval(self)
    }

    fn set_max_interval(&self, max_interval: Option<Duration>) {
        Self::set_max_interval(self, max_interval)
    }

    fn is_meta_connect_delivery_only(&self) -> bool {
        Self::is_meta_connect_delivery_only(self)
    }

    fn set_meta_connect_delivery_only(&self, only: bool) {
        Self::set_meta_connect_delivery_only(self, only)
    }

    fn is_broadcast_to_publisher(&self) -> bool {
        Self::is_broadcast_to_publisher(self)
    }

    fn set_broadcast_to_publisher(&self, broadcast: bool) {
        Self::set_broadcast_to_publisher(self, broadcast)
    }

    fn start_batch(&self) -> Batch {
        Self::start_batch(self)
    }

    fn add_extension(&self, extension: Arc<dyn SessionExtension>) -> Registration {
        Self::add_extension(self, extension)
    }

    fn add_listener(&self, listener: Arc<dyn ServerSessionListener>) -> Registration {
        Self::add_listener(self, listener)
    }

    fn add_de_queue_listener(&self, listener: Arc<dyn DeQueueListener>) -> Registration {
        Self::add_de_queue_listener(self, listener)
    }

    async fn deliver(&self, sender: Option<&Arc<dyn ServerSession>>, message: Message) -> bool {
        self.deliver_for(sender.map(|sender| &**sender), message).await
    }

    async fn deliver_frozen(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> bool {
        self.deliver_frozen_for(sender.map(|sender| &**sender), message, Writing::AtOnce).await
    }

    async fn deliver_frozen_together(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> bool {
        self.deliver_frozen_for(sender.map(|sender| &**sender), message, Writing::Gathered).await
    }

    async fn disconnect(&self) {
        Self::disconnect(self).await
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        Self::attribute(self, name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        Self::set_attribute(self, name, value)
    }

    fn remove_attribute(&self, name: &str) -> Option<Attribute> {
        Self::remove_attribute(self, name)
    }

    fn attribute_names(&self) -> Vec<String> {
        Self::attribute_names(self)
    }
}
