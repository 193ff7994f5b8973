//! A JSON value that stays the text it arrived in until somebody asks for the value.

mod mend;
mod tokens;

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

/// JSON of the application: the `data`, `ext` and unknown fields of a message.
///
/// A relayed payload is checked once and never rebuilt: numbers keep every digit, objects their
/// order, strings their escapes.
///
/// What is readable is read. JSON may have what Rust's types cannot hold (RFC 8259, sections 6 and 8.2): half
/// of a surrogate pair, such as an emoji that was cut in two, is read as U+FFFD, and a number that is no finite
/// [`f64`] as the largest that is, with its sign.
#[derive(Clone)]
pub struct Json(Form);

#[derive(Clone)]
enum Form {
    Text(Box<RawValue>),
    Value(Value),
}

impl Json {
    /// Serializes `value`.
    ///
    /// # Errors
    ///
    /// When `value` has no JSON form, such as a map with keys that are not strings.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(|text| Self(Form::Text(text)))
    }

    /// Takes JSON text as it is.
    ///
    /// # Errors
    ///
    /// When `text` is not one JSON value.
    pub fn from_text(text: impl Into<String>) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text.into()).map(|text| Self(Form::Text(text)))
    }

    pub(crate) fn from_raw(raw: &RawValue) -> Self {
        Self(Form::Text(raw.to_owned()))
    }

    /// Returns the JSON text.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Text(text) => Cow::Borrowed(text.get()),
            Form::Value(value) => Cow::Owned(value.to_string()),
        }
    }

    /// Returns the value.
    pub fn value(&self) -> Value {
        match &self.0 {
            Form::Text(text) => read(text.get()).unwrap_or_default(),
            Form::Value(value) => value.clone(),
        }
    }

    /// Returns the value for changing it. From here on the text is made from the value.
    pub fn value_mut(&mut self) -> &mut Value {
        if let Form::Text(_) = self.0 {
            self.0 = Form::Value(self.value());
        }
        match &mut self.0 {
            Form::Value(value) => value,
            Form::Text(_) => unreachable!("the text was just replaced by its value"),
        }
    }

    /// Reads the value as a `T`.
    ///
    /// # Errors
    ///
    /// When the JSON does not have the shape of a `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.0 {
            Form::Text(text) => read(text.get()),
            Form::Value(value) => T::deserialize(value),
        }
    }

    /// Returns whether this is an object, without reading it whole.
    pub fn is_object(&self) -> bool {
        match &self.0 {
            Form::Text(text) => text.get().trim_start().starts_with('{'),
            Form::Value(value) => value.is_object(),
        }
    }
}

/// Reads a JSON text, and again with what takes the place of that which cannot be held, if need be.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| {
        let mended = mend::mend(text);
        if mended == text { Err(error) } else { serde_json::from_str(&mended) }
    })
}

/// Reads the text of messages by `read`, and again with what takes the place of that which cannot be held in the
/// names of their fields, if need be.
pub(crate) fn read_messages<T>(
    text: &str,
    read: impl Fn(&str) -> Result<T, serde_json::Error>,
) -> Result<T, serde_json::Error> {
    read(text).or_else(|error| {
        let mended = mend::mend_names(text);
        if mended == text { Err(error) } else { read(&mended) }
    })
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(Form::Value(value))
    }
}

/// Texts, truth values and numbers are JSON values; a number that JSON does not have is `null`.
macro_rules! from_plain {
    ($($type:ty),*) => {
        $(impl From<$type> for Json {
            fn from(value: $type) -> Self {
                Self(Form::Value(value.into()))
            }
        })*
    };
}

from_plain!(&str, String, bool, i32, i64, u32, u64, f64);

/// Two are equal when their values are, whatever the white space and the order of their fields.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() || self.value() == other.value()
    }
}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        self.value() == *other
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Text(text) => text.serialize(serializer),
            Form::Value(value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_kept_to_the_letter() {
        let text = r#"{"b":1.10000000000000000000001,"a":123456789012345678901234567890}"#;
        let json = Json::from_text(text).unwrap();
        assert_eq!(json.text(), text);
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
    }

    #[test]
    fn a_change_is_seen_in_the_text() {
        let mut json = Json::from_text(r#"{"a":1}"#).unwrap();
        json.value_mut()["b"] = json!(2);
        assert_eq!(json.text(), r#"{"a":1,"b":2}"#);
    }

    #[test]
    fn texts_and_numbers_are_json() {
        let all = [Json::from("a\"b"), "c".to_owned().into(), true.into(), 1.into(), 1.5.into()];
        assert_eq!(
            all.map(|json| json.text().into_owned()),
            ["\"a\\\"b\"", "\"c\"", "true", "1", "1.5"]
        );
        assert_eq!(Json::from(f64::NAN).text(), "null");
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Typed {
        text: String,
        number: f64,
    }

    #[test]
    fn what_is_readable_is_read_and_relayed_as_it_came() {
        let text = r#"{"text":"hi \ud83d","number":-1e400,"\ude00":[1,"\u00e9\ud83d\ude00"]}"#;
        let json = Json::from_text(text).unwrap();
        let read = json!({
            "text": "hi \u{fffd}", "number": f64::MIN, "\u{fffd}": [1, "\u{e9}\u{1f600}"],
        });
        assert_eq!((json.value(), json.text()), (read.clone(), text.into()));
        assert_eq!(json.clone().value_mut(), &read);
        let typed = Typed { text: "hi \u{fffd}".to_owned(), number: f64::MIN };
        assert_eq!(json.to::<Typed>().unwrap(), typed);
        assert!(json.to::<Vec<Value>>().is_err());
    }
}
