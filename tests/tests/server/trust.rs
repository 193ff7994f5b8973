//! Whose session a message may be of.

use std::sync::Arc;

use serde_json::json;
use tests::{
    Client, TestServer, Transport, over_every_transport, over_http, over_transports, over_websocket,
};

async fn publishes(client: &mut Client) -> bool {
    let reply = client.request("/a", json!({ "data": 1 })).await;
    if reply["successful"] == false {
        assert_eq!(reply["error"], "402::session_unknown");
    }
    reply["successful"] == true
}

over_every_transport!(
    the_first_message_decides_whose_request_it_is,
    a_foreign_second_message_is_refused_also_for_meta_channels,
);

async fn the_first_message_decides_whose_request_it_is(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let victim = server.connected(transport).await;
    let mut client = server.connected(transport).await;
    let own = client.id().to_owned();
    let batch = [
        client.message("/a", &json!({ "data": 1 })),
        client.message("/a", &json!({ "data": 2, "clientId": victim.id() })),
        client.message("/a", &json!({ "data": 3, "clientId": own })),
    ];
    let replies = client.batch(&batch).await;
    assert_eq!(replies[0]["successful"], true);
    assert_eq!(replies[1]["error"], "402::session_unknown");
    assert_eq!(replies[2]["successful"], true);
    assert_eq!(server.server.statistics().unknown_other_browser, 1);
}

async fn a_foreign_second_message_is_refused_also_for_meta_channels(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let victim = server.connected(transport).await;
    let mut client = server.connected(transport).await;
    let foreign = |fields: serde_json::Value| {
        let mut fields = fields;
        fields["clientId"] = json!(victim.id());
        fields
    };
    let batch = [
        client.message("/a", &json!({ "data": 1 })),
        client.message("/meta/subscribe", &foreign(json!({ "subscription": "/a" }))),
        client.message("/meta/disconnect", &foreign(json!({}))),
        client.message("/meta/connect", &foreign(json!({}))),
    ];
    let replies = client.batch(&batch).await;
    assert!(replies[1..].iter().all(|reply| reply["error"] == "402::session_unknown"));
    let victim = server.session(&victim);
    assert!(victim.is_connected() && victim.subscriptions().is_empty());
}

over_http!(
    another_browser_cannot_use_a_session,
    a_trusting_server_takes_an_id_for_enough,
    a_trusting_server_holds_connects_without_a_cookie,
    the_tabs_of_a_browser_may_use_each_others_sessions,
);

async fn another_browser_cannot_use_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut victim = server.connected(transport).await;
    for cookie in [None, Some("0123456789abcdef"), Some("")] {
        let mut thief = server.client(transport).await;
        if let Some(cookie) = cookie {
            thief.browser.set_cookie("BAYEUX_BROWSER", cookie);
        }
        thief.set_id(victim.id());
        let reply = thief.try_connect(json!({})).await;
        assert_eq!(reply["error"], "402::session_unknown");
        assert_eq!(reply["advice"]["reconnect"], "handshake");
        assert!(!publishes(&mut thief).await);
    }
    assert_eq!(server.server.statistics().unknown_other_browser, 6);
    assert!(publishes(&mut victim).await);
}

async fn a_trusting_server_takes_an_id_for_enough(transport: Transport) {
    let server = TestServer::start(|config| config.http.trust_client_session = true).await;
    let client = server.connected(transport).await;
    for other in [Transport::LongPolling, Transport::CallbackPolling, Transport::WebSocket] {
        let mut moved = server.client(other).await;
        moved.set_id(client.id());
        moved.connect_at_once().await;
        assert!(publishes(&mut moved).await, "{other:?}");
    }
}

async fn a_trusting_server_holds_connects_without_a_cookie(transport: Transport) {
    let server = TestServer::start(|config| config.http.trust_client_session = true).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.browser.clear();
    let id = client.hold().await;
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    assert_eq!(client.reply_to(&id).await["successful"], true);
}

async fn the_tabs_of_a_browser_may_use_each_others_sessions(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.connected(transport).await;
    let mut tab = server.tab(transport, &client.browser).await;
    tab.set_id(client.id());
    assert!(publishes(&mut tab).await);
}

over_transports!([
    websocket: WebSocket,
    long_polling: LongPolling,
    callback_polling: CallbackPolling,
    in_process: InProcess,
] a_session_does_not_move_to_another_transport);

async fn a_session_does_not_move_to_another_transport(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.connected(transport).await;
    for other in [Transport::LongPolling, Transport::CallbackPolling, Transport::InProcess] {
        if other == transport {
            continue;
        }
        let mut moved = server.tab(other, &client.browser).await;
        moved.set_id(client.id());
        let reply = moved.try_connect(json!({})).await;
        assert_eq!(reply["error"], "402::session_unknown", "{other:?}");
    }
}

over_http!(a_session_may_move_to_a_websocket);

/// Faye's clients and aiocometd shake hands over long-polling, whatever they use afterwards, and do
/// not always send their cookies when they open the WebSocket.
async fn a_session_may_move_to_a_websocket(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.handshaken(transport).await;
    let mut moved = server.client(Transport::WebSocket).await;
    moved.set_id(client.id());
    moved.connect_at_once().await;
    moved.subscribe("/a").await;
    moved.hold().await;
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    assert_eq!(moved.message_on("/a").await["data"], 1);
}

#[tokio::test]
async fn a_session_of_this_process_does_not_move_to_a_websocket() {
    let server = TestServer::start(|_| {}).await;
    let client = server.handshaken(Transport::InProcess).await;
    let mut moved = server.client(Transport::WebSocket).await;
    moved.set_id(client.id());
    assert_eq!(moved.try_connect(json!({})).await["error"], "402::session_unknown");
}

over_websocket!(
    a_new_connection_may_go_on_with_a_session,
    a_new_connection_needs_a_handshake_if_so_configured,
    a_connection_speaks_for_its_session_only,
    the_older_of_two_connections_lets_the_session_go,
);

async fn a_new_connection_may_go_on_with_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.connected(transport).await;
    let id = client.id().to_owned();
    drop(client);
    let mut again = server.client(transport).await;
    again.set_id(id);
    again.connect_at_once().await;
    assert!(publishes(&mut again).await);
}

async fn a_new_connection_needs_a_handshake_if_so_configured(transport: Transport) {
    let server =
        TestServer::start(|config| config.ws.require_handshake_per_connection = true).await;
    let client = server.connected(transport).await;
    let mut again = server.tab(transport, &Arc::default()).await;
    again.set_id(client.id());
    assert_eq!(again.try_connect(json!({})).await["error"], "402::session_unknown");
    assert!(!publishes(&mut again).await);
    again.handshake().await;
    assert!(publishes(&mut again).await);
}

async fn a_connection_speaks_for_its_session_only(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let victim = server.connected(transport).await;
    let mut client = server.connected(transport).await;
    let own = client.id().to_owned();
    client.set_id(victim.id());
    assert!(!publishes(&mut client).await);
    client.set_id(own);
    assert!(publishes(&mut client).await);
}

async fn the_older_of_two_connections_lets_the_session_go(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut older = server.connected(transport).await;
    older.subscribe("/a").await;
    older.hold().await;
    let mut newer = server.client(transport).await;
    newer.set_id(older.id());
    newer.connect_at_once().await;
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    assert_eq!(newer.message_on("/a").await["data"], 1);
    drop(older);
    server.handshaken(transport).await.publish("/a", json!(2)).await;
    assert_eq!(newer.message_on("/a").await["data"], 2);
}
