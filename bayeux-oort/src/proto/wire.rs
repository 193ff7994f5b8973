//! What nodes send each other about an object: the `oort.*` fields.
//!
//! CometD's nodes ignore fields that they do not know, but not actions: those that only ours know are sent to
//! none but ours. A node of ours is known by one more field of its whole parts.

use bayeux_api::Json;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::proto::number::whole;

/// What a node sent about an object.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// Its whole part.
    Whole {
        version: u64,
        object: &'a RawValue,
        is_push: bool,
        peer: Option<String>,
        is_ours: bool,
    },
    /// A change of it.
    Item {
        version: u64,
        action: Action,
        object: &'a RawValue,
    },
    Pull,
    Ask(u64),
    Reached(u64),
    Gone,
}

/// What is done to an entry or to elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Put,
    PutAbsent,
    Remove,
    Add,
    RemoveElements,
}

impl Action {
    /// Returns how it is called on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Put => "oort.map.put",
            Self::PutAbsent => "oort.map.put.absent",
            Self::Remove => "oort.map.remove",
            Self::Add => "oort.list.add",
            Self::RemoveElements => "oort.list.remove",
        }
    }

    fn item_type(self) -> &'static str {
        match self {
            Self::Put | Self::PutAbsent | Self::Remove => ENTRY,
            Self::Add | Self::RemoveElements => ELEMENT,
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        let all = [Self::Put, Self::PutAbsent, Self::Remove, Self::Add, Self::RemoveElements];
        all.into_iter().find(|action| action.name() == name)
    }
}

/// Why what a node sent is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is no object")]
    NoObject,
    #[error("its field {0} is missing, or not what it should be")]
    Field(&'static str),
    #[error("it is about another node's part")]
    Url,
    #[error("it is about another object")]
    Name,
    #[error("its action is unknown, or not one of this object")]
    Action,
}

/// Reads what the node with `url` sent about the object `name`.
pub(crate) fn read<'a>(text: &'a str, url: &str, name: &str) -> Result<Received<'a>, Refused> {
    if !text.trim_start().starts_with('{') {
        return Err(Refused::NoObject);
    }
    let fields: Fields<'a> = serde_json::from_str(text).map_err(|_| Refused::NoObject)?;
    if string(fields.url, URL)? != url {
        return Err(Refused::Url);
    }
    if string(fields.name, NAME)? != name {
        return Err(Refused::Name);
    }
    let action = fields.action.filter(|raw| raw.get() != "null");
    let action = action.map(|action| string(Some(action), ACTION)).transpose()?;
    match action.as_deref() {
        None => fields.whole(false),
        Some(PUSH) => fields.whole(true),
        Some(PULL) => Ok(Received::Pull),
        Some(ASK) => Ok(Received::Ask(version(fields.version)?)),
        Some(REACHED) => Ok(Received::Reached(version(fields.version)?)),
        Some(GONE) => Ok(Received::Gone),
        Some(name) => fields.item(Action::by_name(name).ok_or(Refused::Action)?),
    }
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.url")]
    url: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.name")]
    name: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.object")]
    object: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.version")]
    version: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.type")]
    item_type: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.action")]
    action: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.peer")]
    peer: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "as_it_is", rename = "oort.info.acknowledges")]
    acknowledges: Option<&'a RawValue>,
}

/// Takes a field as it is; that it is `null` is not that it is missing.
fn as_it_is<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Fields<'a> {
    fn whole(self, is_push: bool) -> Result<Received<'a>, Refused> {
        let version = version(self.version)?;
        let object = self.object.ok_or(Refused::Field(OBJECT))?;
        let peer = self.peer.filter(|raw| raw.get() != "null");
        let peer = peer.map(|peer| string(Some(peer), PEER)).transpose()?;
        let is_ours = self.acknowledges.is_some_and(|raw| raw.get() == "true");
        Ok(Received::Whole { version, object, is_push, peer, is_ours })
    }

    fn item(self, action: Action) -> Result<Received<'a>, Refused> {
        let version = version(self.version)?;
        if string(self.item_type, TYPE)? != action.item_type() {
            return Err(Refused::Field(TYPE));
        }
        let object = self.object.ok_or(Refused::Field(OBJECT))?;
        Ok(Received::Item { version, action, object })
    }
}

fn string(raw: Option<&RawValue>, field: &'static str) -> Result<String, Refused> {
    let raw = raw.ok_or(Refused::Field(field))?;
    serde_json::from_str(raw.get()).map_err(|_| Refused::Field(field))
}

/// Reads a version: a whole number, however it is written.
fn version(raw: Option<&RawValue>) -> Result<u64, Refused> {
    let text = raw.ok_or(Refused::Field(VERSION))?.get();
    let version = whole(text).and_then(|version| u64::try_from(version).ok());
    version.filter(|version| *version <= HIGHEST).ok_or(Refused::Field(VERSION))
}

/// The highest version: what any JSON library can hold as a number.
const HIGHEST: u64 = 1 << 53;

/// Reads a value of the application's.
pub(crate) fn value<T: DeserializeOwned>(raw: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.get()).or_else(|_| Json::new(raw)?.to())
}

/// What is sent about an object.
#[derive(Debug, Serialize)]
pub(crate) struct Sent<'a> {
    #[serde(rename = "oort.info.url")]
    url: &'a str,
    #[serde(rename = "oort.info.name")]
    name: &'a str,
    #[serde(rename = "oort.info.object", skip_serializing_if = "Option::is_none")]
    object: Option<&'a RawValue>,
    #[serde(rename = "oort.info.version", skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(rename = "oort.info.type", skip_serializing_if = "Option::is_none")]
    item_type: Option<&'static str>,
    #[serde(rename = "oort.info.action", skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    #[serde(rename = "oort.info.peer", skip_serializing_if = "Option::is_none")]
    peer: Option<&'a str>,
    #[serde(rename = "oort.info.acknowledges", skip_serializing_if = "Option::is_none")]
    acknowledges: Option<bool>,
}

impl<'a> Sent<'a> {
    fn of(url: &'a str, name: &'a str) -> Self {
        Self {
            url,
            name,
            object: None,
            version: None,
            item_type: None,
            action: None,
            peer: None,
            acknowledges: None,
        }
    }

    /// The whole part, to all.
    pub(crate) fn whole(url: &'a str, name: &'a str, version: u64, object: &'a RawValue) -> Self {
        let (object, version) = (Some(object), Some(version));
        Self { object, version, acknowledges: Some(true), ..Self::of(url, name) }
    }

    /// The whole part, to the node with the URL `peer`, which is not to answer.
    pub(crate) fn push(
        url: &'a str,
        name: &'a str,
        version: u64,
        object: &'a RawValue,
        peer: &'a str,
    ) -> Self {
        let whole = Self::whole(url, name, version, object);
        Self { action: Some(PUSH), peer: Some(peer), ..whole }
    }

    /// A change, to all.
    pub(crate) fn item(
        url: &'a str,
        name: &'a str,
        version: u64,
        action: Action,
        object: &'a RawValue,
    ) -> Self {
        let (object, version) = (Some(object), Some(version));
        let (item_type, action) = (Some(action.item_type()), Some(action.name()));
        Self { object, version, item_type, action, ..Self::of(url, name) }
    }

    pub(crate) fn pull(url: &'a str, name: &'a str) -> Self {
        Self { action: Some(PULL), ..Self::of(url, name) }
    }

    /// Asks one of ours to tell when it has a version.
    pub(crate) fn ask(url: &'a str, name: &'a str, version: u64) -> Self {
        Self { action: Some(ASK), version: Some(version), ..Self::of(url, name) }
    }

    /// Tells one of ours which version of its part is here.
    pub(crate) fn reached(url: &'a str, name: &'a str, version: u64) -> Self {
        Self { action: Some(REACHED), version: Some(version), ..Self::of(url, name) }
    }

    /// Tells one of ours that the object is here no longer.
    pub(crate) fn gone(url: &'a str, name: &'a str) -> Self {
        Self { action: Some(GONE), ..Self::of(url, name) }
    }
}

const URL: &str = "oort.info.url";
const NAME: &str = "oort.info.name";
const OBJECT: &str = "oort.info.object";
const VERSION: &str = "oort.info.version";
const TYPE: &str = "oort.info.type";
const ACTION: &str = "oort.info.action";
const PEER: &str = "oort.info.peer";

const ENTRY: &str = "oort.map.entry";
const ELEMENT: &str = "oort.list.element";
const PUSH: &str = "oort.object.push";
const PULL: &str = "oort.object.pull";
const ASK: &str = "oort.object.ask";
const REACHED: &str = "oort.object.reached";
const GONE: &str = "oort.object.gone";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(json: &serde_json::Value) -> Result<String, Refused> {
        read(&json.to_string(), "http://a", "m").map(|received| format!("{received:?}"))
    }

    #[test]
    fn what_is_written_is_what_cometd_writes_and_is_read() {
        let object = serde_json::value::to_raw_value(&json!({ "z": 1 })).unwrap();
        let push = Sent::push("http://a", "m", 4, &object, "http://b");
        let text = serde_json::to_string(&push).unwrap();
        let mut expected = json!({
            "oort.info.url": "http://a", "oort.info.name": "m", "oort.info.object": { "z": 1 },
            "oort.info.version": 4, "oort.info.action": "oort.object.push",
            "oort.info.peer": "http://b", "oort.info.acknowledges": true,
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
        let read = read_json(&expected).unwrap();
        assert!(read.contains("version: 4") && read.contains("is_ours: true"), "{read}");
        expected.as_object_mut().unwrap().remove("oort.info.acknowledges");
        assert!(read_json(&expected).unwrap().contains("is_ours: false"));
        let pull = serde_json::to_value(Sent::pull("http://a", "m")).unwrap();
        let expected = json!({
            "oort.info.url": "http://a", "oort.info.name": "m",
            "oort.info.action": "oort.object.pull",
        });
        assert_eq!(pull, expected);
    }

    #[test]
    fn items_are_what_cometd_writes_and_are_read() {
        let all =
            [Action::Put, Action::PutAbsent, Action::Remove, Action::Add, Action::RemoveElements];
        for action in all {
            let object = serde_json::value::to_raw_value(&json!(["a"])).unwrap();
            let item =
                serde_json::to_value(Sent::item("http://a", "m", 1, action, &object)).unwrap();
            let mut keys: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
            keys.sort();
            let expected = ["action", "name", "object", "type", "url", "version"];
            assert_eq!(keys, expected.map(|key| format!("oort.info.{key}")));
            assert!(read_json(&item).unwrap().contains(&format!("action: {action:?}")));
        }
    }

    #[test]
    fn a_version_is_a_whole_number_however_it_is_written() {
        let of = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            version(Some(&raw)).ok()
        };
        assert_eq!(["0", "21", "21.0", "2.1E1"].map(of), [0, 21, 21, 21].map(Some));
        assert_eq!(of("9007199254740992"), Some(1 << 53));
        let absurd = ["-1", "-1.0", "0.5", "9007199254740993", "1e300", "1e999", "\"1\"", "null"];
        absurd.iter().for_each(|text| assert_eq!(of(text), None, "{text}"));
        assert_eq!(["true", "[1]", "{}"].map(of), [None; 3]);
    }

    #[test]
    fn wrong_types_are_refused_in_every_field() {
        let good = json!({
            "oort.info.url": "http://a", "oort.info.name": "m", "oort.info.object": [1],
            "oort.info.version": 4, "oort.info.action": "oort.list.add",
            "oort.info.type": "oort.list.element",
        });
        assert!(read_json(&good).is_ok());
        let wrong = [json!(1), json!(true), json!([]), json!({}), json!("other"), json!(-1.5)];
        for field in [URL, NAME, VERSION, ACTION, TYPE] {
            for wrong in &wrong {
                let is_version = field == VERSION && *wrong == json!(1);
                let mut bad = good.clone();
                bad[field] = wrong.clone();
                assert_eq!(read_json(&bad).is_ok(), is_version, "{bad}");
            }
        }
        for field in [URL, NAME, VERSION, TYPE, OBJECT] {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(field);
            assert!(read_json(&bad).is_err(), "{bad}");
        }
        for text in ["null", "1", "[]", "\"a\""] {
            assert!(read(text, "http://a", "m").is_err());
        }
    }
}
