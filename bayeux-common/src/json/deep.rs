//! A value out of JSON text of any depth, read without recursion.
//!
//! `serde_json` calls itself for each level, and stops at 128. A value is also cloned, compared, written and
//! dropped by one call for each level, up to 2 KiB of stack in a debug build where a thread of a runtime has
//! 2 MiB: so that it has an end as well, far beyond what anybody's data needs.

use serde_json::{Map, Value};

use super::tokens::{Kind, Token, Tokens};

/// So many arrays and objects are in each other at most.
pub(super) const DEEPEST: usize = 512;

/// Reads a text that is known to be JSON, and to have nothing that has to be mended. What is deeper than
/// [`DEEPEST`] is `null`.
pub(super) fn read(text: &str) -> Value {
    let mut reader = Reader::default();
    Tokens(text).find_map(|token| reader.take(token)).unwrap_or_default()
}

/// Returns whether more than `most` arrays and objects are in each other. Calls itself so often, no more.
pub(super) fn is_deeper(value: &Value, most: usize) -> bool {
    let is_deep = |inner: &Value| is_deeper(inner, most - 1);
    match value {
        Value::Array(items) => most == 0 || items.iter().any(is_deep),
        Value::Object(fields) => most == 0 || fields.values().any(is_deep),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What has begun and not ended.
#[derive(Default)]
struct Reader {
    /// The array or object that is read, behind those that it is in.
    open: Vec<Open>,
    /// How many are open that are too deep.
    below: usize,
}

enum Open {
    Array(Vec<Value>),
    /// With the name of the field whose value comes next.
    Object(Map<String, Value>, Option<String>),
}

impl Reader {
    /// Returns the whole value with its last part.
    fn take(&mut self, token: Token<'_>) -> Option<Value> {
        if self.below > 0 {
            return self.pass_over(token.kind);
        }
        match token.kind {
            Kind::Between => None,
            Kind::Array | Kind::Object if self.open.len() == DEEPEST => {
                self.below = 1;
                None
            }
            Kind::Array => {
                self.open.push(Open::Array(Vec::new()));
                None
            }
            Kind::Object => {
                self.open.push(Open::Object(Map::new(), None));
                None
            }
            Kind::Text => match self.open.last_mut() {
                Some(Open::Object(_, name @ None)) => {
                    *name = Some(serde_json::from_str(token.text).unwrap_or_default());
                    None
                }
                Some(Open::Object(_, Some(_)) | Open::Array(_)) | None => self.place_word(token),
            },
            Kind::Word => self.place_word(token),
            Kind::End => {
                let value = match self.open.pop()? {
                    Open::Array(items) => Value::Array(items),
                    Open::Object(fields, _) => Value::Object(fields),
                };
                self.place(value)
            }
        }
    }

    fn pass_over(&mut self, kind: Kind) -> Option<Value> {
        match kind {
            Kind::Array | Kind::Object => self.below += 1,
            Kind::End => self.below -= 1,
            Kind::Text | Kind::Word | Kind::Between => {}
        }
        if self.below > 0 { None } else { self.place(Value::Null) }
    }

    fn place_word(&mut self, token: Token<'_>) -> Option<Value> {
        self.place(serde_json::from_str(token.text).unwrap_or_default())
    }

    /// Puts a value where it belongs, or returns it when it is in nothing.
    fn place(&mut self, value: Value) -> Option<Value> {
        match self.open.last_mut() {
            Some(Open::Array(items)) => items.push(value),
            Some(Open::Object(fields, name)) => {
                fields.insert(name.take().unwrap_or_default(), value);
            }
            None => return Some(value),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn nested(levels: usize, open: &str, close: &str) -> String {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    }

    /// How many arrays and objects are in each other, and what is in the innermost.
    fn inside(mut value: &Value) -> (usize, &Value) {
        let mut levels = 0;
        loop {
            value = match value {
                Value::Array(items) => &items[0],
                Value::Object(fields) => &fields["a"],
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    return (levels, value);
                }
            };
            levels += 1;
        }
    }

    #[test]
    fn a_value_is_read_to_its_depth_and_null_below() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"{"a":["#, "]}")] {
            let each = close.len();
            let read = |levels: usize| read(&nested(levels / each, open, close));
            assert_eq!(inside(&read(DEEPEST)), (DEEPEST, &json!(1)));
            assert_eq!(inside(&read(DEEPEST + each)), (DEEPEST, &Value::Null));
            assert_eq!(inside(&read(1_000_000)), (DEEPEST, &Value::Null));
        }
    }

    #[test]
    fn what_is_beside_something_too_deep_is_read() {
        let deep = nested(DEEPEST + 7, "[", "]");
        let value = read(&format!(r#"{{"b":[{deep},2],"c":{{"d":"]"}}}}"#));
        assert_eq!((&value["b"][1], &value["c"]), (&json!(2), &json!({ "d": "]" })));
        assert!(is_deeper(&value, DEEPEST - 1) && !is_deeper(&value, DEEPEST));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let word = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        word.prop_recursive(6, 40, 4, |inner| {
            let fields = prop::collection::vec((any::<String>(), inner.clone()), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(value in any_value()) {
            prop_assert_eq!(&read(&value.to_string()), &value);
            prop_assert_eq!(read(&format!("{value:#}")), value);
        }
    }
}
