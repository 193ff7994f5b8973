//! A session as the server sees it.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_common::{ConnectionType, Frozen, Message};

use crate::{
    Attribute, Batch, Registration,
    implement::Sealed,
    server::{
        DeQueueListener, LocalSession, ServerChannel, ServerSessionListener, SessionExtension,
    },
};

/// A session of a server.
#[async_trait]
pub trait ServerSession: Sealed + Send + Sync + fmt::Debug {
    /// Returns the session's id, the `clientId` of its messages.
    #[doc(alias = "getId")]
    fn id(&self) -> &str;

    /// Returns whether the session was handshaken and has not ended.
    fn is_handshook(&self) -> bool;

    /// Returns whether the session has sent a `/meta/connect` and has not ended.
    fn is_connected(&self) -> bool;

    /// Returns whether this is the server's end of a local session.
    fn is_local_session(&self) -> bool {
        self.local_session().is_some()
    }

    /// Returns whose session this is.
    fn kind(&self) -> SessionKind;

    /// Says that this session is another node's of the same cluster, whatever its handshake or the server's
    /// own code goes by to know that. It stays one until it ends. A local session that publishes what came
    /// from other nodes is one, too: so that goes no further.
    fn set_node(&self);

    /// Sets what the WebSocket connections that carry this session may do, in place of the server's
    /// configuration; from the next one on, or from the handshake on when it is set before its reply.
    fn set_connection_limits(&self, limits: ConnectionLimits);

    /// Returns the local session that this is the server's end of.
    #[doc(alias = "getLocalSession")]
    fn local_session(&self) -> Option<Arc<dyn LocalSession>>;

    /// Returns the `User-Agent` of the handshake.
    #[doc(alias = "getUserAgent")]
    fn user_agent(&self) -> Option<&str>;

    /// Returns the transport of the handshake; none for a local session.
    #[doc(alias = "getServerTransport")]
    fn transport(&self) -> Option<ConnectionType>;

    /// Returns the channels this session is subscribed to.
    #[doc(alias = "getSubscriptions")]
    fn subscriptions(&self) -> Vec<Arc<dyn ServerChannel>>;

    /// Returns how much waits to be delivered, or was and is not yet acknowledged.
    fn queue_depth(&self) -> Depth;

    /// Returns how much may wait for this session, and what happens to more.
    fn queue_bounds(&self) -> QueueBounds;

    /// Sets how much may wait for this session, and what happens to more, from the next message on.
    fn set_queue_bounds(&self, bounds: QueueBounds);

    /// Returns how long a `/meta/connect` is held; none for the transport's `timeout`.
    #[doc(alias = "getTimeout")]
    fn timeout(&self) -> Option<Duration>;

    /// Sets how long a `/meta/connect` is held. The next reply tells the client.
    fn set_timeout(&self, timeout: Option<Duration>);

    /// Returns the pause between connects; none for the transport's `interval`.
    #[doc(alias = "getInterval")]
    fn interval(&self) -> Option<Duration>;

    /// Sets the pause between connects. The next reply tells the client.
    fn set_interval(&self, interval: Option<Duration>);

    /// Returns how long the session may be silent; none for the transport's `maxInterval`.
    #[doc(alias = "getMaxInterval")]
    fn max_interval(&self) -> Option<Duration>;

    /// Sets how long the session may be silent.
    fn set_max_interval(&self, max_interval: Option<Duration>);

    /// Returns whether messages are delivered with connect replies only.
    fn is_meta_connect_delivery_only(&self) -> bool;

    /// Sets whether messages are delivered with connect replies only.
    fn set_meta_connect_delivery_only(&self, only: bool);

    /// Returns whether the session gets what it publishes itself.
    fn is_broadcast_to_publisher(&self) -> bool;

    /// Sets whether the session gets what it publishes itself.
    fn set_broadcast_to_publisher(&self, broadcast: bool);

    /// Holds deliveries back until the guard, and every other one, is dropped.
    #[doc(alias("endBatch", "batch"))]
    fn start_batch(&self) -> Batch;

    /// Adds an extension.
    fn add_extension(&self, extension: Arc<dyn SessionExtension>) -> Registration;

    /// Adds a listener.
    fn add_listener(&self, listener: Arc<dyn ServerSessionListener>) -> Registration;

    /// Adds a listener to what is about to be sent.
    #[doc(alias = "addListener")]
    fn add_de_queue_listener(&self, listener: Arc<dyn DeQueueListener>) -> Registration;

    /// Delivers `message` to this session alone, subscribed or not, and returns whether the
    /// session took it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is delivered when the future is dropped while an extension or listener looks at the message;
    /// dropped later, it goes on.
    async fn deliver(&self, sender: Option<&Arc<dyn ServerSession>>, message: Message) -> bool;

    /// Delivers a message that is encoded already, as [`deliver`](Self::deliver) does: one that goes to
    /// many sessions is encoded once, by [`Message::freeze`].
    async fn deliver_frozen(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> bool;

    /// Delivers as [`deliver_frozen`](Self::deliver_frozen) does, but it is written with what else is delivered or
    /// published so within the server's `together`, when that waits or is done; elsewhere, at once.
    async fn deliver_frozen_together(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> bool;

    /// Ends the session and tells its client.
    async fn disconnect(&self);

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

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionKind {
    /// A client's.
    Client,
    /// The server's own code's.
    Local,
    /// Another node's of the same cluster. What one of these publishes is not sent to any of these: each
    /// node sends to each other one what it did not get from one.
    #[doc(alias = "isOort")]
    Node,
}

/// What the WebSocket connections of one session may do. What is none is as the server is configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// For how long nothing may be heard of the peer, which is pinged after three quarters of that. Then
    /// the connection is taken for lost.
    pub silence: Option<Duration>,
    /// The largest message that is taken, in bytes.
    pub max_message_size: Option<usize>,
}

/// How much a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Depth {
    /// Messages.
    pub messages: usize,
    /// Bytes of memory, about: their JSON, and what each needs beside it; for one that somebody looked into
    /// before it was queued, also what was read of it.
    pub bytes: usize,
}

impl Depth {
    /// Makes a depth.
    pub fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes }
    }
}

/// How much may wait for a session, and what happens to what finds no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueBounds {
    /// Messages.
    pub messages: usize,
    /// Bytes of memory, about: their JSON, and some 150 bytes beside it for each; more for those that
    /// somebody looked into before they were queued, such as a listener of the session.
    pub bytes: usize,
    /// What happens to more.
    pub overflow: Overflow,
}

impl QueueBounds {
    /// Makes bounds.
    pub fn new(messages: usize, bytes: usize, overflow: Overflow) -> Self {
        Self { messages, bytes, overflow }
    }
}

/// What happens to a message for which a session's queue has no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The session is ended: a client that cannot keep up starts again rather than miss something.
    #[default]
    Disconnect,
    /// The oldest messages make place.
    DropOldest,
    /// The new message is dropped.
    DropNewest,
    /// Of each channel only the newest message stays; should that not be enough, the oldest make
    /// place.
    KeepLast,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// Its client asked for it.
    Disconnected,
    /// The server's code asked for it.
    Removed,
    /// Nothing was heard of its client for too long.
    #[doc(alias = "timeout")]
    Expired,
    /// Its queue was full, or its client gets more at once than it takes, and would for ever since it has not
    /// acknowledged it (close code 1009, RFC 6455, section 7.4.1).
    Overflowed,
}
