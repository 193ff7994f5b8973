//! A message on its way through the server.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use bayeux_common::{BayeuxError, ConnectionType, Message};

use crate::server::BayeuxContext;

/// A message that arrived, together with its reply in the making and what carried it.
#[derive(Debug)]
pub struct ServerMessage {
    message: Message,
    reply: Message,
    is_handled: bool,
    context: Option<Arc<BayeuxContext>>,
    transport: Option<ConnectionType>,
}

impl ServerMessage {
    /// Wraps a message that did not come over a transport.
    pub fn new(message: Message) -> Self {
        let reply = message.reply();
        Self { message, reply, is_handled: false, context: None, transport: None }
    }

    /// Wraps a message that came over `transport`.
    pub fn received(
        message: Message,
        transport: ConnectionType,
        context: Option<Arc<BayeuxContext>>,
    ) -> Self {
        Self { context, transport: Some(transport), ..Self::new(message) }
    }

    /// Returns the reply in the making.
    #[doc(alias = "getAssociated")]
    pub fn reply_message(&self) -> &Message {
        &self.reply
    }

    /// Returns the reply in the making, for changing it.
    pub fn reply_mut(&mut self) -> &mut Message {
        &mut self.reply
    }

    /// Says that whoever stops this message has completed its reply, which then does not become
    /// `404::message_deleted`.
    pub fn set_handled(&mut self, handled: bool) {
        self.is_handled = handled;
    }

    /// Makes the reply say that the message was deleted, unless it [is handled](Self::set_handled).
    pub fn delete(&mut self) {
        if !self.is_handled {
            self.reply.fail(&BayeuxError::MessageDeleted);
        }
    }

    /// Returns what carried the message; none for a local session's.
    #[doc(alias = "getBayeuxContext")]
    pub fn context(&self) -> Option<&Arc<BayeuxContext>> {
        self.context.as_ref()
    }

    /// Returns the transport the message came over; none for a local session's.
    #[doc(alias = "getServerTransport")]
    pub fn transport(&self) -> Option<ConnectionType> {
        self.transport
    }

    /// Takes the reply.
    pub fn into_reply(self) -> Message {
        self.reply
    }

    /// Takes the message, leaving an empty one.
    pub fn take(&mut self) -> Message {
        std::mem::take(&mut self.message)
    }
}

impl Deref for ServerMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl DerefMut for ServerMessage {
    fn deref_mut(&mut self) -> &mut Message {
        &mut self.message
    }
}
