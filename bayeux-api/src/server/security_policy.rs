//! The security policy: the first to be asked what a remote or local session may do.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_common::ChannelId;

use crate::server::{BayeuxServer, ServerChannel, ServerMessage, ServerSession};

/// Decides who may start a session, create a channel, subscribe and publish. Nobody may anything
/// unless a method says so; one that panics denies. Calls of the server's own code are not asked about.
///
/// Whoever denies may put details into the reply:
/// [`reply_mut`](ServerMessage::reply_mut)`().ext_mut()` and `.advice_mut()`.
#[async_trait]
pub trait SecurityPolicy: Send + Sync + fmt::Debug {
    /// Decides whether `session` may start.
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        false
    }

    /// Decides whether `session` may create `channel`.
    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        false
    }

    /// Decides whether `session` may subscribe to `channel`.
    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        false
    }

    /// Decides whether `session` may publish on `channel`.
    async fn can_publish(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        false
    }
}
