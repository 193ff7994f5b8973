//! How much one request, frame or session may hold, and what happens beyond.

use bayeux_server::Config;
use serde_json::json;
use tests::{Arrival, Client, TestServer, Transport, every_transport, over_every_transport};

over_every_transport!(
    a_request_may_be_as_large_as_configured_and_no_larger,
    a_request_may_hold_so_many_messages_and_no_more,
    a_message_may_be_nested_so_deep_and_no_deeper,
    a_session_may_have_so_many_subscriptions_and_no_more,
    what_the_server_sends_is_not_limited,
);

/// What the client gets for a request that passes a limit: HTTP has a status, a WebSocket a close
/// code.
async fn is_refused(client: &mut Client, status: u16, code: u16) {
    match client.arrival().await {
        Arrival::Refused { status: got, .. } if client.transport.is_http() => {
            assert_eq!(got, status);
        }
        Arrival::Refused { status: got, .. } => assert_eq!(got, 400),
        Arrival::Closed { code: got, .. } => assert_eq!(got, code),
        other @ (Arrival::Messages(_) | Arrival::Lost) => panic!("{other:?}"),
    }
}

/// The limited request fails, and the session is not touched by it.
async fn only_the_request_fails(server: &TestServer, client: &Client) {
    assert!(server.session(client).is_connected());
    let mut again = server.tab(client.transport, &client.browser).await;
    if client.transport != Transport::InProcess {
        again.set_id(client.id());
        again.publish("/a", json!(1)).await;
    }
}

async fn a_request_may_be_as_large_as_configured_and_no_larger(transport: Transport) {
    const MOST: usize = 2000;
    let server =
        TestServer::start(|config| every_transport(config, |t| t.max_message_size = MOST)).await;
    let mut client = server.connected(transport).await;
    let mut publish = |size: usize| {
        let mut message = client.message("/a", &json!({ "id": "p", "data": "" }));
        let padding = size - json!([message]).to_string().len();
        message["data"] = json!("x".repeat(padding));
        json!([message]).to_string()
    };
    let (fits, is_larger) = (publish(MOST), publish(MOST + 1));
    client.send_text(fits);
    assert_eq!(client.reply_to("p").await["successful"], true);
    client.send_text(is_larger);
    is_refused(&mut client, 413, 1009).await;
    only_the_request_fails(&server, &client).await;
}

async fn a_request_may_hold_so_many_messages_and_no_more(transport: Transport) {
    let server = TestServer::start(|config| config.max_messages = 3).await;
    let mut client = server.connected(transport).await;
    let mut batch = |size| -> Vec<_> {
        (0..size).map(|data| client.message("/a", &json!({ "data": data }))).collect()
    };
    let (fits, is_larger) = (batch(3), batch(4));
    assert!(client.batch(&fits).await.iter().all(|reply| reply["successful"] == true));
    client.send(&is_larger);
    is_refused(&mut client, 413, 1009).await;
    assert_eq!(server.server.statistics().messages_published, 3);
    only_the_request_fails(&server, &client).await;
}

async fn a_message_may_be_nested_so_deep_and_no_deeper(transport: Transport) {
    let server = TestServer::start(|config: &mut Config| config.max_depth = 6).await;
    let mut client = server.connected(transport).await;
    // The array and the message are two levels.
    let publish = |client: &mut Client, depth: usize| {
        let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let id = client.id().to_owned();
        client
            .send_text(format!(r#"[{{"channel":"/a","id":"p","clientId":"{id}","data":{data}}}]"#));
    };
    publish(&mut client, 4);
    assert_eq!(client.reply_to("p").await["successful"], true);
    publish(&mut client, 5);
    is_refused(&mut client, 400, 1011).await;
    only_the_request_fails(&server, &client).await;
}

async fn a_session_may_have_so_many_subscriptions_and_no_more(transport: Transport) {
    let server = TestServer::start(|config| config.max_subscriptions = 2).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.subscribe("/b").await;
    let reply = client.request("/meta/subscribe", json!({ "subscription": "/c" })).await;
    assert_eq!(reply["error"], "403:too_many_subscriptions:subscribe_denied");
    // What it has already it may ask for again.
    let reply = client.request("/meta/subscribe", json!({ "subscription": ["/a", "/b"] })).await;
    assert_eq!(reply["successful"], true, "{reply}");
    client.unsubscribe("/a").await;
    client.subscribe("/c").await;
    assert_eq!(server.session(&client).subscriptions().len(), 2);
}

/// The limits are those of what arrives, not of what the server says.
async fn what_the_server_sends_is_not_limited(transport: Transport) {
    let server =
        TestServer::start(|config| every_transport(config, |t| t.max_message_size = 500)).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let large = "x".repeat(5000);
    let message = bayeux_server::api::Message::with_data("/a", json!(large));
    assert!(server.session(&client).deliver(message).await);
    assert_eq!(client.message_on("/a").await["data"], large.as_str());
}
