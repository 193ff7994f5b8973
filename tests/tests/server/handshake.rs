//! `/meta/handshake`: what the reply says, and what it does not depend on.

use std::time::Duration;

use bayeux_server::api::ConnectionType;
use serde_json::json;
use tests::{TestServer, Transport, eventually, every_transport, over_every_transport, over_http};

over_every_transport!(
    the_reply_has_all_that_the_protocol_asks_for,
    without_an_id_there_is_none_in_the_reply,
    versions_and_transports_of_the_request_are_ignored,
    transports_are_offered_in_the_order_of_the_configuration,
    every_handshake_starts_a_session_also_with_an_old_id,
    a_rehandshake_leaves_the_old_session_to_expire,
    other_messages_are_refused_and_the_handshake_is_not,
    max_interval_is_advised_if_it_is_configured,
    ids_are_long_and_never_the_same,
);

async fn the_reply_has_all_that_the_protocol_asks_for(transport: Transport) {
    let server = TestServer::ordinary().await;
    let mut client = server.client(transport).await;
    let reply = client.try_handshake(json!({ "id": "h1", "minimumVersion": "1.0" })).await;
    assert_eq!(
        reply,
        json!({
            "channel": "/meta/handshake",
            "id": "h1",
            "successful": true,
            "clientId": client.id(),
            "version": "1.0",
            "minimumVersion": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
            "advice": { "reconnect": "retry", "interval": 0, "timeout": 20_000 },
        })
    );
    assert!(server.session(&client).is_handshook());
    assert!(!server.session(&client).is_connected());
}

async fn without_an_id_there_is_none_in_the_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.client(transport).await;
    client.send(&[json!({ "channel": "/meta/handshake" })]);
    let reply = client.expect("the reply", |message| message["channel"] == "/meta/handshake").await;
    assert_eq!(reply["successful"], true);
    assert!(reply.get("id").is_none(), "{reply}");
}

async fn versions_and_transports_of_the_request_are_ignored(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.client(transport).await;
    let fields = json!({
        "version": "9.beta",
        "minimumVersion": "8",
        "supportedConnectionTypes": ["carrier-pigeon"],
    });
    assert_eq!(client.try_handshake(fields).await["successful"], true);
}

async fn transports_are_offered_in_the_order_of_the_configuration(transport: Transport) {
    let server = TestServer::start(|config| {
        use ConnectionType::{CallbackPolling, LongPolling, WebSocket};
        config.allowed_transports = vec![CallbackPolling, WebSocket, LongPolling];
    })
    .await;
    let reply = server.client(transport).await.handshake().await;
    let expected = json!(["callback-polling", "websocket", "long-polling"]);
    assert_eq!(reply["supportedConnectionTypes"], expected);
}

async fn every_handshake_starts_a_session_also_with_an_old_id(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let old = client.id().to_owned();
    let reply = client.try_handshake(json!({ "clientId": old })).await;
    assert_eq!(reply["successful"], true);
    assert_ne!(reply["clientId"], old.as_str());
    assert_eq!(server.server.sessions().len(), 2);
}

async fn a_rehandshake_leaves_the_old_session_to_expire(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let old = server.session(&client);
    old.set_max_interval(Some(Duration::from_secs(1)));
    client.connect().await;
    client.handshake().await;
    assert!(old.is_handshook());
    eventually("the old session to expire", || !old.is_handshook()).await;
    client.connect().await;
    assert!(server.session(&client).is_connected());
}

async fn other_messages_are_refused_and_the_handshake_is_not(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.client(transport).await;
    let messages = [
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
        client.message("/meta/handshake", &json!({ "version": "1.0" })),
        client.message("/a", &json!({ "data": 1 })),
        client.message("/meta/handshake", &json!({ "version": "1.0" })),
    ];
    let replies = client.batch(&messages).await;
    assert_eq!(replies[1]["successful"], true);
    for reply in [&replies[0], &replies[2], &replies[3]] {
        assert_eq!(reply["successful"], false);
        assert_eq!(reply["error"], "400::not_with_handshake");
    }
    assert_eq!(server.server.sessions().len(), 1);
    assert!(server.server.channel("/a").is_none());
}

async fn max_interval_is_advised_if_it_is_configured(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.handshake_reconnect = true;
            t.max_interval = Duration::from_secs(100);
        });
    })
    .await;
    let reply = server.client(transport).await.handshake().await;
    assert_eq!(reply["advice"]["maxInterval"], 100_000);
}

async fn ids_are_long_and_never_the_same(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(server.handshaken(transport).await.id().to_owned());
    }
    // 128 bits are 32 hexadecimal digits.
    assert!(ids.iter().all(|id| id.len() >= 32), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10);
}

over_http!(the_user_agent_is_kept);

async fn the_user_agent_is_kept(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let http = tests::Http::new(server.address);
    let headers = [("user-agent", "Netscape/4.0")];
    let body = r#"[{"channel":"/meta/handshake"}]"#;
    let response = if transport == Transport::CallbackPolling {
        let path = "/?jsonp=f&message=%5B%7B%22channel%22:%22/meta/handshake%22%7D%5D";
        http.get(path, &headers).await
    } else {
        http.post("/", &headers, body).await
    };
    assert_eq!(response.unwrap().status(), 200);
    assert_eq!(server.server.sessions()[0].user_agent(), Some("Netscape/4.0"));
}
