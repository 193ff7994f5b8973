//! A message that another server has encoded, for subscribers here: checked once, and neither decoded nor
//! encoded again.

use std::{fmt, sync::OnceLock};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    ChannelId, Frozen, Message, json,
    message::{Name, read_text},
};

/// Why bytes are not a message that subscribers may get as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceivedError {
    /// They are not the JSON array of one message, or there is white space around it.
    #[error("not the JSON array of one message")]
    Json(#[from] serde_json::Error),
    /// Its channel is none that broadcasts are on: not a channel name or not spelled as servers do, wild,
    /// or a meta or service channel.
    #[error("not on a broadcast channel")]
    Channel,
    /// It has the `id` or the `clientId` of its publisher, which nobody else may see.
    #[error("it has the id or the clientId of its publisher")]
    Identified,
}

impl Frozen {
    /// Takes a message as another server encoded it, of which [`array`](Self::array) is that form. It is
    /// not lazy; [`set_lazy`](Self::set_lazy) repeats what the other one said.
    ///
    /// The bytes are kept as they are, and as long as the message waits in any queue. Of a slice of a
    /// larger buffer, all of which would be kept, a copy is better.
    ///
    /// # Errors
    ///
    /// When the bytes are not one message, or not one that subscribers may get as it is.
    pub fn from_array(array: Bytes) -> Result<Self, ReceivedError> {
        let text = std::str::from_utf8(&array).map_err(|_| no_array("not UTF-8"))?;
        let (head,) = serde_json::from_str::<(Head,)>(text).or_else(|error| {
            json::mended_names(text).map_or(Err(error), |mended| serde_json::from_str(&mended))
        })?;
        if !(array.starts_with(b"[") && array.ends_with(b"]")) {
            return Err(no_array("white space around the array").into());
        }
        if head.is_identified {
            return Err(ReceivedError::Identified);
        }
        let channel = head.channel.filter(|name| is_broadcast(name));
        let channel = channel.ok_or(ReceivedError::Channel)?.into_boxed_str();
        Ok(Self::of_parts(array, Some(channel), OnceLock::new()))
    }
}

fn no_array(why: &str) -> serde_json::Error {
    de::Error::custom(why)
}

fn is_broadcast(name: &str) -> bool {
    ChannelId::new(name).is_ok_and(|id| id.as_str() == name && id.is_broadcast() && !id.is_wild())
}

/// What has to be known of a message before it is queued.
#[derive(Default)]
struct Head {
    channel: Option<String>,
    is_identified: bool,
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message object")
    }

    /// Reads as much as makes sure that the message can be read later.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Head, A::Error> {
        let (mut head, mut fields) = (Head::default(), 0);
        while let Some(Name(name)) = map.next_key()? {
            fields += 1;
            if fields > Message::MAX_FIELDS {
                return Err(de::Error::custom("a message with too many fields"));
            }
            let value = map.next_value::<&RawValue>()?;
            match &*name {
                // Of a field that comes twice the last counts.
                "channel" => {
                    head.channel = None;
                    read_text(value, &mut head.channel);
                }
                "id" | "clientId" => head.is_identified = true,
                _ => {}
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Frozen, ReceivedError> {
        Frozen::from_array(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn the_bytes_are_kept_as_they_are() {
        let text = r#"[ {"x":[1.10],"data":{"z":1e2},"channel":"/\u0061"}]"#;
        let bytes = Bytes::from(text);
        let frozen = Frozen::from_array(bytes.clone()).unwrap();
        assert_eq!(frozen.array().as_ptr(), bytes.as_ptr());
        assert_eq!((frozen.channel(), frozen.is_lazy()), ("/a", false));
        assert_eq!(frozen.extra("x").unwrap().text(), "[1.10]");
        assert_eq!(frozen.data.as_ref().unwrap().text(), r#"{"z":1e2}"#);
    }

    #[test]
    fn what_one_server_froze_another_takes_with_the_same_weight() {
        let frozen = Message::with_data("/a", 1).freeze();
        let taken = Frozen::from_array(frozen.array().clone()).unwrap();
        assert_eq!(taken.array(), frozen.array());
        assert_eq!(taken.weight(), frozen.weight());
        assert_eq!(taken.to_message(), frozen.to_message());
    }

    #[test]
    fn what_is_not_the_array_of_one_message_is_refused() {
        let fields: Vec<_> = (0..Message::MAX_FIELDS).map(|n| format!("\"f{n}\":0")).collect();
        let too_many = format!(r#"[{{"channel":"/a",{}}}]"#, fields.join(","));
        for text in [
            "",
            "{}",
            "[]",
            "[1]",
            r#"{"channel":"/a"}"#,
            r#"[{"channel":"/a"}"#,
            r#"[{"channel":"/a"},{"channel":"/a"}]"#,
            r#"[[{"channel":"/a"}]]"#,
            r#" [{"channel":"/a"}]"#,
            r#"[{"channel":"/a"}] "#,
            r#"[{"channel":"/a","data":}]"#,
            &too_many,
        ] {
            assert!(matches!(read(text), Err(ReceivedError::Json(_))), "{text}");
        }
        let bytes = Bytes::from_static(b"[{\"channel\":\"/a\",\"data\":\"\xff\"}]");
        assert!(matches!(Frozen::from_array(bytes), Err(ReceivedError::Json(_))));
    }

    #[test]
    fn what_is_on_no_broadcast_channel_is_refused() {
        for channel in
            ["7", "null", r#""a""#, r#""/a/""#, r#""/a/*""#, r#""/**""#, r#""/meta/connect""#]
        {
            let text = format!(r#"[{{"channel":"/a","channel":{channel},"data":1}}]"#);
            assert!(matches!(read(&text), Err(ReceivedError::Channel)), "{text}");
        }
        assert!(matches!(read(r#"[{"channel":"/service/a"}]"#), Err(ReceivedError::Channel)));
        assert!(matches!(read(r#"[{"data":1}]"#), Err(ReceivedError::Channel)));
        assert!(read(r#"[{"channel":7,"channel":"/{a}/b"}]"#).is_ok());
    }

    #[test]
    fn ids_of_publishers_go_no_further() {
        for field in [r#""id":"1""#, r#""clientId":"x""#, r#""client\u0049d":"x""#] {
            let text = format!(r#"[{{"channel":"/a",{field}}}]"#);
            assert!(matches!(read(&text), Err(ReceivedError::Identified)), "{text}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_in_a_name_is_kept_and_read() {
        let text = r#"[{"channel":"/a","\ud83d":"\ud83d"}]"#;
        let frozen = read(text).unwrap();
        assert_eq!(frozen.array(), text.as_bytes());
        assert_eq!(frozen.extra("\u{fffd}").unwrap().text(), r#""\ud83d""#);
    }

    #[test]
    fn whether_it_is_lazy_is_said_beside_it() {
        let mut frozen = read(r#"[{"channel":"/a","data":1}]"#).unwrap();
        assert!(!frozen.lazy);
        frozen.set_lazy(true);
        assert!(frozen.is_lazy() && frozen.lazy);
    }

    proptest! {
        /// What is taken has to be readable, which its fields rely on.
        #[test]
        fn what_is_taken_can_be_read(
            name in r#"(channel|data|x|\\u0078|\\ud800|ext)"#,
            value in r#"(-?[0-9]{1,3}|1e999|"[^"]{0,4}"|"\\\\u[0-9a-f]{2,4}"|\{"a":?[0-9]\}|\[+\]+)"#,
        ) {
            let text = format!(r#"[{{"channel":"/a","{name}":{value}}}]"#);
            if let Ok(frozen) = read(&text) {
                let message = frozen.to_message();
                prop_assert_eq!(message.channel(), frozen.channel());
            }
        }
    }
}
