//! What goes back with one response, and what happens to it if it does not arrive.

use std::sync::Arc;

use bayeux_api::{Frozen, Message};
use bytes::Bytes;

use crate::{proto::session::Cycle, server::Server, session::Session};

/// The messages of one response: the reply to a handshake, then what was queued, then the other
/// replies.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) handshake: Option<Message>,
    pub(crate) queue: Vec<Arc<Frozen>>,
    pub(crate) replies: Vec<Message>,
    pub(crate) receipt: Receipt,
}

impl Parcel {
    /// Encodes all messages as one array, and gives the receipt apart.
    pub(crate) fn encode(mut self) -> (Bytes, Receipt) {
        let size: usize = self.queue.iter().map(|message| message.weight()).sum();
        let mut array = Vec::with_capacity(size + 256 * (1 + self.replies.len()));
        array.push(b'[');
        let mut add = |json: &[u8]| {
            if array.len() > 1 {
                array.push(b',');
            }
            array.extend_from_slice(json);
        };
        if let Some(reply) = self.handshake {
            add(reply.freeze().json());
        }
        self.queue.iter().for_each(|message| add(message.json()));
        self.replies.into_iter().for_each(|reply| add(reply.freeze().json()));
        array.push(b']');
        self.receipt.messages = self.queue;
        (array.into(), self.receipt)
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
