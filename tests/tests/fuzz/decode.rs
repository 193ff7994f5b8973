//! The message decoder.

use bayeux_server::api::{Json, Limits, Message, decode, encode};
use serde_json::Value;

use crate::{check, compose};

/// What is likely to be read as something.
const TOKENS: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "\"\"",
    "0",
    "-",
    "1e9",
    ".5",
    "null",
    "true",
    "\"channel\":",
    "\"/a\"",
    "\"id\":",
    "\"data\":",
    "\"ext\":",
    "\"x\":",
    " ",
    "\u{0}",
    "é",
    "\u{1f600}",
];

const FIELDS: &[&str] = &[
    "channel",
    "clientId",
    "id",
    "data",
    "ext",
    "advice",
    "subscription",
    "successful",
    "error",
    "version",
    "minimumVersion",
    "supportedConnectionTypes",
    "connectionType",
    "timestamp",
    "lazy",
    "x-messages",
    "other",
    "channel\\u0000",
    "\\ud83d",
    "",
];

const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "123456789012345678901234567890.000",
    "1E400",
    "\"\"",
    "\"/a/b\"",
    "\"/meta/connect\"",
    "\"\\ud83d\"",
    "\"\\ud83d\\ude00\\/\"",
    "[]",
    "[\"/a\",\"/b/**\"]",
    "[1,null]",
    "[-1E400,{\"\\udc00\":\"\\ud83d\\\\\"}]",
    "[[[[[[[[]]]]]]]]",
    "{}",
    "{\"timeout\":-1,\"interval\":1e3,\"reconnect\":\"none\",\"x\":[ ]}",
    "{\"ack\":true, \"a\":{\"b\":[{}]}}",
];

#[test]
fn any_bytes_are_messages_or_an_error() {
    check(read_and_written);
}

#[test]
fn any_tokens_are_messages_or_an_error() {
    check(|bytes| read_and_written(compose(bytes, TOKENS).as_bytes()));
}

#[test]
fn any_fields_are_messages_or_an_error() {
    check(|bytes| {
        let objects = bytes.chunks(8).map(|choices| {
            let fields = choices.chunks_exact(2).map(|pair| {
                let field = FIELDS[usize::from(pair[0]) % FIELDS.len()];
                format!("\"{field}\":{}", VALUES[usize::from(pair[1]) % VALUES.len()])
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        });
        read_and_written(format!("[{}]", objects.collect::<Vec<_>>().join(", ")).as_bytes());
    });
}

/// What arrives can be read whatever it is, and what was read can be written.
#[test]
fn any_tokens_that_are_json_have_a_value() {
    check(|bytes| {
        let text = compose(bytes, TOKENS);
        for (open, close) in [("", ""), ("[", "]"), ("{\"a\":", "}")] {
            has_a_value(&format!("{open}{text}{close}"));
            let levels = bytes.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 700;
            let (open, close) = (open.repeat(levels), close.repeat(levels));
            has_a_value(&format!("{open}{text}{close}"));
        }
    });
}

#[test]
fn any_data_has_a_value() {
    check(|bytes| {
        let fields = bytes.chunks_exact(2).map(|pair| {
            let field = FIELDS[usize::from(pair[0]) % FIELDS.len()];
            format!("\"{field}\":{}", VALUES[usize::from(pair[1]) % VALUES.len()])
        });
        assert!(has_a_value(&format!("{{{}}}", fields.collect::<Vec<_>>().join(","))));
    });
}

/// Returns whether a text is JSON, and asserts that it has a value then.
fn has_a_value(text: &str) -> bool {
    let Ok(json) = Json::from_text(text) else { return false };
    let value = json.value();
    // What stands for more than it says is said in full.
    assert!(!value.is_null() || text.trim() == "null", "{text}");
    let written = Json::from_text(value.to_string()).unwrap();
    assert_eq!(written.value(), value, "{text}");
    if let Ok(known) = serde_json::from_str::<Value>(text) {
        assert_eq!(value, known, "{text}");
    }
    if let Ok(typed) = json.to::<Value>() {
        assert_eq!(value, typed, "{text}");
    }
    true
}

/// Whatever is read is within the limits, and once it is written it is read as the same.
fn read_and_written(bytes: &[u8]) {
    let mut limits = Limits::default();
    (limits.size, limits.messages, limits.depth) = (4096, 20, 8);
    let Ok(messages) = decode(bytes, &limits) else { return };
    assert!(bytes.len() <= limits.size);
    assert!((1..=limits.messages).contains(&messages.len()));
    let written = encode(&messages);
    let again = decode(&written, &Limits::default()).unwrap();
    assert_eq!(encode(&again), written);
    let frozen: Vec<_> = messages.into_iter().map(Message::freeze).collect();
    let thawed: Vec<_> = frozen.iter().map(|frozen| frozen.to_message()).collect();
    assert_eq!(encode(&thawed), written);
    if let [frozen] = &frozen[..] {
        assert_eq!(frozen.array(), &written);
    }
}
