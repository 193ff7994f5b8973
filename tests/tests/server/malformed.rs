//! What is not Bayeux messages, and fields that are not what they should be.

use serde_json::{Value, json};
use tests::{Arrival, TestServer, Transport, over_every_transport};

over_every_transport!(
    text_that_breaks_off_is_refused_and_the_session_stays,
    an_empty_array_is_refused,
    illegal_names_are_refused_in_the_reply,
);

/// Sends `text` as a client of its own, and tells how that is refused: by a status, or by the code
/// that closes the WebSocket.
async fn refused(server: &TestServer, transport: Transport, text: &str) -> u16 {
    let mut client = server.connected(transport).await;
    client.send_text(text);
    let code = match client.arrival().await {
        Arrival::Refused { status, .. } => status,
        Arrival::Closed { code, .. } => code,
        other @ (Arrival::Messages(_) | Arrival::Lost) => panic!("{other:?}"),
    };
    assert!(server.session(&client).is_connected());
    code
}

async fn text_that_breaks_off_is_refused_and_the_session_stays(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let expected = if transport.pushes() { 1011 } else { 400 };
    for text in [r#"[{"channel":"/meta/connect","#, r#"[{"channel":"/a""#, "[", "{", "x"] {
        assert_eq!(refused(&server, transport, text).await, expected, "{text}");
    }
}

async fn an_empty_array_is_refused(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let expected = match transport {
        Transport::WebSocket | Transport::WebSocketOverHttp2 => 1011,
        Transport::InProcess => 400,
        Transport::LongPolling | Transport::LongPollingOverHttp2 | Transport::CallbackPolling => {
            500
        }
    };
    assert_eq!(refused(&server, transport, "[]").await, expected);
}

async fn illegal_names_are_refused_in_the_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.id().to_owned();
    let mut error = async |message: Value| {
        client.send_text(json!([message]).to_string());
        let replies = client.messages().await;
        assert_eq!(replies[0]["successful"], false, "{message}");
        replies[0]["error"].clone()
    };
    let message = json!({ "channel": "/a/<b>", "clientId": id, "id": "1", "data": 1 });
    assert_eq!(error(message).await, "405::channel_invalid");
    let message = json!({ "channel": "/a", "clientId": id, "id": "<b>", "data": 1 });
    assert_eq!(error(message).await, "405::message_id_invalid");
    for subscription in [json!("/a/<b>"), json!("a"), json!(["/a", "/<b>"])] {
        let message = json!({
            "channel": "/meta/subscribe", "clientId": id, "id": "1", "subscription": subscription,
        });
        assert_eq!(error(message).await, "403::subscription_invalid", "{subscription}");
    }
    assert!(server.server.channel("/a").is_none());
}
