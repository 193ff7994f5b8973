//! A channel as a client sees it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_common::{ChannelId, Message};

use crate::{
    Attribute, Registration,
    client::{MessageListener, RequestError},
    implement::Sealed,
};

/// A channel of one client's session.
#[async_trait]
pub trait ClientSessionChannel: Sealed + Send + Sync + fmt::Debug {
    /// Returns the channel's id.
    #[doc(alias = "getChannelId")]
    fn id(&self) -> &ChannelId;

    /// Adds a listener to all that arrives on the channel, replies too, without subscribing.
    fn add_listener(&self, listener: Arc<dyn MessageListener>) -> Registration;

    /// Subscribes `listener` to what is published. Only the first subscriber of a channel asks
    /// the server. Dropping the registration stops the listener; with the last of a channel a
    /// `BayeuxClient` unsubscribes from the server, while a local session leaves the server's side
    /// as it is until [`unsubscribe`](Self::unsubscribe).
    ///
    /// # Errors
    ///
    /// When the server refuses, or the session does not live.
    async fn subscribe(
        &self,
        listener: Arc<dyn MessageListener>,
    ) -> Result<Registration, RequestError>;

    /// Removes all subscribers of this channel and unsubscribes from the server.
    ///
    /// # Errors
    ///
    /// When the server refuses, or the session does not live.
    async fn unsubscribe(&self) -> Result<(), RequestError>;

    /// Publishes `message` on this channel and returns the server's reply.
    ///
    /// # Errors
    ///
    /// When the server refuses, or the session does not live.
    async fn publish(&self, message: Message) -> Result<Message, RequestError>;

    /// Gives the channel back.
    ///
    /// # Errors
    ///
    /// When it still has listeners or subscribers.
    fn release(&self) -> Result<(), ReleasedError>;

    /// Returns the attribute of this name.
    #[doc(alias = "getAttribute")]
    fn attribute(&self, name: &str) -> Option<Attribute>;

    /// Sets the attribute of this name and returns its old value.
    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute>;
}

/// Why a channel could not be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the channel still has listeners or subscribers")]
pub struct ReleasedError;
