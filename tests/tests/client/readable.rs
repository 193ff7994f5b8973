//! JSON that Rust's types cannot hold as it is, read by the client.

use bayeux_client::api::{ConnectionType, Json, Message};
use serde_json::json;
use tests::{TestServer, over_every_client_transport, within};

over_every_client_transport!(
    what_is_readable_is_read_and_relayed_to_the_letter,
    what_is_nested_deeply_is_read_and_relayed,
);

/// Publishes data as one client, and returns it as another got it.
async fn relayed(
    transport: ConnectionType,
    config: fn(&mut bayeux_server::Config),
    data: &str,
) -> Json {
    let server = TestServer::start(config).await;
    let [from, to] = [server.bayeux_client(transport).await, server.bayeux_client(transport).await];
    let mut messages = within("subscribe", to.channel("/a").unwrap().subscribe()).await.unwrap();
    let mut message = Message::with_data("", Json::from_text(data).unwrap());
    // Names of fields are read by all whom the message passes.
    message.set_extra("x", Json::from_text(data).unwrap());
    within("publish", from.channel("/a").unwrap().publish_message(message)).await.unwrap();
    let message = within("the message", messages.next()).await.unwrap();
    assert_eq!(message.extra("x").unwrap().text(), data);
    message.data.as_ref().unwrap().clone()
}

async fn what_is_readable_is_read_and_relayed_to_the_letter(transport: ConnectionType) {
    let text = r#"{"a":"hi \ud83d","n":[1e400,-1e400],"\ude00":1.10}"#;
    let data = relayed(transport, |_| {}, text).await;
    assert_eq!(data.text(), text);
    let value = json!({ "a": "hi \u{fffd}", "n": [f64::MAX, f64::MIN], "\u{fffd}": 1.1 });
    assert_eq!(data.value(), value);
}

async fn what_is_nested_deeply_is_read_and_relayed(transport: ConnectionType) {
    for levels in [100, 500, 20_000] {
        let text = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let data = relayed(transport, |config| config.max_depth = 30_000, &text).await;
        assert_eq!(data.text(), text);
        let (value, mut read) = (data.value(), 0);
        let mut inner = &value;
        while let Some(next) = inner.get(0) {
            (inner, read) = (next, read + 1);
        }
        let expected = if levels > 512 { json!(null) } else { json!(1) };
        assert_eq!((read, inner), (levels.min(512), &expected));
    }
}
