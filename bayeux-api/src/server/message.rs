//! A message on its way through the server.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use bayeux_common::{BayeuxError, ConnectionType, Message};

use crate::server::BayeuxContext;

/// A message that arrived, together with its reply in the making and what carried it.
#[derive(Clone, Debug)]
pub struct ServerMessage {
    /// Boxed, since it goes through many hands, and is large.
    parts: Box<Parts>,
}

#[derive(Clone, Debug)]
struct Parts {
    message: Message,
    reply: Message,
    is_handled: bool,
    context: Option<Arc<BayeuxContext>>,
    transport: Option<ConnectionType>,
}

impl ServerMessage {
    /// Wraps a message that did not come over a transport.
    pub fn new(message: Message) -> Self {
        Self::with(message, None, None)
    }

    /// Wraps a message that came over `transport`. The server's own, as all that is hidden here.
    #[doc(hidden)]
    pub fn received(
        message: Message,
        transport: ConnectionType,
        context: Option<Arc<BayeuxContext>>,
    ) -> Self {
        Self::with(message, Some(transport), context)
    }

    fn with(
        message: Message,
        transport: Option<ConnectionType>,
        context: Option<Arc<BayeuxContext>>,
    ) -> Self {
        let reply = message.reply();
        let parts = Parts { message, reply, is_handled: false, context, transport };
        Self { parts: Box::new(parts) }
    }

    /// Returns the reply in the making.
    #[doc(alias = "getAssociated")]
    pub fn reply_message(&self) -> &Message {
        &self.parts.reply
    }

    /// Returns the reply in the making, for changing it.
    pub fn reply_mut(&mut self) -> &mut Message {
        &mut self.parts.reply
    }

    /// Says that whoever stops this message has completed its reply, which then does not become
    /// `404::message_deleted`.
    pub fn set_handled(&mut self, handled: bool) {
        self.parts.is_handled = handled;
    }

    /// Makes the reply say that the message was deleted, unless it [is handled](Self::set_handled).
    #[doc(hidden)]
    pub fn delete(&mut self) {
        if !self.parts.is_handled {
            self.parts.reply.fail(&BayeuxError::MessageDeleted);
        }
    }

    /// Returns what carried the message; none for a local session's.
    #[doc(alias = "getBayeuxContext")]
    pub fn context(&self) -> Option<&Arc<BayeuxContext>> {
        self.parts.context.as_ref()
    }

    /// Returns the transport the message came over; none for a local session's.
    #[doc(alias = "getServerTransport")]
    pub fn transport(&self) -> Option<ConnectionType> {
        self.parts.transport
    }

    /// Takes the reply.
    #[doc(hidden)]
    pub fn into_reply(self) -> Message {
        self.parts.reply
    }
}

impl Deref for ServerMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.parts.message
    }
}

impl DerefMut for ServerMessage {
    fn deref_mut(&mut self) -> &mut Message {
        &mut self.parts.message
    }
}
