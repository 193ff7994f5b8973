//! What a message is on the wire.

use serde_json::{Value, json};

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
fn half_a_surrogate_pair_spoils_nothing() {
    let message = crate::decode(
        br#"{"channel":"/\ud83d","id":"\ude00","clientId":"a\ud83d","subscription":["\ud83d"],
            "advice":{"\ud83d":1,"timeout":1e400},"ext":{"a":"\ud83d","ack":true},"\ud83d":1,
            "successful":true,"error":"\ud83d"}"#,
        &crate::Limits::default(),
    );
    let message = message.unwrap().remove(0);
    assert_eq!(message.channel(), "/\u{fffd}");
    assert_eq!(message.id.as_deref(), Some("\u{fffd}"));
    assert_eq!(message.client_id.as_deref(), Some("a\u{fffd}"));
    assert_eq!(message.subscription, Some(Subscription::Many(vec!["\u{fffd}".to_owned()])));
    assert_eq!(message.advice.as_ref().unwrap().timeout, Some(i64::MAX));
    assert_eq!(message.ext_field("ack"), Some(json!(true)));
    assert_eq!(message.ext.as_ref().unwrap().text(), r#"{"a":"\ud83d","ack":true}"#);
    assert_eq!(message.extra, [("\u{fffd}".to_owned(), json!(1).into())]);
    assert_eq!(message.error.as_deref(), Some("\u{fffd}"));
}

#[test]
fn ext_is_made_when_asked_for() {
    let mut message = Message::new("/a");
    message.ext_mut().insert("ack".to_owned(), json!(true));
    assert_eq!(message.ext_field("ack"), Some(json!(true)));
    assert_eq!(message.ext_field("other"), None);
}
