//! The Bayeux message: every field of the protocol typed, unknown ones kept.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use read::{Name, read_text};

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
