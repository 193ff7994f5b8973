//! A message at the end of its changes: encoded once, shared by all who receive it.

use std::ops::Deref;

use bytes::Bytes;

use crate::Message;

/// An immutable message and its JSON. Made by [`Message::freeze`].
#[derive(Debug)]
pub struct Frozen {
    message: Message,
    array: Bytes,
}

impl Frozen {
    pub(crate) fn new(message: Message) -> Self {
        let array = encode(std::iter::once(&message));
        Self { message, array }
    }

    /// Returns the JSON object.
    pub fn json(&self) -> &[u8] {
        &self.array[1..self.array.len() - 1]
    }

    /// Returns the JSON array of just this message, which is how it goes out alone.
    pub fn array(&self) -> &Bytes {
        &self.array
    }

    /// Returns how many bytes this message weighs in a queue.
    pub fn weight(&self) -> usize {
        self.array.len()
    }

    /// Returns a copy that may be changed.
    pub fn to_message(&self) -> Message {
        self.message.clone()
    }
}

impl Deref for Frozen {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

/// Encodes messages as the JSON array that goes on the wire.
pub fn encode<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Bytes {
    let mut array = Vec::with_capacity(USUAL);
    encode_into(&mut array, messages);
    array.into()
}

/// Appends messages as the JSON array that goes on the wire.
pub fn encode_into<'a>(out: &mut Vec<u8>, messages: impl IntoIterator<Item = &'a Message>) {
    out.push(b'[');
    for (index, message) in messages.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, message)
            .expect("a message has string keys only and a Vec takes any write");
    }
    out.push(b']');
}

/// As many bytes as most messages have.
const USUAL: usize = 256;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_and_array_share_their_bytes() {
        let frozen = Message::with_data("/a", json!(1)).freeze();
        assert_eq!(frozen.json(), br#"{"channel":"/a","data":1}"#);
        assert_eq!(frozen.array().as_ref(), br#"[{"channel":"/a","data":1}]"#);
        assert_eq!(frozen.json().as_ptr(), frozen.array()[1..].as_ptr());
    }

    #[test]
    fn several_messages_are_one_array() {
        let messages = [Message::new("/a"), Message::new("/b")];
        assert_eq!(encode(&messages).as_ref(), br#"[{"channel":"/a"},{"channel":"/b"}]"#);
        assert_eq!(encode([]).as_ref(), b"[]");
    }
}
