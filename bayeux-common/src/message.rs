//! The Bayeux message: every field of the protocol typed, unknown ones kept.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::{Map, Value, value::RawValue};

use crate::{Advice, BayeuxError, Frozen, Json, meta};

/// One message. Reading it from JSON never fails for the type of a field: what is not of its
/// field's type is kept in [`extra`](Self::extra) under the field's name, so that one wrong message
/// does not spoil its batch and [`is_malformed`](Self::is_malformed) tells.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// The channel, as sent; see [`channel`](Self::channel).
    pub channel: Option<String>,
    /// The request's id, which its reply repeats. A number is read as its text.
    pub id: Option<String>,
    /// The session's id.
    pub client_id: Option<String>,
    /// The payload.
    pub data: Option<Json>,
    /// What the extensions of both ends tell each other: a JSON object.
    pub ext: Option<Json>,
    /// Advice on reconnecting.
    pub advice: Option<Advice>,
    /// The protocol's version, in handshakes.
    pub version: Option<String>,
    /// The oldest version the sender speaks, in handshakes.
    pub minimum_version: Option<String>,
    /// The sender's transports, in handshakes.
    pub supported_connection_types: Option<Vec<String>>,
    /// The transport in use, in connects.
    pub connection_type: Option<String>,
    /// The channels of a subscribe or unsubscribe.
    pub subscription: Option<Subscription>,
    /// Whether the request succeeded, in replies.
    pub successful: Option<bool>,
    /// Why it did not; see [`BayeuxError`].
    pub error: Option<String>,
    /// When the message was sent; the timestamp extension writes it.
    pub timestamp: Option<String>,
    /// How many messages follow a handshake reply in the same delivery (`x-messages`).
    pub x_messages: Option<u64>,
    /// All other fields, in the order they came.
    pub extra: Vec<(String, Json)>,
    /// Whether delivery may wait for other messages. Never on the wire.
    pub lazy: bool,
}

impl Message {
    /// The most fields that one message may have; more are an error, since each costs a look-up.
    pub const MAX_FIELDS: usize = 256;

    /// Makes an empty message on `channel`.
    pub fn new(channel: impl Into<String>) -> Self {
        Self { channel: Some(channel.into()), ..Self::default() }
    }

    /// Makes a message on `channel` that carries `data`.
    pub fn with_data(channel: impl Into<String>, data: impl Into<Json>) -> Self {
        Self { channel: Some(channel.into()), data: Some(data.into()), ..Self::default() }
    }

    /// Makes the reply to this message: its channel, id and subscription.
    #[must_use]
    pub fn reply(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            id: self.id.clone(),
            subscription: self.subscription.clone(),
            ..Self::default()
        }
    }

    /// Returns the channel's name; empty when the message has none.
    pub fn channel(&self) -> &str {
        self.channel.as_deref().unwrap_or_default()
    }

    /// Returns whether the channel is a `/meta/...` one.
    pub fn is_meta(&self) -> bool {
        self.channel().starts_with("/meta/")
    }

    /// Returns whether `successful` is there and true.
    pub fn is_successful(&self) -> bool {
        self.successful == Some(true)
    }

    /// Returns whether this is the reply to a publish: not on a meta channel, and without data.
    pub fn is_publish_reply(&self) -> bool {
        !self.is_meta() && self.data.is_none()
    }

    /// Returns the reason of a failure, when it is one of the protocol's.
    pub fn bayeux_error(&self) -> Option<BayeuxError> {
        self.error.as_deref()?.parse().ok()
    }

    /// Turns this reply into the refusal for `error`.
    pub fn fail(&mut self, error: &BayeuxError) {
        self.successful = Some(false);
        self.error = Some(error.to_string());
    }

    /// Returns whether the field of this name came with a value of the wrong type.
    pub fn is_malformed(&self, field: &str) -> bool {
        self.extra(field).is_some() && TYPED.contains(&field)
    }

    /// Returns the unknown field of this name.
    pub fn extra(&self, name: &str) -> Option<&Json> {
        self.extra.iter().find_map(|(key, json)| (key == name).then_some(json))
    }

    /// Sets the unknown field of this name.
    pub fn set_extra(&mut self, name: impl Into<String>, json: impl Into<Json>) {
        let (name, json) = (name.into(), json.into());
        match self.extra.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = json,
            None => self.extra.push((name, json)),
        }
    }

    /// Returns the value of one extension in `ext`.
    pub fn ext_field(&self, name: &str) -> Option<Value> {
        match self.ext.as_ref()?.value() {
            Value::Object(mut fields) => fields.remove(name),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => None,
        }
    }

    /// Returns `ext` for changing it, made first if there is none.
    pub fn ext_mut(&mut self) -> &mut Map<String, Value> {
        let value = self.ext.get_or_insert_with(|| Value::Object(Map::new()).into()).value_mut();
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Object(fields) => fields,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                unreachable!("it was just made an object")
            }
        }
    }

    /// Returns `advice` for changing it, made first if there is none.
    pub fn advice_mut(&mut self) -> &mut Advice {
        self.advice.get_or_insert_default()
    }

    /// Encodes the message once for all its receivers. From here on it cannot change.
    pub fn freeze(self) -> Arc<Frozen> {
        Arc::new(Frozen::new(self))
    }

    /// Whether reading it from its JSON makes the same message: not if an application gave it more fields
    /// than may be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.extra.len() + TYPED.len() <= Self::MAX_FIELDS
    }

    /// Returns whether this is a `/meta/handshake`.
    pub fn is_handshake(&self) -> bool {
        self.is_on(meta::HANDSHAKE)
    }

    /// Returns whether this is a `/meta/connect`.
    pub fn is_connect(&self) -> bool {
        self.is_on(meta::CONNECT)
    }

    /// Returns whether the channel is this one, in whatever spelling.
    fn is_on(&self, name: &str) -> bool {
        self.channel.as_deref().is_some_and(|own| {
            own == name
                || own.starts_with(name)
                    && crate::ChannelId::new(own).is_ok_and(|id| id.as_str() == name)
        })
    }
}

/// What a subscribe or unsubscribe is about; a reply repeats it in the form it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subscription {
    /// One channel.
    One(String),
    /// Several channels.
    Many(Vec<String>),
}

impl Subscription {
    /// Returns the channels.
    pub fn channels(&self) -> &[String] {
        match self {
            Self::One(channel) => std::slice::from_ref(channel),
            Self::Many(channels) => channels,
        }
    }
}

/// The fields whose value has one type, as they are named on the wire.
const TYPED: [&str; 15] = [
    "channel",
    "id",
    "clientId",
    "data",
    "ext",
    "advice",
    "version",
    "minimumVersion",
    "supportedConnectionTypes",
    "connectionType",
    "subscription",
    "successful",
    "error",
    "timestamp",
    "x-messages",
];

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        macro_rules! entries {
            ($($name:literal: $field:ident,)*) => {
                $(if let Some(value) = &self.$field {
                    map.serialize_entry($name, value)?;
                })*
            };
        }
        entries! {
            "channel": channel,
            "id": id,
            "clientId": client_id,
            "successful": successful,
            "error": error,
            "version": version,
            "minimumVersion": minimum_version,
            "supportedConnectionTypes": supported_connection_types,
            "connectionType": connection_type,
            "subscription": subscription,
            "advice": advice,
            "timestamp": timestamp,
            "x-messages": x_messages,
            "ext": ext,
            "data": data,
        }
        for (name, json) in &self.extra {
            map.serialize_entry(name, json)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Message {
    /// Reads a message from JSON text; only from text, since payloads stay as they are.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut message = Message::default();
        let mut fields = 0;
        while let Some(Name(name)) = map.next_key()? {
            fields += 1;
            if fields > Message::MAX_FIELDS {
                return Err(de::Error::custom("a message with too many fields"));
            }
            message.read_field(name, map.next_value::<&RawValue>()?);
        }
        Ok(message)
    }
}

/// The name of a field, copied only if it has escapes.
pub(crate) struct Name<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

impl Message {
    /// Reads one field. Of a field that comes twice the last counts, as in JavaScript and Java.
    fn read_field(&mut self, name: Cow<'_, str>, raw: &RawValue) {
        self.extra.retain(|(key, _)| *key != name);
        let is_read = match &*name {
            "channel" => read_text(raw, &mut self.channel),
            "id" => self.read_id(raw),
            "clientId" => read_text(raw, &mut self.client_id),
            "data" => {
                self.data = Some(Json::from_raw(raw));
                true
            }
            "ext" => self.read_ext(raw),
            "advice" => read(raw, &mut self.advice),
            "version" => read(raw, &mut self.version),
            "minimumVersion" => read(raw, &mut self.minimum_version),
            "supportedConnectionTypes" => read(raw, &mut self.supported_connection_types),
            "connectionType" => read_text(raw, &mut self.connection_type),
            "subscription" => read(raw, &mut self.subscription),
            "successful" => read(raw, &mut self.successful),
            "error" => read(raw, &mut self.error),
            "timestamp" => read(raw, &mut self.timestamp),
            "x-messages" => read(raw, &mut self.x_messages),
            _ => false,
        };
        if !is_read {
            self.extra.push((name.into_owned(), Json::from_raw(raw)));
        }
    }

    fn read_id(&mut self, raw: &RawValue) -> bool {
        let is_number = raw.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if is_number {
            self.id = Some(raw.get().to_owned());
            return true;
        }
        read_text(raw, &mut self.id)
    }

    fn read_ext(&mut self, raw: &RawValue) -> bool {
        let ext = Json::from_raw(raw);
        let is_null = raw.get() == "null";
        let is_read = is_null || ext.is_object();
        self.ext = (is_read && !is_null).then_some(ext);
        is_read
    }
}

/// Reads a text field; most have no escapes, and are what is between their quotes.
pub(crate) fn read_text(raw: &RawValue, field: &mut Option<String>) -> bool {
    let text = raw.get().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match text.filter(|text| !text.contains('\\')) {
        Some(text) => {
            *field = Some(text.to_owned());
            true
        }
        None => read(raw, field),
    }
}

/// Reads a field, where `null` is the same as leaving it out; false when it has another type.
fn read<T: DeserializeOwned>(raw: &RawValue, field: &mut Option<T>) -> bool {
    match serde_json::from_str(raw.get()) {
        Ok(value) => {
            *field = value;
            true
        }
        Err(_) => {
            *field = None;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Message {
        serde_json::from_str(text).unwrap()
    }

    fn print(message: &Message) -> String {
        serde_json::to_string(message).unwrap()
    }

    #[test]
    fn unknown_fields_are_kept_in_order_and_to_the_digit() {
        let text = r#"{"channel":"/a","data":{"z":1,"a":[1.000]},"y":0.10,"x":{"n":1e2}}"#;
        assert_eq!(print(&parse(text)), text);
    }

    #[test]
    fn null_data_is_kept_and_other_nulls_are_not() {
        let message = parse(r#"{"channel":"/a","id":null,"ext":null,"data":null}"#);
        assert_eq!(message.data.as_ref().unwrap().value(), Value::Null);
        assert_eq!(print(&message), r#"{"channel":"/a","data":null}"#);
    }

    #[test]
    fn a_numeric_id_becomes_text() {
        assert_eq!(parse(r#"{"id":42}"#).id.as_deref(), Some("42"));
        assert_eq!(parse(r#"{"id":"42"}"#).id.as_deref(), Some("42"));
    }

    #[test]
    fn wrong_types_are_told_and_spoil_nothing_else() {
        let message = parse(
            r#"{"channel":7,"id":{},"clientId":1,"advice":{"timeout":"1"},"ext":[],
                "subscription":5,"successful":"yes","data":3}"#,
        );
        for field in ["channel", "id", "clientId", "advice", "ext", "subscription", "successful"] {
            assert!(message.is_malformed(field), "{field}");
        }
        assert!(!message.is_malformed("data"));
        assert_eq!(message.channel(), "");
    }

    #[test]
    fn the_last_of_two_fields_counts() {
        let message = parse(r#"{"channel":"/a","channel":"/b","x":1,"x":2,"id":{},"id":"3"}"#);
        assert_eq!(print(&message), r#"{"channel":"/b","id":"3","x":2}"#);
        assert!(parse(r#"{"channel":"/a","channel":7}"#).is_malformed("channel"));
    }

    #[test]
    fn too_many_fields_are_an_error() {
        let fields: Vec<_> = (0..=Message::MAX_FIELDS).map(|n| format!("\"f{n}\":0")).collect();
        let text = format!("{{{}}}", fields.join(","));
        assert!(serde_json::from_str::<Message>(&text).is_err());
    }

    #[test]
    fn replies_repeat_what_they_answer() {
        let request = parse(r#"{"channel":"/meta/subscribe","id":"1","subscription":["/a"]}"#);
        let mut reply = request.reply();
        reply.fail(&BayeuxError::SubscriptionInvalid);
        assert_eq!(
            print(&reply),
            r#"{"channel":"/meta/subscribe","id":"1","successful":false,"error":"403::subscription_invalid","subscription":["/a"]}"#
        );
        assert_eq!(reply.bayeux_error(), Some(BayeuxError::SubscriptionInvalid));
    }

    #[test]
    fn ext_is_made_when_asked_for() {
        let mut message = Message::new("/a");
        message.ext_mut().insert("ack".to_owned(), json!(true));
        assert_eq!(message.ext_field("ack"), Some(json!(true)));
        assert_eq!(message.ext_field("other"), None);
    }
}
