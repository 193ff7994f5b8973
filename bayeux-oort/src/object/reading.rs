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

/// Calls `each` with the name and the JSON of each field of an object, once it is known to be one.
pub(crate) fn each_field(
    raw: &RawValue,
    mut each: impl FnMut(&str, &RawValue),
) -> Result<(), serde_json::Error> {
    let mut call = |fields: Vec<(Name<'_>, &RawValue)>| {
        fields.iter().for_each(|(name, raw)| each(&name.0, raw));
    };
    let read = |text| serde_json::Deserializer::from_str(text).deserialize_map(Fields);
    match read(raw.get()) {
        Ok(fields) => call(fields),
        Err(error) => {
            // A name may have what Rust's texts cannot hold.
            let mended = Json::new(raw)?.value().to_string();
            if mended == raw.get() {
                return Err(error);
            }
            call(read(&mended)?);
        }
    }
    Ok(())
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(Name<'de>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(field) = fields.next_entry()? {
            all.push(field);
        }
        Ok(all)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_told_once_even_if_a_name_has_to_be_mended() {
        for (text, count) in [(r#"{"a":1,"b":[2]}"#, 2), (r#"{"a":1,"\ud800":2,"b":3}"#, 3)] {
            let (raw, mut told) = (RawValue::from_string(text.to_owned()).unwrap(), Vec::new());
            each_field(&raw, |name, _| told.push(name.to_owned())).unwrap();
            assert_eq!(told.len(), count, "{told:?}");
        }
        let raw = RawValue::from_string("[1]".to_owned()).unwrap();
        assert!(each_field(&raw, |name, _| panic!("{name}")).is_err());
    }
}
