//! A JSON value that stays the text it arrived in until somebody asks for the value.

mod deep;
mod mend;
mod tokens;

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::decode::is_deeper;

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

    /// Returns the value. An array or object within 512 others is `null`, so that no peer can send a value for
    /// which the stack is too small; [`is_cut`](Self::is_cut) tells.
    pub fn value(&self) -> Value {
        match &self.0 {
            Form::Text(text) => serde_json::from_str(text.get())
                .unwrap_or_else(|_| deep::read(&mend::mend(text.get()))),
            Form::Value(value) => value.clone(),
        }
    }

    /// Returns whether [`value`](Self::value) leaves something out, for whoever passes on what it has looked at.
    pub fn is_cut(&self) -> bool {
        match &self.0 {
            Form::Text(text) => is_deeper(text.get().as_bytes(), deep::DEEPEST),
            Form::Value(_) => false,
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
    /// When the JSON does not have the shape of a `T`, or when a `T` holds more than 127 arrays and objects
    /// within each other. What it leaves out may be of any depth.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        match &self.0 {
            Form::Text(text) => read(text.get()),
            Form::Value(value) if deep::is_deeper(value, DEEPEST_TYPED) => read(&value.to_string()),
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
    serde_json::from_str(text).or_else(|error| match mended(text, mend::mend) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(error),
    })
}

/// Returns the text of messages with what takes the place of that which cannot be held in the names of their
/// fields, if there is such.
pub(crate) fn mended_names(text: &str) -> Option<String> {
    mended(text, mend::mend_names)
}

#[cold]
fn mended(text: &str, mend: fn(&str) -> String) -> Option<String> {
    Some(mend(text)).filter(|mended| mended != text)
}

/// How deep `serde_json` reads: types that hold themselves are read and dropped by a call for each level.
const DEEPEST_TYPED: usize = 127;

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
/// By what they say; by their texts where that is nested too deeply to be [read whole](Json::is_cut).
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let is_whole = || !self.is_cut() && !other.is_cut();
        self.text() == other.text() || is_whole() && self.value() == other.value()
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

    /// A type that holds itself.
    #[derive(Debug, serde::Deserialize)]
    struct Nest(#[expect(dead_code, reason = "it is only read")] Vec<Self>);

    #[test]
    fn what_is_too_deep_for_a_type_is_an_error_and_no_overflow() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for levels in [127, 128, 400, 100_000] {
            let text = Json::from_text(deep(levels)).unwrap();
            let value = Json::from(text.value());
            assert_eq!((text.is_cut(), value.is_cut()), (levels > 512, false));
            let is_read = levels < 128;
            assert_eq!(text.to::<Nest>().is_ok(), is_read, "{levels}");
            assert_eq!(value.to::<Nest>().is_ok(), is_read, "{levels}");
        }
        let json = format!(r#"{{"x":{},"text":"","number":0}}"#, deep(100_000));
        assert!(Json::from_text(json).unwrap().to::<Typed>().is_ok());
    }

    #[test]
    fn the_deepest_value_fits_on_half_the_stack_of_a_runtimes_thread() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let (open, close) = (open.repeat(100_000), close.repeat(100_000));
            let mut json = Json::from_text(format!("{open}1{close}")).unwrap();
            let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(move || {
                let mut value = json.value();
                assert_eq!(value.clone(), value);
                assert_eq!(format!("{value}").len(), value.to_string().len());
                assert!(format!("{value:?}").len() > 512);
                assert_eq!(serde_json::to_value(&value).unwrap(), value);
                assert_eq!(serde_json::from_value::<Value>(value.clone()).unwrap(), value);
                let changed = json.value_mut().take();
                assert_eq!(changed, std::mem::take(&mut value));
            });
            thread.unwrap().join().unwrap();
        }
    }
}
