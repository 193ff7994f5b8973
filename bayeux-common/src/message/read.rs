//! A message out of JSON text.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{Json, Message, json};

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
    match json::read(raw.get()) {
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
