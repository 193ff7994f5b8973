//! Authorizers: who may create, subscribe to or publish on which channels.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_common::ChannelId;

use crate::server::{ServerMessage, ServerSession};

/// Decides for the channel it was added to, and for all that a wild one matches. After the
/// security policy said yes, one grant is needed and one denial is enough. One that panics denies.
#[async_trait]
pub trait Authorizer: Send + Sync + fmt::Debug {
    /// Decides whether `session` may do `operation` on `channel`.
    async fn authorize(
        &self,
        operation: Operation,
        channel: &ChannelId,
        session: &Arc<dyn ServerSession>,
        message: &ServerMessage,
    ) -> Authorization;
}

/// What a session asks to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Create a channel.
    Create,
    /// Subscribe to a channel.
    Subscribe,
    /// Publish on a channel.
    Publish,
}

/// What an [`Authorizer`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "Result")]
#[non_exhaustive]
pub enum Authorization {
    /// Yes, unless another denies.
    Grant,
    /// No, for this reason, which the client is told.
    Deny(String),
    /// Somebody else has to say.
    Ignore,
}

/// Grants fixed operations to everybody and ignores the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantAuthorizer(&'static [Operation]);

impl GrantAuthorizer {
    /// Grants creating.
    pub const CREATE: Self = Self(&[Operation::Create]);
    /// Grants subscribing.
    pub const SUBSCRIBE: Self = Self(&[Operation::Subscribe]);
    /// Grants publishing.
    pub const PUBLISH: Self = Self(&[Operation::Publish]);
    /// Grants creating and subscribing.
    pub const CREATE_SUBSCRIBE: Self = Self(&[Operation::Create, Operation::Subscribe]);
    /// Grants subscribing and publishing.
    pub const SUBSCRIBE_PUBLISH: Self = Self(&[Operation::Subscribe, Operation::Publish]);
    /// Grants everything.
    pub const ALL: Self = Self(&[Operation::Create, Operation::Subscribe, Operation::Publish]);
    /// Grants nothing, so that everything is denied unless another authorizer grants it.
    pub const NONE: Self = Self(&[]);
}

#[async_trait]
impl Authorizer for GrantAuthorizer {
    async fn authorize(
        &self,
        operation: Operation,
        _channel: &ChannelId,
        _session: &Arc<dyn ServerSession>,
        _message: &ServerMessage,
    ) -> Authorization {
        if self.0.contains(&operation) { Authorization::Grant } else { Authorization::Ignore }
    }
}
