//! A message at the end of its changes: encoded once, shared by all who receive it.

use std::{ops::Deref, sync::OnceLock};

use bytes::Bytes;

use crate::{Json, Message, json};

/// An immutable message and its JSON. Made by [`Message::freeze`], or from what another server made by
/// [`from_array`](Self::from_array).
///
/// It may wait in many queues for long, so that it keeps no more than its JSON and what queues look at.
/// Whoever looks at other fields has the message read again from its JSON, once for all.
#[derive(Debug)]
pub struct Frozen {
    array: Bytes,
    channel: Option<Box<str>>,
    is_lazy: bool,
    weight: usize,
    message: OnceLock<Box<Message>>,
}

impl Frozen {
    pub(crate) fn new(mut message: Message) -> Self {
        let mut array = Vec::with_capacity(USUAL);
        encode_into(&mut array, [&message]);
        // No larger than it is.
        let array = Bytes::from(array.into_boxed_slice());
        let is_lazy = message.lazy;
        let (channel, message) = match message.is_readable() {
            true => (message.channel.take(), OnceLock::new()),
            false => (message.channel.clone(), OnceLock::from(Box::new(message))),
        };
        let mut frozen = Self::of_parts(array, channel.map(String::into_boxed_str), message);
        frozen.is_lazy = is_lazy;
        frozen
    }

    /// Puts one together that is not lazy.
    pub(crate) fn of_parts(
        array: Bytes,
        channel: Option<Box<str>>,
        message: OnceLock<Box<Message>>,
    ) -> Self {
        let weight = array.len() + channel.as_deref().map_or(0, str::len) + BESIDE;
        Self { array, channel, is_lazy: false, weight, message }
    }

    /// Returns the JSON object.
    pub fn json(&self) -> &[u8] {
        &self.array[1..self.array.len() - 1]
    }

    /// Returns the JSON array of just this message, which is how it goes out alone.
    pub fn array(&self) -> &Bytes {
        &self.array
    }

    /// Returns the channel's name; empty when the message has none.
    pub fn channel(&self) -> &str {
        self.channel.as_deref().unwrap_or_default()
    }

    /// Returns whether delivery may wait for other messages.
    pub fn is_lazy(&self) -> bool {
        self.is_lazy
    }

    /// Sets whether delivery may wait for other messages.
    pub fn set_lazy(&mut self, lazy: bool) {
        self.is_lazy = lazy;
        if let Some(message) = self.message.get_mut() {
            message.lazy = lazy;
        }
    }

    /// Returns this message as a lazy one, with which it shares its JSON.
    #[must_use]
    pub fn to_lazy(&self) -> Self {
        let (array, channel) = (self.array.clone(), self.channel.clone());
        let mut lazy = Self { array, channel, message: self.message.clone(), ..*self };
        lazy.set_lazy(true);
        lazy
    }

    /// Returns how many bytes of memory a queue needs for this message, about: its JSON, all that is beside
    /// it and, once somebody has looked at other fields, what was read for that. Who adds up weights
    /// takes off again what it has added: another may look at the message meanwhile.
    pub fn weight(&self) -> usize {
        self.weight + self.message.get().map_or(0, |message| self.read_weight(message))
    }

    /// Its texts are those of the JSON.
    fn read_weight(&self, message: &Message) -> usize {
        let fields = message.extra.len() * size_of::<(String, Json)>();
        size_of::<Message>() + self.array.len() + fields
    }

    /// Returns a copy that may be changed.
    pub fn to_message(&self) -> Message {
        Message::clone(self)
    }
}

/// What a message in a queue needs beside its JSON: itself and its counts, its place, and what the
/// allocator rounds up.
const BESIDE: usize = size_of::<Frozen>() + 80;

impl Deref for Frozen {
    type Target = Message;

    fn deref(&self) -> &Message {
        self.message.get_or_init(|| {
            let json = std::str::from_utf8(self.json()).expect("JSON is UTF-8");
            let message = serde_json::from_str(json).or_else(|error| {
                json::mended_names(json).map_or(Err(error), |mended| serde_json::from_str(&mended))
            });
            let mut message: Message =
                message.expect("what was written as a message is read as one");
            message.lazy = self.is_lazy;
            Box::new(message)
        })
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
    fn what_is_read_again_is_the_message() {
        let mut message = Message::with_data("/a\u{1}\"b", json!({ "text": "\u{2028}" }));
        message.ext_mut().insert("x".to_owned(), json!(1));
        message.set_extra("other", json!([1.5]));
        message.lazy = true;
        let frozen = message.clone().freeze();
        assert_eq!((frozen.channel(), frozen.is_lazy()), (message.channel(), true));
        assert_eq!(frozen.to_message(), message);
        assert!(std::ptr::eq(&**frozen, &**frozen));
    }

    #[test]
    fn a_lazy_copy_shares_its_json() {
        for number in [1, Message::MAX_FIELDS] {
            let mut message = Message::new("/a");
            for number in 0..number {
                message.set_extra(number.to_string(), json!(number));
            }
            let frozen = message.freeze();
            let lazy = frozen.to_lazy();
            assert_eq!(lazy.array().as_ptr(), frozen.array().as_ptr());
            assert_eq!((frozen.is_lazy(), frozen.lazy), (false, false));
            assert_eq!((lazy.is_lazy(), lazy.lazy), (true, true));
            assert_eq!((lazy.channel(), lazy.weight()), ("/a", frozen.weight()));
        }
    }

    #[test]
    fn a_message_of_more_fields_than_may_be_read_is_kept() {
        let mut message = Message::new("/a");
        for number in 0..=Message::MAX_FIELDS {
            message.set_extra(number.to_string(), json!(number));
        }
        assert_eq!(message.clone().freeze().to_message(), message);
    }

    #[test]
    fn a_message_without_channel_has_an_empty_one() {
        let frozen = Message::default().freeze();
        assert_eq!((frozen.channel(), frozen.json()), ("", &b"{}"[..]));
    }

    #[test]
    fn what_was_read_weighs() {
        let frozen = Message::with_data("/a", json!("x".repeat(1000))).freeze();
        let before = frozen.weight();
        assert!((1000..2000).contains(&before), "{before}");
        assert!(frozen.data.is_some());
        assert!(frozen.weight() >= before + 1000 + size_of::<Message>());
    }

    #[test]
    fn several_messages_are_one_array() {
        let messages = [Message::new("/a"), Message::new("/b")];
        assert_eq!(encode(&messages).as_ref(), br#"[{"channel":"/a"},{"channel":"/b"}]"#);
        assert_eq!(encode([]).as_ref(), b"[]");
    }
}
