//! `/meta/connect`: when it is held, and what ends that.

use std::{sync::Arc, time::Duration};

use bayeux_server::api::Message;
use serde_json::json;
use tests::{
    Arrival, TestServer, Transport, brisk, eventually, every_transport, hooks::Log,
    over_every_transport, over_http, over_websocket,
};

over_every_transport!(
    the_first_is_answered_at_once,
    the_next_is_held_until_its_time_is_over,
    a_held_one_is_answered_by_a_message,
    advice_of_no_timeout_is_answered_at_once,
    the_clients_timeout_counts_for_one_connect_only,
    a_clients_timeout_has_a_bound,
    an_unknown_session_is_told_to_handshake_at_once,
    the_connection_type_is_not_checked,
    holding_is_told_to_the_sessions_listeners,
    a_first_connect_with_other_messages_is_answered_in_order,
    zero_timeout_of_the_server_never_holds,
    connects_that_need_not_wait_are_all_answered_though_they_come_together,
);

async fn the_first_is_answered_at_once(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let reply = client.connect().await;
    assert_eq!(reply, json!({ "channel": "/meta/connect", "id": "2", "successful": true }));
    assert!(server.session(&client).is_connected());
}

async fn the_next_is_held_until_its_time_is_over(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    let arrived = client.messages().await;
    let reply = json!({ "channel": "/meta/connect", "id": id, "successful": true });
    assert_eq!(arrived, [reply]);
    assert_eq!(server.server.statistics().held_connects, 0);
}

async fn a_held_one_is_answered_by_a_message(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let id = client.hold().await;
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    let message = json!({ "channel": "/a", "data": 1 });
    let reply = json!({ "channel": "/meta/connect", "id": id, "successful": true });
    if transport.pushes() {
        assert_eq!(client.messages().await, [message]);
        assert_eq!(server.server.statistics().held_connects, 1);
    } else {
        assert_eq!(client.messages().await, [message, reply]);
        assert_eq!(server.server.statistics().held_connects, 0);
    }
}

async fn advice_of_no_timeout_is_answered_at_once(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let reply = client.try_connect(json!({ "advice": { "timeout": 0 } })).await;
    assert_eq!(reply["successful"], true);
}

async fn the_clients_timeout_counts_for_one_connect_only(transport: Transport) {
    let server = TestServer::ordinary().await;
    let mut client = server.connected(transport).await;
    let log = Log::default();
    server.session(&client).add_listener(Arc::new(log.clone())).keep();
    client.try_connect(json!({ "advice": { "timeout": 50 } })).await;
    client.hold().await;
    log.until("suspended for 50 ms").await;
    log.until("suspended for 20000 ms").await;
}

async fn a_clients_timeout_has_a_bound(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_advised = Duration::from_millis(50));
    })
    .await;
    let mut client = server.connected(transport).await;
    let reply = client.try_connect(json!({ "advice": { "timeout": 99_999_999_999_u64 } })).await;
    assert_eq!(reply["successful"], true);
}

async fn an_unknown_session_is_told_to_handshake_at_once(transport: Transport) {
    let server = TestServer::ordinary().await;
    let mut client = server.client(transport).await;
    client.set_id("nobody");
    let reply = client.try_connect(json!({ "id": "7" })).await;
    assert_eq!(
        reply,
        json!({
            "channel": "/meta/connect",
            "id": "7",
            "successful": false,
            "error": "402::session_unknown",
            "advice": { "reconnect": "handshake", "interval": 0, "timeout": 20_000 },
        })
    );
}

async fn the_connection_type_is_not_checked(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let reply = client.try_connect(json!({ "connectionType": "carrier-pigeon" })).await;
    assert_eq!(reply["successful"], true);
}

async fn holding_is_told_to_the_sessions_listeners(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.handshaken(transport).await;
    let log = Log::default();
    server.session(&client).add_listener(Arc::new(log.clone())).keep();
    let holding = || {
        let entries = log.take();
        let is_about_it =
            |entry: &String| entry.starts_with("suspended") || entry.contains("timed");
        entries.into_iter().filter(is_about_it).collect::<Vec<_>>()
    };
    client.connect().await;
    assert!(holding().is_empty());
    client.connect().await;
    assert_eq!(holding(), ["suspended for 1000 ms", "resumed, timed out: true"]);
    let id = client.hold().await;
    client.disconnect().await;
    client.reply_to(&id).await;
    assert_eq!(holding(), ["suspended for 1000 ms", "resumed, timed out: false"]);
}

async fn a_first_connect_with_other_messages_is_answered_in_order(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let connect = client.message("/meta/connect", &json!({}));
    let subscribe = client.message("/meta/subscribe", &json!({ "subscription": "/a" }));
    client.send(&[connect, subscribe]);
    let replies = client.messages().await;
    let channels: Vec<_> = replies.iter().map(|reply| reply["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["/meta/connect", "/meta/subscribe"]);
    assert!(replies.iter().all(|reply| reply["successful"] == true));
}

async fn zero_timeout_of_the_server_never_holds(transport: Transport) {
    let server =
        TestServer::start(|config| every_transport(config, |t| t.timeout = Duration::ZERO)).await;
    let mut client = server.connected(transport).await;
    client.connect().await;
    client.connect().await;
}

async fn connects_that_need_not_wait_are_all_answered_though_they_come_together(
    transport: Transport,
) {
    let server = TestServer::start(|_| {}).await;
    let at_once = json!({ "advice": { "timeout": 0 } });
    let mut client = server.handshaken(transport).await;
    // The first of a session, and one that asks not to be held.
    let connects =
        [client.message("/meta/connect", &json!({})), client.message("/meta/connect", &at_once)];
    let replies = client.batch(&connects).await;
    assert!(replies.iter().all(|reply| reply["successful"] == true), "{replies:?}");
    let connects = [(); 3].map(|()| client.message("/meta/connect", &at_once));
    let replies = client.batch(&connects).await;
    assert!(replies.iter().all(|reply| reply["successful"] == true), "{replies:?}");
}

over_http!(
    a_connect_with_other_messages_is_never_held,
    an_overtaken_one_gets_an_error_and_the_newer_one_is_held,
    the_status_of_an_overtaken_one_is_configured,
);

async fn a_connect_with_other_messages_is_never_held(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let connect = client.message("/meta/connect", &json!({}));
    let publish = client.message("/a", &json!({ "data": 1 }));
    let replies = client.batch(&[connect, publish]).await;
    assert!(replies.iter().all(|reply| reply["successful"] == true), "{replies:?}");
}

async fn an_overtaken_one_gets_an_error_and_the_newer_one_is_held(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.hold().await;
    let newer = client.message("/meta/connect", &json!({}));
    let id = newer["id"].clone();
    client.send(&[newer]);
    let Arrival::Refused { status, body } = client.arrival().await else { panic!("not refused") };
    assert_eq!(status, 500);
    assert!(!body.starts_with('['), "{body}");
    // Only the newer one is answered, by the message that comes now.
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    let arrived = client.messages().await;
    assert_eq!(arrived[0], json!({ "channel": "/a", "data": 1 }));
    assert_eq!(arrived[1]["id"], id);
    assert_eq!(arrived[1]["successful"], true);
}

async fn the_status_of_an_overtaken_one_is_configured(transport: Transport) {
    let server = TestServer::start(|config| config.http.duplicate_meta_connect_status = 409).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let newer = client.message("/meta/connect", &json!({}));
    client.send(&[newer]);
    let arrival = client.arrival().await;
    assert!(matches!(arrival, Arrival::Refused { status: 409, .. }), "{arrival:?}");
}

over_websocket!(
    an_overtaken_one_is_never_answered,
    one_that_is_overtaken_in_its_frame_is_answered_only_if_it_need_not_wait,
    replies_do_not_wait_for_a_connect_in_their_frame
);

async fn one_that_is_overtaken_in_its_frame_is_answered_only_if_it_need_not_wait(
    transport: Transport,
) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let ordinary = [(); 2].map(|()| client.message("/meta/connect", &json!({})));
    let at_once = client.message("/meta/connect", &json!({ "advice": { "timeout": 0 } }));
    let [overtaken, held] = ordinary;
    let id = at_once["id"].clone();
    client.send(&[overtaken, at_once, held]);
    let replies = client.messages().await;
    assert_eq!(replies.iter().map(|reply| &reply["id"]).collect::<Vec<_>>(), [&id]);
    let held = || server.server.statistics().held_connects;
    eventually("the last to be held", || held() == 1).await;
    // Nor is it answered later: by a message, or when the last is overtaken too.
    server.session(&client).deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(client.messages().await, [json!({ "channel": "/a", "data": 1 })]);
    client.connect_at_once().await;
    assert_eq!(client.received(), [json!(null); 0]);
    assert_eq!(held(), 0);
}

async fn an_overtaken_one_is_never_answered(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    let older = client.hold().await;
    let newer = client.connect().await;
    // By now the time of the older one is over too.
    assert_ne!(newer["id"], older.as_str());
    client.connect().await;
    assert!(client.received().is_empty());
}

async fn replies_do_not_wait_for_a_connect_in_their_frame(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let connect = client.message("/meta/connect", &json!({}));
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send(&[connect, publish]);
    let replies = client.messages().await;
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0]["channel"], "/a");
    eventually("it to be held", || server.server.statistics().held_connects == 1).await;
}
