//! The policy that a server has unless told otherwise.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_api::{
    ChannelId,
    server::{BayeuxServer, SecurityPolicy, ServerChannel, ServerMessage, ServerSession},
};

/// Lets everybody handshake, lets all sessions create and subscribe to channels that are not meta,
/// and publish there once they are handshaken. Local sessions may use meta channels too.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultSecurityPolicy;

#[async_trait]
impl SecurityPolicy for DefaultSecurityPolicy {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        true
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        session.is_local_session() || !channel.is_meta()
    }

    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        session.is_local_session() || !channel.id().is_meta()
    }

    async fn can_publish(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        session.is_handshook() && !channel.id().is_meta()
    }
}
