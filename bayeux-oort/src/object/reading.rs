//! What a node sent about an object is read: the fields by the rules, the values as the application's types.

use std::{borrow::Cow, fmt, sync::Arc};

use bayeux_api::Json;
use serde::{
    Deserialize, Deserializer as _,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    object::{Malformed, shape::Shape},
    proto::{
        object::{Asks, Heard},
        wire::{self, Received, Refused},
    },
};

/// What was read of a message.
pub(crate) struct Read<S: Shape> {
    pub(crate) heard: Heard<S>,
    pub(crate) malformed: Option<Malformed>,
}

/// Reads what the node with `url` sent about the object `name` to the node with the URL `own`.
pub(crate) fn read<S: Shape>(
    text: &str,
    url: &str,
    name: &str,
    own: &str,
) -> Result<Read<S>, Refused> {
    let mut malformed = None;
    let heard = match wire::read(text, url, name)? {
        Received::Whole { version, object, is_push, peer, is_ours } => {
            let asks = match is_push && peer.as_deref() != Some(own) {
                true => Asks::Yes,
                false => Asks::No,
            };
            let object = S::read(object, &mut malformed).map(Arc::new);
            Heard::Whole { version, object, asks, is_ours }
        }
        Received::Item { version, action, object } => {
            let change = S::read_change(action, object, &mut malformed);
            let change = change.map_err(|_| Refused::Action)?;
            // A value needs some more memory than its JSON, and its place.
            Heard::Item { version, change, bytes: object.get().len() * 2 + 128 }
        }
        Received::Pull => Heard::Pull,
        Received::Ask(version) => Heard::Ask(version),
        Received::Reached(version) => Heard::Reached(version),
        Received::Gone => Heard::Gone,
    };
    Ok(Read { heard, malformed })
}

/// The fields of a JSON object, one by one.
pub(crate) struct Fields<F>(F);

impl<F: FnMut(&str, &RawValue)> Fields<F> {
    /// Calls `each` with the name and the JSON of each field.
    pub(crate) fn each(raw: &RawValue, mut each: F) -> Result<(), serde_json::Error> {
        let read = |text: &str, each: &mut F| {
            let mut reader = serde_json::Deserializer::from_str(text);
            reader.deserialize_map(Fields(each))
        };
        read(raw.get(), &mut each).or_else(|error| {
            // A name may have what Rust's texts cannot hold.
            let mended = Json::new(raw)?.value().to_string();
            match mended == raw.get() {
                true => Err(error),
                false => read(&mended, &mut each),
            }
        })
    }
}

impl<'de, F: FnMut(&str, &RawValue)> Visitor<'de> for Fields<&mut F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some((name, raw)) = fields.next_entry::<Name<'de>, &RawValue>()? {
            (self.0)(&name.0, raw);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
