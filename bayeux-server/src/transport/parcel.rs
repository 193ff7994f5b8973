//! What goes back with one response, and what happens to it if it does not arrive.

use std::sync::Arc;

use bayeux_api::{Frozen, Message, encode_into};
use bytes::Bytes;

use crate::{proto::session::Cycle, server::Server, session::Session};

/// The messages of one response: the reply to a handshake, then what was queued, then the other
/// replies.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) handshake: Option<Box<Message>>,
    pub(crate) queue: Vec<Arc<Frozen>>,
    pub(crate) replies: Vec<Option<Message>>,
    pub(crate) receipt: Receipt,
}

impl Parcel {
    /// Encodes all messages as one array, in parts, and gives the receipt apart.
    pub(crate) fn encode(mut self) -> (Vec<Bytes>, Receipt) {
        let mut array = Array::default();
        if let Some(reply) = self.handshake {
            array.add_reply(&reply);
        }
        self.queue.iter().for_each(|message| array.add(message));
        self.replies.iter().flatten().for_each(|reply| array.add_reply(reply));
        self.receipt.messages = self.queue;
        (array.end(), self.receipt)
    }
}

/// A JSON array of messages. Large ones are shared with all other responses that carry them, small
/// ones copied together.
#[derive(Default)]
struct Array {
    parts: Vec<Bytes>,
    open: Vec<u8>,
}

/// How large a message is shared, rather than copied.
pub(crate) const SHARED: usize = 8 * 1024;

impl Array {
    fn add_reply(&mut self, reply: &Message) {
        let start = self.open.len();
        encode_into(&mut self.open, [reply]);
        // Its own brackets become those of this array.
        self.open[start] = if self.parts.is_empty() && start == 0 { b'[' } else { b',' };
        self.open.pop();
    }

    fn add(&mut self, message: &Frozen) {
        let is_first = self.parts.is_empty() && self.open.is_empty();
        self.open.push(if is_first { b'[' } else { b',' });
        if message.json().len() < SHARED {
            self.open.extend_from_slice(message.json());
            return;
        }
        self.parts.push(std::mem::take(&mut self.open).into());
        let array = message.array();
        self.parts.push(array.slice(1..array.len() - 1));
    }

    fn end(mut self) -> Vec<Bytes> {
        let is_empty = self.parts.is_empty() && self.open.is_empty();
        self.open.extend_from_slice(if is_empty { b"[]" } else { b"]" });
        self.parts.push(self.open.into());
        self.parts
    }
}

/// Stands for a response on its way. Dropped before it is [`delivered`](Self::delivered), it puts
/// the messages back into their session's queue; either way the session counts its silence from
/// then on.
#[derive(Debug)]
#[must_use]
pub(crate) struct Receipt {
    server: Server,
    session: Option<Arc<Session>>,
    /// The connect that is answered.
    pub(crate) cycle: Option<Cycle>,
    pub(crate) messages: Vec<Arc<Frozen>>,
}

impl Receipt {
    pub(crate) fn new(server: &Server, session: Option<Arc<Session>>) -> Self {
        Self { server: server.clone(), session, cycle: None, messages: Vec::new() }
    }

    /// The messages were handed over to the connection.
    pub(crate) fn delivered(&mut self) {
        self.server.0.counters.messages_sent.add(self.messages.len());
        self.messages = Vec::new();
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Some(session) = &self.session else { return };
        if let Some(cycle) = self.cycle {
            session.replied(cycle);
        }
        session.put_back(std::mem::take(&mut self.messages));
    }
}
