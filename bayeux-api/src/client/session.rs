//! A client's session.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_common::{ChannelIdError, Json, Message};

use crate::{
    Attribute, Batch, Registration,
    client::{ClientExtension, ClientSessionChannel, TransportFailure},
    implement::Sealed,
};

/// A session as its client sees it.
#[async_trait]
pub trait ClientSession: Sealed + Send + Sync + fmt::Debug {
    /// Returns the id that the server gave; none before the handshake.
    #[doc(alias = "getId")]
    fn id(&self) -> Option<String>;

    /// Returns whether the handshake succeeded and the session has not ended.
    fn is_handshook(&self) -> bool;

    /// Returns whether the session is connected.
    fn is_connected(&self) -> bool;

    /// Starts the session with a handshake that has the fields of `template` too, and returns the
    /// server's reply. After its end it may be started again: the server gives it another id then, and
    /// its subscriptions are made again.
    ///
    /// # Errors
    ///
    /// When the session lives, or the server refuses.
    async fn handshake(&self, template: Message) -> Result<Message, RequestError>;

    /// Ends the session and returns the server's reply.
    ///
    /// # Errors
    ///
    /// When the session does not live.
    async fn disconnect(&self) -> Result<Message, RequestError>;

    /// Returns the channel of this name.
    ///
    /// # Errors
    ///
    /// When `id` is not a channel name.
    #[doc(alias = "getChannel")]
    fn channel(&self, id: &str) -> Result<Arc<dyn ClientSessionChannel>, ChannelIdError>;

    /// Holds back what is sent until the guard, and every other one, is dropped; whoever awaits a
    /// request meanwhile waits until then. A handshake is not held back, and a disconnect sends what is.
    #[doc(alias("endBatch", "batch"))]
    fn start_batch(&self) -> Batch;

    /// Adds an extension.
    fn add_extension(&self, extension: Arc<dyn ClientExtension>) -> Registration;

    /// Calls `target` on the server and returns its answer, also a failure, which is a message
    /// that is not successful.
    ///
    /// # Errors
    ///
    /// When the call itself was refused or got no answer.
    async fn remote_call(&self, target: &str, data: Json) -> Result<Message, RequestError>;

    /// Returns the attribute of this name.
    #[doc(alias = "getAttribute")]
    fn attribute(&self, name: &str) -> Option<Attribute>;

    /// Sets the attribute of this name and returns its old value.
    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute>;

    /// Removes the attribute of this name and returns it.
    fn remove_attribute(&self, name: &str) -> Option<Attribute>;

    /// Returns the names of all attributes.
    #[doc(alias = "getAttributeNames")]
    fn attribute_names(&self) -> Vec<String>;
}

/// Why a request of a client did not succeed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The other end refused; its reply tells why.
    #[error("refused: {}", .0.error.as_deref().unwrap_or("no reason given"))]
    Refused(Box<Message>),
    /// The request could not be exchanged with the server. Whether the server got it is not known,
    /// unless the [kind](TransportFailure::kind) tells.
    #[error(transparent)]
    Failed(#[from] TransportFailure),
    /// The session has not been started, or has ended.
    #[error("the session is not handshaken")]
    NotHandshaken,
    /// The session was started, and has not ended.
    #[error("the session is already handshaken")]
    AlreadyHandshaken,
    /// An extension of this end deleted the request or its reply.
    #[error("an extension deleted the message")]
    Deleted,
    /// The channel was released.
    #[error("the channel is released")]
    Released,
    /// The name is not one that such a request can go to.
    #[error(transparent)]
    Channel(#[from] ChannelIdError),
    /// No answer came in time.
    #[error("no answer came in time")]
    Timeout,
    /// The client was started outside a tokio runtime, in which alone it can work.
    #[error("there is no tokio runtime here for the client to work in")]
    NoRuntime,
    /// More requests wait for their replies than the client's configuration allows.
    #[error("too many requests wait for their replies")]
    QueueFull,
}
