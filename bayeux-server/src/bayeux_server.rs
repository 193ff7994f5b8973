//! A server as policies and extensions see it.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_api::{
    ChannelIdError, ConnectionType, Registration,
    implement::Sealed,
    server::{
        BayeuxServer, ChannelListener, Created, Detail, LocalSession, SecurityPolicy,
        ServerChannel, ServerExtension, ServerSession, SessionListener, Statistics,
        SubscriptionListener,
    },
};

use crate::{channel::Channel, server::Server, session::Session};

impl Sealed for Server {}

#[async_trait]
impl BayeuxServer for Server {
    fn channel(&self, id: &str) -> Option<Arc<dyn ServerChannel>> {
        Some(Self::channel(self, id)?.as_dyn())
    }

    fn channels(&self) -> Vec<Arc<dyn ServerChannel>> {
        Self::channels(self).iter().map(Channel::as_dyn).collect()
    }

    fn create_channel_if_absent(
        &self,
        id: &str,
        initialize: &dyn Fn(&dyn ServerChannel),
    ) -> Result<Created, ChannelIdError> {
        let created = self.create_channel_if_absent_with(id, |channel| initialize(channel))?;
        Ok(match created {
            Created::New(channel) => Created::New(channel.as_dyn()),
            Created::Existing(channel) => Created::Existing(channel.as_dyn()),
        })
    }

    fn session(&self, id: &str) -> Option<Arc<dyn ServerSession>> {
        Some(Self::session(self, id)?.as_dyn())
    }

    fn sessions(&self) -> Vec<Arc<dyn ServerSession>> {
        Self::sessions(self).iter().map(Session::as_dyn).collect()
    }

    async fn remove_session(&self, id: &str) -> bool {
        Self::remove_session(self, id).await
    }

    fn new_local_session(&self, id_hint: &str) -> Arc<dyn LocalSession> {
        Self::new_local_session(self, id_hint)
    }

    fn add_extension(&self, extension: Arc<dyn ServerExtension>) -> Registration {
        Self::add_extension(self, extension)
    }

    fn add_channel_listener(&self, listener: Arc<dyn ChannelListener>) -> Registration {
        Self::add_channel_listener(self, listener)
    }

    fn add_session_listener(&self, listener: Arc<dyn SessionListener>) -> Registration {
        Self::add_session_listener(self, listener)
    }

    fn add_subscription_listener(&self, listener: Arc<dyn SubscriptionListener>) -> Registration {
        Self::add_subscription_listener(self, listener)
    }

    fn security_policy(&self) -> Option<Arc<dyn SecurityPolicy>> {
        Self::security_policy(self)
    }

    fn set_security_policy(&self, policy: Option<Arc<dyn SecurityPolicy>>) {
        Self::set_security_policy(self, policy)
    }

    fn allowed_transports(&self) -> Vec<ConnectionType> {
        Self::allowed_transports(self)
    }

    fn statistics(&self) -> Statistics {
        Self::statistics(self)
    }

    fn dump(&self, detail: Detail) -> String {
        Self::dump(self, detail)
    }
}
