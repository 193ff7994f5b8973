//! From the bytes of a request or a frame to messages, within limits.

use serde::{
    Deserializer as _,
    de::{self, SeqAccess, Visitor},
};

use crate::{Message, json};

/// How much one request or frame may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes; 1 MiB by default.
    pub size: usize,
    /// Messages; 10,000 by default.
    pub messages: usize,
    /// Levels of arrays and objects, the batch's own included; 1,000 by default, as deep as Jackson 2 reads.
    /// Nothing here calls itself for a level: any number is safe, and what it costs is bounded by the bytes.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { size: 1024 * 1024, messages: 10_000, depth: 1000 }
    }
}

/// Why bytes are not messages. All of these are the sender's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than [`Limits::size`].
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// More messages than [`Limits::messages`].
    #[error("more than {0} messages")]
    TooMany(usize),
    /// More levels than [`Limits::depth`].
    #[error("nested deeper than {0} levels")]
    TooDeep(usize),
    /// Not UTF-8.
    #[error("not UTF-8 from byte {0}")]
    Charset(usize),
    /// Not JSON, or JSON that is not messages.
    #[error("not a JSON array of messages")]
    Json(#[from] serde_json::Error),
    /// No message at all: an empty array, or nothing but white space.
    #[error("no message")]
    Empty,
}

/// Reads an array of messages, or a single one. A byte order mark before it is passed over (RFC 8259, section
/// 8.1, lets a reader do so).
///
/// # Errors
///
/// When `bytes` are not JSON messages or pass one of the `limits`.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Vec<Message>, DecodeError> {
    if bytes.len() > limits.size {
        return Err(DecodeError::TooLarge(limits.size));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| DecodeError::Charset(e.valid_up_to()))?;
    if is_blank(bytes) {
        return Err(DecodeError::Empty);
    }
    if is_deeper(bytes, limits.depth) {
        return Err(DecodeError::TooDeep(limits.depth));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let batch = deserializer.deserialize_any(BatchVisitor { most: limits.messages });
    match batch.and_then(|batch| deserializer.end().map(|()| batch)) {
        // By no second reader: what is read in one place only is read faster.
        Err(error) => match json::mended_names(text) {
            Some(mended) => decode(mended.as_bytes(), limits),
            None => Err(error.into()),
        },
        Ok(Batch::TooMany) => Err(DecodeError::TooMany(limits.messages)),
        Ok(Batch::Messages(messages)) if messages.is_empty() => Err(DecodeError::Empty),
        Ok(Batch::Messages(messages)) => Ok(messages),
    }
}

/// Whether there is only what JSON takes for white space.
fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Counts the levels without recursion, before anything that might recurse sees the text.
pub(crate) fn is_deeper(text: &[u8], most: usize) -> bool {
    // Most have so few that they cannot be, which is told without looking for strings.
    count_opening(text) > most && has_levels_above(text, most)
}

/// In parts whose counts fit into a byte each, so that many are counted at once.
fn count_opening(text: &[u8]) -> usize {
    let is_opening = |byte: &u8| u8::from(matches!(byte, b'[' | b'{'));
    let count = |part: &[u8]| part.iter().map(is_opening).sum::<u8>();
    text.chunks(usize::from(u8::MAX)).map(|part| usize::from(count(part))).sum()
}

fn has_levels_above(text: &[u8], most: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

enum Batch {
    Messages(Vec<Message>),
    TooMany,
}

struct BatchVisitor {
    most: usize,
}

impl<'de> Visitor<'de> for BatchVisitor {
    type Value = Batch;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of messages or a message")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Batch, A::Error> {
        let mut messages = Vec::new();
        while messages.len() < self.most {
            match seq.next_element()? {
                Some(message) => messages.push(message),
                None => return Ok(Batch::Messages(messages)),
            }
        }
        let mut is_over = false;
        while seq.next_element::<de::IgnoredAny>()?.is_some() {
            is_over = true;
        }
        Ok(if is_over { Batch::TooMany } else { Batch::Messages(messages) })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Batch, A::Error> {
        use de::{Deserialize, value::MapAccessDeserializer};
        Message::deserialize(MapAccessDeserializer::new(map)).map(|one| Batch::Messages(vec![one]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Message>, DecodeError> {
        decode(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn an_array_and_a_single_object_are_both_read() {
        assert_eq!(read(r#"[{"channel":"/a"},{"channel":"/b"}]"#).unwrap().len(), 2);
        assert_eq!(read(r#" {"channel":"/a"} "#).unwrap()[0].channel(), "/a");
        assert_eq!(read("\u{feff}[{\"channel\":\"/a\"}]").unwrap()[0].channel(), "/a");
    }

    #[test]
    fn nothing_is_an_error() {
        for text in ["[]", " [ ]\n", "", " \t\r\n", "\u{feff}", "\u{feff}[]"] {
            assert!(matches!(read(text), Err(DecodeError::Empty)), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_messages_is_an_error() {
        for text in ["{", "[{]", "[1]", "\"x\"", "null", "[{}] []", "[[{}]]", "[{\"a\":}]"] {
            assert!(matches!(read(text), Err(DecodeError::Json(_))), "{text}");
        }
        let bytes = b"[{\"channel\":\"\xff\"}]";
        assert!(matches!(decode(bytes, &Limits::default()), Err(DecodeError::Charset(13))));
    }

    #[test]
    fn every_limit_is_told_by_its_name() {
        let limits = Limits { size: 100, messages: 2, depth: 4 };
        let read = |text: &str| decode(text.as_bytes(), &limits);
        assert!(matches!(read(&" ".repeat(101)), Err(DecodeError::TooLarge(100))));
        assert!(matches!(read("[{},{},{}]"), Err(DecodeError::TooMany(2))));
        assert_eq!(read("[{},{}]").unwrap().len(), 2);
        assert!(matches!(read(r#"[{"data":[[[]]]}]"#), Err(DecodeError::TooDeep(4))));
        assert_eq!(read(r#"[{"data":[["[[["]]}]"#).unwrap().len(), 1);
        assert!(matches!(
            decode(&b"[".repeat(10_000), &Limits::default()),
            Err(DecodeError::TooDeep(1000))
        ));
    }

    const NAMES: &[&str] = &[
        r#""channel""#,
        r#""id""#,
        r#""clientId""#,
        r#""data""#,
        r#""ext""#,
        r#""advice""#,
        r#""subscription""#,
        r#""successful""#,
        r#""x-messages""#,
        r#""error""#,
        r#""x""#,
        r#""\u0001\"""#,
        r#""supportedConnectionTypes""#,
    ];

    const VALUES: &[&str] = &[
        "null",
        "true",
        "-1",
        "1e999",
        r#""/a""#,
        r#""\u0001\ud800""#,
        "{}",
        "[]",
        r#"["/a"]"#,
        r#"{"timeout":1,"other":[1.0]}"#,
        "[[[[]]]]",
    ];

    proptest! {
        #[test]
        fn any_bytes_are_messages_or_an_error(bytes: Vec<u8>) {
            let _ = decode(&bytes, &Limits::default());
        }

        #[test]
        fn what_is_read_is_written_and_read_back(
            channel in "/[a-z]{1,8}",
            data in r#"(-?[1-9][0-9]{0,30}|"[a-z]{0,9}"|\{"b":[0-9],"a":null\})"#,
        ) {
            let text = format!(r#"[{{"channel":"{channel}","data":{data}}}]"#);
            let messages = read(&text).unwrap();
            let written = crate::encode(&messages);
            prop_assert_eq!(written.as_ref(), text.as_bytes());
        }

        #[test]
        fn whatever_is_read_is_the_same_when_frozen(
            fields: Vec<(
                proptest::sample::Index,
                proptest::sample::Index,
            )>,
        ) {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{}:{}", name.get(NAMES), value.get(VALUES)))
                .collect();
            for message in read(&format!("[{{{}}}]", fields.join(","))).unwrap() {
                prop_assert_eq!(message.clone().freeze().to_message(), message);
            }
        }
    }
}
