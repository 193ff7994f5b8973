//! What is on the wire is what was recorded, and nothing else is read.

use serde_json::{Value, json};

use super::*;

const A: &str = "http://a:8080/cometd";

fn said(value: &Value) -> Result<Said, Refused> {
    match read(&value.to_string(), A, 10)? {
        Received::Presence(said) => Ok(said),
        Received::Message(message) => panic!("{message:?}"),
    }
}

fn message(value: &Value) -> Result<UserMessage, Refused> {
    match read(&value.to_string(), A, 10)? {
        Received::Message(message) => Ok(message),
        Received::Presence(said) => panic!("{said:?}"),
    }
}

/// A copy of `whole` with one field changed, or without it.
fn with(whole: &Value, field: &str, value: Option<Value>) -> Value {
    let mut changed = whole.clone();
    let fields = changed.as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(field.to_owned(), value),
        None => fields.remove(field),
    };
    changed
}

fn digest() -> Digest {
    let mut digest = Digest::default();
    digest.add("u");
    digest
}

#[test]
fn changes_are_written_to_the_letter_as_recorded() {
    let text = |change| Saying::change(A, change, ["u"].into_iter()).json().text().into_owned();
    assert_eq!(
        text(Change::Added),
        r#"{"userIds":["u"],"oortURL":"http://a:8080/cometd","presence":true,"replace":false}"#,
    );
    assert_eq!(
        text(Change::Removed),
        r#"{"userIds":["u"],"oortURL":"http://a:8080/cometd","presence":false,"replace":false}"#,
    );
    assert_eq!(
        Saying::stop(A).json().text(),
        r#"{"userIds":[],"oortURL":"http://a:8080/cometd","presence":true,"replace":true,"alive":false}"#,
    );
}

fn part(users: &[&str], after: Option<&str>, until: Option<&str>) -> Part {
    let users = users.iter().copied().map(UserId::from).collect();
    let range = Range { after: after.map(UserId::from), until: until.map(UserId::from) };
    Part { users, replaces: after.is_none(), range }
}

#[test]
fn a_list_is_the_recorded_one_and_says_that_it_is_whole() {
    let list = part(&["u", "v\"\n"], None, None);
    let json = Saying::part(A, &list).json();
    let expected = json!({
        "userIds": ["u", "v\"\n"], "oortURL": A, "presence": true, "replace": true, "range": {},
    });
    assert_eq!(json, expected);
    let said = said(&json.value()).unwrap();
    assert_eq!((said.users.len(), said.replaces, said.asks), (2, true, false));
    assert_eq!(said.range, Some(Range::default()));
}

/// CometD's nodes forget all by the first, and add what is in the others.
#[test]
fn the_first_part_of_a_list_replaces_and_the_others_add() {
    let parts = [
        part(&["u"], None, Some("v")),
        part(&["w"], Some("v"), Some("x")),
        part(&[], Some("x"), None),
    ];
    for (number, part) in parts.iter().enumerate() {
        let json = Saying::part(A, part).json();
        assert_eq!(json.value()["replace"], number == 0);
        assert_eq!(json.value()["presence"], true);
        let said = said(&json.value()).unwrap();
        assert_eq!((said.users.len(), said.range.as_ref()), (part.users.len(), Some(&part.range)));
        assert!(!said.is_check());
    }
}

/// In whichever order a node names its bounds, nothing panics.
#[test]
fn a_range_that_goes_backwards_is_refused() {
    let of = |range: Value| {
        said(&json!({ "userIds": [], "oortURL": A, "presence": true, "range": range })).map(|_| ())
    };
    assert_eq!(of(json!({ "after": "a", "until": "b", "more": 1 })), Ok(()));
    for range in [json!({ "after": "b", "until": "a" }), json!({ "after": "a", "until": "a" })] {
        assert_eq!(of(range), Err(Refused::Field("range")));
    }
    for range in [json!({ "after": 1 }), json!({ "until": [] }), json!("a")] {
        assert_eq!(of(range), Err(Refused::Field("range")));
    }
    // A part may end with somebody who is not taken.
    assert_eq!(of(json!({ "after": "12345678901" })), Ok(()));
}

#[test]
fn who_asks_and_who_checks_names_nobody() {
    let ask = said(&Saying::ask(A).json().value()).unwrap();
    assert_eq!((ask.users.len(), ask.replaces, ask.asks, ask.digest), (0, false, true, None));
    let check = said(&Saying::check(A, digest()).json().value()).unwrap();
    assert_eq!((check.users.len(), check.replaces, check.asks), (0, false, false));
    assert_eq!(check.digest, Some(digest()));
}

#[test]
fn what_cometds_nodes_send_is_read() {
    let initial = json!({
        "userIds": ["v", "u", "v"], "oortURL": A, "presence": true, "replace": true, "alive": true,
    });
    let said = said(&initial).unwrap();
    assert_eq!(said.users, ["u".into(), "v".into()]);
    assert!(said.replaces && said.asks && said.digest.is_none());
}

#[test]
fn what_may_be_missing_may_be_missing_and_more_may_be_there() {
    let least = json!({ "userIds": [], "oortURL": A, "presence": false, "more": [1] });
    let said = said(&least).unwrap();
    assert!(!said.replaces && !said.asks && said.change == Change::Removed);
}

#[test]
fn presence_of_another_form_is_refused() {
    let whole = json!({
        "userIds": ["u"], "oortURL": A, "presence": true, "replace": false, "alive": false,
        "digest": digest().to_string(),
    });
    assert!(said(&whole).is_ok());
    let strange = [json!(null), json!(1), json!("x"), json!([1]), json!({}), json!([null])];
    for field in ["userIds", "oortURL", "presence", "replace", "alive", "digest"] {
        for value in &strange {
            let changed = with(&whole, field, Some(value.clone()));
            assert!(said(&changed).is_err(), "{changed}");
        }
    }
    for field in ["userIds", "oortURL"] {
        assert!(said(&with(&whole, field, None)).is_err(), "{field}");
    }
    let other = with(&whole, "oortURL", Some(json!("http://b:8080/cometd")));
    assert_eq!(said(&other).unwrap_err(), Refused::Url);
    // One that is too long keeps nobody else away.
    let long = with(&whole, "userIds", Some(json!(["12345678901", "v", "u"])));
    let said = said(&long).unwrap();
    assert_eq!(said.users, ["u".into(), "v".into()]);
    assert_eq!(said.misfits, Misfits::of(&["12345678901"]));
}

/// Half of a surrogate pair is a text in Java.
#[test]
fn an_id_that_is_no_text_here_keeps_nobody_else_away() {
    let said = |ids: &str| {
        let text = format!(r#"{{"userIds":{ids},"oortURL":"{A}","presence":true}}"#);
        match read(&text, A, 10)? {
            Received::Presence(said) => Ok((said.users, said.misfits.count())),
            Received::Message(_) => panic!("it is of presence"),
        }
    };
    assert_eq!(said(r#"["v","\ud800","u"]"#), Ok((vec!["u".into(), "v".into()], 1)));
    assert_eq!(said(r#"["v","\ud800",1]"#), Err(Refused::Field("userIds")));
}

#[test]
fn a_message_to_a_user_is_written_to_the_letter_as_recorded() {
    let data = json!({ "m": 1 }).into();
    let (user_id, channel, seti_id) = ("u", "/c", "http_a_8080_cometd");
    let json = ToUser { user_id, channel, seti_id, data: &data }.json();
    assert_eq!(
        json.text(),
        r#"{"userId":"u","channel":"/c","setiId":"http_a_8080_cometd","data":{"m":1}}"#,
    );
    let message = message(&json.value()).unwrap();
    assert_eq!((&*message.user, message.channel.as_str()), ("u", "/c"));
    assert_eq!(message.data, data);
}

#[test]
fn a_message_to_a_user_of_another_form_is_refused() {
    let whole = json!({ "userId": "u", "channel": "/service/x", "data": 1 });
    assert!(message(&whole).is_ok());
    assert_eq!(message(&with(&whole, "data", None)).unwrap().data, json!(null));
    for field in ["userId", "channel"] {
        let strange = [json!(null), json!(1), json!([]), json!({}), json!(true)];
        for value in strange.into_iter().map(Some).chain([None]) {
            let changed = with(&whole, field, value);
            assert!(message(&changed).is_err(), "{changed}");
        }
    }
    for text in ["", "[]", "1", "null", "{", r#"{"a":1"#] {
        assert!(read(text, A, 10).is_err(), "{text}");
    }
}

#[test]
fn what_is_for_sessions_or_nodes_reaches_no_user() {
    let on = |channel: &str| {
        message(&json!({ "userId": "u", "channel": channel, "data": 1 })).map(|_| ())
    };
    for channel in ["/a", "/a/b", "/service/a", "/service/oorts", "/setis", "/oortish", "/metal"] {
        assert_eq!(on(channel), Ok(()), "{channel}");
    }
    for channel in [
        "/meta/connect",
        "/meta/x",
        "/oort/cloud",
        "/oort/objects/x",
        "/seti/all",
        "/service/oort",
        "/service/oort/objects/x",
        "/a/*",
        "/**",
        "a",
        "",
        "/",
    ] {
        assert!(on(channel).is_err(), "{channel}");
    }
}

#[test]
fn what_is_sent_keeps_every_digit() {
    let text = r#"{"userId":"u","channel":"/a","data":1.10000000000000000000001}"#;
    let Ok(Received::Message(message)) = read(text, A, 10) else { panic!("it is none") };
    assert_eq!(message.data.text(), "1.10000000000000000000001");
}
