//! Messages whose fields have the wrong type, come twice, or hold what they must not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    scene::{SOON, Scene},
    visitor::Visitor,
};

/// Sends the text of one message, in which `ID` stands for the session's id, and returns its reply.
async fn answer(visitor: &Visitor, message: &str) -> Value {
    let text = format!("[{}]", message.replace("ID", &format!("\"{}\"", visitor.id)));
    let response = visitor.send_text(text).await;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    assert_eq!(response.status(), 200, "{message} got {text}");
    let mut replies: Vec<Value> = serde_json::from_str(&text).unwrap();
    replies.pop().expect("there is a reply")
}

async fn each_is_refused(visitor: &Visitor, error: &str, messages: &[String]) {
    for message in messages {
        let reply = answer(visitor, message).await;
        assert_eq!(reply["error"], error, "{message}");
        assert_eq!(reply["successful"], false, "{message}");
    }
}

/// Values of every JSON type but the given one.
fn others(but: &str) -> Vec<&'static str> {
    let types = [
        ("boolean", "true"),
        ("number", "7"),
        ("string", r#""x""#),
        ("array", "[1]"),
        ("object", r#"{"a":1}"#),
    ];
    types.into_iter().filter(|(name, _)| *name != but).map(|(_, value)| value).collect()
}

#[tokio::test]
async fn a_channel_of_another_type_is_refused() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    let wrong: Vec<_> = others("string")
        .iter()
        .map(|value| format!(r#"{{"channel":{value},"clientId":ID,"data":1}}"#))
        .collect();
    each_is_refused(&visitor, "405::channel_invalid", &wrong).await;
    let none = ["{\"clientId\":ID}", "{\"channel\":null,\"clientId\":ID}"].map(str::to_owned);
    each_is_refused(&visitor, "400::channel_missing", &none).await;
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn what_is_no_channel_name_is_refused() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    let long = format!("/{}", "a".repeat(100_000));
    let deep = "/a".repeat(50_000);
    let names = [
        "",
        "a",
        "/",
        "//",
        "/a//b",
        "/*/a",
        "/**/*",
        "/a\\u0000",
        "/a\\n",
        "/\\ud800",
        "/é",
        "/a<b>",
        &long,
        &deep,
    ];
    let publishes = names.map(|name| format!(r#"{{"channel":"{name}","clientId":ID,"data":1}}"#));
    each_is_refused(&visitor, "405::channel_invalid", &publishes).await;
    let subscribes = names.map(|name| {
        format!(r#"{{"channel":"/meta/subscribe","clientId":ID,"subscription":"{name}"}}"#)
    });
    each_is_refused(&visitor, "403::subscription_invalid", &subscribes).await;
    visitor.leave().await;
    scene.is_calm().await;
    scene.is_swept().await;
}

#[tokio::test]
async fn an_id_of_another_type_is_refused() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for channel in ["/meta/connect", "/meta/subscribe", "/a"] {
        let mut wrong = vec!["true", "[1]", r#"{"a":1}"#];
        wrong.extend([r#""""#, r#""a b""#, r#""<b>""#, r#""\ud800""#, "-1", "1.5"]);
        let wrong: Vec<_> = wrong
            .iter()
            .map(|value| format!(r#"{{"channel":"{channel}","clientId":ID,"id":{value}}}"#))
            .collect();
        each_is_refused(&visitor, "405::message_id_invalid", &wrong).await;
    }
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn a_client_id_of_another_type_is_nobodys() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for channel in ["/meta/connect", "/meta/disconnect", "/meta/subscribe", "/a", "/service/a"] {
        let mut wrong = others("string");
        wrong.extend(["null", r#""""#, r#""x""#, r#""\ud800""#, r#""\u0000""#]);
        let wrong: Vec<_> = wrong
            .iter()
            .map(|value| format!(r#"{{"channel":"{channel}","clientId":{value},"data":1}}"#))
            .collect();
        each_is_refused(&visitor, "402::session_unknown", &wrong).await;
    }
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn ext_and_advice_of_another_type_are_refused() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for field in ["ext", "advice"] {
        for channel in ["/meta/connect", "/meta/handshake", "/a"] {
            let wrong: Vec<_> = others("object")
                .iter()
                .map(|value| {
                    format!(r#"{{"channel":"{channel}","clientId":ID,"{field}":{value},"data":1}}"#)
                })
                .collect();
            each_is_refused(&visitor, &format!("400:{field}:field_invalid"), &wrong).await;
        }
    }
    let mut wrong = Vec::new();
    for field in ["timeout", "interval", "maxInterval"] {
        for value in others("number").iter().chain(&[r#""20000""#]) {
            wrong.push(format!(
                r#"{{"channel":"/meta/connect","clientId":ID,"advice":{{"{field}":{value}}}}}"#
            ));
        }
    }
    wrong
        .push(r#"{"channel":"/meta/connect","clientId":ID,"advice":{"reconnect":"x"}}"#.to_owned());
    each_is_refused(&visitor, "400:advice:field_invalid", &wrong).await;
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn a_subscription_of_another_type_is_refused() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
        let wrong: Vec<_> = ["true", "7", r#"{"a":1}"#, "[1]", r#"[["/a"]]"#, r#"["/a",null]"#]
            .iter()
            .chain(&["[]", r#"["/a","b"]"#, r#""\ud800""#])
            .map(|value| {
                format!(r#"{{"channel":"{channel}","clientId":ID,"subscription":{value}}}"#)
            })
            .collect();
        each_is_refused(&visitor, "403::subscription_invalid", &wrong).await;
        let none = [format!(r#"{{"channel":"{channel}","clientId":ID}}"#)];
        each_is_refused(&visitor, "403::subscription_missing", &none).await;
    }
    visitor.leave().await;
    scene.is_calm().await;
    scene.is_swept().await;
}

#[tokio::test]
async fn meta_channels_are_the_servers() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for (message, error) in [
        (r#"{"channel":"/meta/own","clientId":ID,"data":1}"#, "channel_create_denied"),
        (r#"{"channel":"/meta/*","clientId":ID,"data":1}"#, "channel_create_denied"),
        (
            r#"{"channel":"/meta/subscribe","clientId":ID,"subscription":"/meta/connect"}"#,
            "subscribe_denied",
        ),
        (
            r#"{"channel":"/meta/subscribe","clientId":ID,"subscription":"/meta/own"}"#,
            "create_denied",
        ),
    ] {
        let error = format!("403:denied_by_security_policy:{error}");
        each_is_refused(&visitor, &error, &[message.to_owned()]).await;
    }
    visitor.leave().await;
    scene.is_calm().await;
    scene.is_swept().await;
}

#[tokio::test]
async fn of_a_field_that_comes_twice_the_last_counts() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for (message, error) in [
        (r#"{"channel":"/b","channel":"/a","clientId":7,"clientId":ID,"data":1}"#, None),
        (r#"{"channel":7,"channel":"/a","id":{},"id":"1","clientId":ID,"data":1}"#, None),
        (r#"{"channel":"/a","channel":7,"clientId":ID}"#, Some("405::channel_invalid")),
        (r#"{"channel":"/a","clientId":ID,"clientId":"x","data":1}"#, Some("402::session_unknown")),
        (r#"{"channel":"/a","ext":{},"ext":[],"clientId":ID}"#, Some("400:ext:field_invalid")),
        (
            r#"{"channel":"/meta/connect","clientId":ID,"advice":{"timeout":1,"timeout":2}}"#,
            Some("400:advice:field_invalid"),
        ),
    ] {
        let reply = answer(&visitor, message).await;
        assert_eq!(reply["successful"], error.is_none(), "{message} got {reply}");
        assert_eq!(reply.get("error").and_then(Value::as_str), error, "{message}");
    }
    assert!(
        answer(&visitor, r#"{"channel":"/a","clientId":ID,"id":"1","id":"2"}"#).await["id"] == "2"
    );
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn fields_that_only_replies_have_do_not_matter() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    for message in [
        r#"{"channel":"/a","clientId":ID,"data":1,"successful":"yes","error":7,"timestamp":{}}"#,
        r#"{"channel":"/a","clientId":ID,"data":1,"version":[],"x-messages":-1,"x-messages":1e99}"#,
        r#"{"channel":"/a","clientId":ID,"data":1,"connectionType":{},"minimumVersion":1}"#,
        r#"{"channel":"/meta/connect","clientId":ID,"connectionType":{},"supportedConnectionTypes":7}"#,
        r#"{"channel":"/a","clientId":ID,"data":"\ud800 and \udfff","more":"\udc00"}"#,
        r#"{"channel":"/a","clientId":ID,"data":1e999}"#,
        r#"{"channel":"/a","clientId":ID,"data":null,"":0,"__proto__":{},"constructor":1}"#,
    ] {
        let reply = answer(&visitor, message).await;
        assert_eq!(reply["successful"], true, "{message} got {reply}");
    }
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn half_a_surrogate_pair_is_passed_on_as_it_came() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    visitor.ask(json!({ "channel": "/meta/subscribe", "subscription": "/a" })).await;
    let text = format!(r#"[{{"channel":"/a","clientId":"{}","data":"\ud800"}}]"#, visitor.id);
    let response = visitor.send_text(text).await;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    assert!(text.contains(r#""data":"\ud800""#), "{text}");
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn a_message_of_too_many_fields_is_refused() {
    let mut scene = Scene::new().await;
    let fields: Vec<_> = (0..1_000).map(|n| format!(r#""f{n}":0"#)).collect();
    let (status, text) = scene.post(format!("[{{{}}}]", fields.join(","))).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("too many fields"), "{text}");
    scene.is_calm().await;
}

#[tokio::test]
async fn advice_beyond_its_bounds_is_brought_within_them() {
    let mut scene = Scene::with(|config, _| {
        config.long_polling.timeout = Duration::from_millis(50);
        config.long_polling.max_interval = SOON;
        config.long_polling.max_advised = Duration::from_millis(100);
    })
    .await;
    let visitor = scene.visitor().await;
    visitor.connect().await;
    for time in ["-1", "-1e300", "1e300", "1e999", "9223372036854775808", "0.5", "null"] {
        for field in ["timeout", "interval", "maxInterval"] {
            let message = format!(
                r#"{{"channel":"/meta/connect","clientId":ID,"advice":{{"{field}":{time}}}}}"#
            );
            let reply = answer(&visitor, &message).await;
            assert_eq!(reply["successful"], true, "{message}");
        }
    }
    let message = r#"{"channel":"/meta/connect","clientId":ID,"advice":{"interval":1e300}}"#;
    assert_eq!(answer(&visitor, message).await["successful"], true);
    // Nothing more is heard of the visitor.
    scene.is_calm().await;
}
