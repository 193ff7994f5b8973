//! A channel as callbacks and extensions see it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, ChannelId, Message, Registration,
    implement::Sealed,
    server::{
        Access, Authorizer, PublishError, Published, Reach, ServerChannel, ServerChannelListener,
        ServerSession,
    },
};

use crate::{channel::Channel, fan_out::Writing, session::Session};

impl Sealed for Channel {}

#[async_trait]
impl ServerChannel for Channel {
    fn id(&self) -> &ChannelId {
        Self::id(self)
    }

    fn is_persistent(&self) -> bool {
        Self::is_persistent(self)
    }

    fn set_persistent(&self, persistent: bool) {
        Self::set_persistent(self, persistent)
    }

    fn is_lazy(&self) -> bool {
        Self::is_lazy(self)
    }

    fn set_lazy(&self, lazy: bool) {
        Self::set_lazy(self, lazy)
    }

    fn lazy_timeout(&self) -> Option<Duration> {
        Self::lazy_timeout(self)
    }

    fn set_lazy_timeout(&self, timeout: Duration) {
        Self::set_lazy_timeout(self, timeout)
    }

    fn is_broadcast_to_publisher(&self) -> bool {
        Self::is_broadcast_to_publisher(self)
    }

    fn set_broadcast_to_publisher(&self, broadcast: bool) {
        Self::set_broadcast_to_publisher(self, broadcast)
    }

    fn reach(&self) -> Reach {
        Self::reach(self)
    }

    fn set_reach(&self, reach: Reach) {
        Self::set_reach(self, reach)
    }

    fn access(&self) -> Access {
        Self::access(self)
    }

    fn set_access(&self, access: Access) {
        Self::set_access(self, access)
    }

    fn is_ordered(&self) -> bool {
        Self::is_ordered(self)
    }

    fn set_ordered(&self, ordered: bool) {
        Self::set_ordered(self, ordered)
    }

    fn position(&self) -> Option<u64> {
        Self::position(self)
    }

    fn add_listener(&self, listener: Arc<dyn ServerChannelListener>) -> Registration {
        Self::add_listener(self, listener)
    }

    fn add_authorizer(&self, authorizer: Arc<dyn Authorizer>) -> Registration {
        Self::add_authorizer(self, authorizer)
    }

    fn subscribers(&self) -> Vec<Arc<dyn ServerSession>> {
        Self::subscribers(self).iter().map(Session::as_dyn).collect()
    }

    async fn subscribe(&self, session: &dyn ServerSession) -> bool {
        Self::subscribe(self, session).await
    }

    async fn unsubscribe(&self, session: &dyn ServerSession) -> bool {
        Self::unsubscribe(self, session).await
    }

    async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: Message,
    ) -> Result<Published, PublishError> {
        self.publish_for(from.map(|from| &**from), message, Writing::AtOnce).await
    }

    fn remove(&self) {
        Self::remove(self)
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        Self::attribute(self, name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        Self::set_attribute(self, name, value)
    }
}
