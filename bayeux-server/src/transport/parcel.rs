//! A response of messages, as the one JSON array that it is.

use bayeux_api::{Frozen, Message, encode_into};
use bytes::Bytes;

use crate::exchange::{Parcel, Receipt};

impl Parcel {
    /// Encodes all messages as one array, in parts, and gives the receipt apart.
    pub(crate) fn encode(mut self) -> (Vec<Bytes>, Receipt) {
        let mut array = Array::default();
        if let Some(reply) = self.greeting {
            array.add_reply(&reply);
        }
        self.queue.iter().for_each(|message| array.add(message));
        self.replies.iter().for_each(|reply| array.add_reply(reply));
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
