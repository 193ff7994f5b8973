//! What is not Bayeux messages, and fields that are not what they should be.

use bayeux_server::api::Message;
use serde_json::{Value, json};
use tests::{
    Arrival, Http, TestServer, Transport, over_every_transport, over_transports, over_websocket,
};

over_every_transport!(
    text_that_breaks_off_is_refused_and_the_session_stays,
    illegal_names_are_refused_in_the_reply,
);
over_websocket!(nothing_is_a_sign_of_life);
over_transports!([
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
    in_process: InProcess,
] nothing_is_no_request);

/// What Faye's clients before 1.3 say now and then, and what else says nothing.
const NOTHING: [&str; 6] = ["[]", "", " [ ]\r\n", " \t\r\n", "\u{feff}[]", "\u{feff}"];

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

/// Before the handshake as well as while a connect is held, which goes on.
async fn nothing_is_a_sign_of_life(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    for nothing in NOTHING {
        let mut client = server.client(transport).await;
        client.send_text(nothing);
        client.handshake().await;
        client.connect().await;
        let connect = client.hold().await;
        client.send_text(nothing);
        client.publish("/a", json!(1)).await;
        client.send_text(nothing);
        let session = server.session(&client);
        session.deliver(Message::with_data("/b", json!(2))).await;
        assert_eq!(client.message_on("/b").await["data"], 2, "{nothing:?}");
        assert_eq!(client.hold().await, connect);
        assert!(client.received().is_empty(), "nothing is not answered");
    }
    assert_eq!(server.server.statistics().malformed, 0);
}

async fn nothing_is_no_request(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    for nothing in NOTHING {
        assert_eq!(refused(&server, transport, nothing).await, 400, "{nothing:?}");
    }
}

#[tokio::test]
async fn a_form_or_query_without_messages_is_no_request() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for body in ["", "x=1", "message=", "message=[]", "message=%20", "message=[]&message=[]"] {
        assert_eq!(http.post("/", &form, body).await.unwrap().status(), 400, "{body}");
        let path = format!("/?jsonp=f&{body}");
        assert_eq!(http.get(&path, &[]).await.unwrap().status(), 400, "{body}");
    }
    assert_eq!(server.server.statistics().malformed, 12);
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

/// A field that says nothing takes nothing from the others.
#[tokio::test]
async fn an_empty_field_refuses_no_messages_of_another() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let message = "message=%5B%7B%22channel%22:%22/meta/handshake%22%7D%5D";
    for nothing in ["message=", "message=%5B%5D", "message=%20"] {
        for body in [format!("{nothing}&{message}"), format!("{message}&{nothing}")] {
            assert_eq!(http.post("/", &form, body.clone()).await.unwrap().status(), 200, "{body}");
            let path = format!("/?jsonp=f&{body}");
            assert_eq!(http.get(&path, &[]).await.unwrap().status(), 200, "{body}");
        }
    }
}
