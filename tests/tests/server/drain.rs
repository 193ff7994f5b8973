//! The orderly end of a server.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::Router;
use bayeux_server::{
    Config, Server,
    api::{
        Flow, Message,
        server::{ServerExtension, ServerMessage, ServerSession},
    },
};
use serde_json::{Value, json};
use tests::{
    AGES, Arrival, Client, TestServer, Transport, eventually, over_every_transport,
    over_transports, raw::Raw, within,
};
use tokio::sync::Notify;

use crate::aborted::Gate;

over_every_transport!(
    a_client_gets_what_waits_for_it_and_is_told_to_begin_anew_elsewhere,
    what_was_taken_arrives_and_what_may_not_arrive_is_refused,
    what_an_extension_has_when_it_begins_arrives,
    a_client_between_two_connects_is_told_when_it_comes,
    what_another_node_brings_is_taken_as_long_as_somebody_may_get_it,
);

/// Starts a server that sends all its clients away at once, and waits for what it has to wait for.
async fn at_once() -> TestServer {
    TestServer::start(|config| {
        (config.drain.spread, config.drain.timeout) = (Duration::ZERO, AGES);
    })
    .await
}

fn begin_to_drain(server: &TestServer) -> tokio::task::JoinHandle<()> {
    let server = server.server.clone();
    tokio::spawn(async move { server.drain().await })
}

/// Checks the last reply to a connect, and returns for how long its client is to stay away.
fn absence_of(reply: &Value) -> u64 {
    // CometD's JavaScript library would throw if a reply were successful and advised a handshake.
    assert_eq!(reply["successful"], false, "{reply}");
    assert_eq!(reply["error"], "503::connect_unavailable", "{reply}");
    assert_eq!(reply["advice"]["reconnect"], "handshake", "{reply}");
    let interval = reply["advice"]["interval"].as_u64().unwrap();
    assert!((1..=5_000).contains(&interval), "{reply}");
    interval
}

/// Waits for the WebSocket's close, for those that come over one.
async fn is_closed(client: &mut Client) {
    if client.transport.pushes() {
        let arrival = client.arrival().await;
        assert!(matches!(arrival, Arrival::Closed { code: 1001, .. }), "{arrival:?}");
    }
}

async fn a_client_gets_what_waits_for_it_and_is_told_to_begin_anew_elsewhere(transport: Transport) {
    let server = at_once().await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    let session = server.session(&client);
    // It holds back what is delivered.
    let batch = session.start_batch();
    assert!(session.deliver(Message::with_data("/a", json!(1))).await);
    let draining = begin_to_drain(&server);
    absence_of(&client.reply_to(&id).await);
    assert_eq!(client.received_on("/a")[0]["data"], 1);
    is_closed(&mut client).await;
    within("the drain to end", draining).await.unwrap();
    server.served().await;
    drop(batch);
}

async fn what_was_taken_arrives_and_what_may_not_arrive_is_refused(transport: Transport) {
    let server = at_once().await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let gate = Arc::new(Gate::default());
    channel.add_listener(gate.clone()).keep();
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let id = subscriber.hold().await;
    // So that the message has to wait for the last reply, over every transport.
    let batch = server.session(&subscriber).start_batch();
    let mut publisher = server.connected(transport).await;
    let mut late = server.connected(transport).await;
    let mut stranger = server.client(transport).await;
    let publish = publisher.message("/a", &json!({ "id": "taken", "data": 1 }));
    publisher.send(&[publish]);
    within("the message to come", gate.reached.notified()).await;

    let draining = begin_to_drain(&server);
    eventually("the drain to begin", || server.server.is_draining()).await;
    let refused = stranger.try_handshake(json!({})).await;
    assert_eq!(refused["error"], "503::handshake_unavailable");
    assert_eq!(refused["advice"]["reconnect"], "handshake");
    assert!((1..=5_000).contains(&refused["advice"]["interval"].as_u64().unwrap()), "{refused}");
    is_closed(&mut stranger).await;
    let refused = late.request("/a", json!({ "data": 2 })).await;
    assert_eq!(refused["error"], "503::publish_unavailable");
    assert_eq!(server.server.statistics().held_connects, 1);

    gate.open.notify_one();
    assert_eq!(publisher.reply_to("taken").await["successful"], true);
    absence_of(&subscriber.reply_to(&id).await);
    assert_eq!(subscriber.received_on("/a")[0]["data"], 1);
    drop(batch);
    within("the drain to end", draining).await.unwrap();
}

/// An extension with which what is published on `/a` waits.
#[derive(Debug, Default)]
struct Checkpoint(Gate);

#[async_trait]
impl ServerExtension for Checkpoint {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        if message.channel() == "/a" {
            self.0.reached.notify_one();
            self.0.open.notified().await;
        }
        Flow::Continue
    }
}

async fn what_an_extension_has_when_it_begins_arrives(transport: Transport) {
    let server = at_once().await;
    let checkpoint = Arc::new(Checkpoint::default());
    server.server.add_extension(checkpoint.clone()).keep();
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let id = subscriber.hold().await;
    let mut publisher = server.connected(transport).await;
    let publish = publisher.message("/a", &json!({ "id": "taken", "data": 1 }));
    publisher.send(&[publish]);
    within("the message to come", checkpoint.0.reached.notified()).await;

    let draining = begin_to_drain(&server);
    eventually("the drain to begin", || server.server.is_draining()).await;
    checkpoint.0.open.notify_one();
    assert_eq!(publisher.reply_to("taken").await["successful"], true);
    subscriber.reply_to(&id).await;
    assert_eq!(subscriber.received_on("/a")[0]["data"], 1);
    within("the drain to end", draining).await.unwrap();
}

async fn a_client_between_two_connects_is_told_when_it_comes(transport: Transport) {
    let server = at_once().await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    session.set_meta_connect_delivery_only(true);
    assert!(session.deliver(Message::with_data("/a", json!(1))).await);
    let draining = begin_to_drain(&server);
    eventually("the drain to begin", || server.server.is_draining()).await;
    absence_of(&client.try_connect(json!({})).await);
    assert_eq!(client.received_on("/a")[0]["data"], 1);
    is_closed(&mut client).await;
    within("the drain to end", draining).await.unwrap();
}

async fn what_another_node_brings_is_taken_as_long_as_somebody_may_get_it(transport: Transport) {
    let server = at_once().await;
    let channel = server.server.create_channel_if_absent("/slow").unwrap().channel();
    let gate = Arc::new(Gate::default());
    channel.add_listener(gate.clone()).keep();
    let mut node = server.connected(transport).await;
    server.session(&node).set_node();
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let mut publisher = server.connected(transport).await;
    let publish = publisher.message("/slow", &json!({ "data": 1 }));
    publisher.send(&[publish]);
    within("the message to come", gate.reached.notified()).await;

    let draining = begin_to_drain(&server);
    eventually("the drain to begin", || server.server.is_draining()).await;
    node.publish("/a", json!(1)).await;
    assert_eq!(subscriber.message_on("/a").await["data"], 1);
    gate.open.notify_one();
    drop((node, subscriber, publisher));
    server.server.stop();
    within("the drain to end", draining).await.unwrap();
}

/// Posts `body` and reads the whole response, whose length is in its head.
async fn exchange(raw: &mut Raw, head: &str, body: &str) -> String {
    raw.post(head, body).await;
    raw.read_until("]").await
}

/// Returns what stands behind `before`, up to `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0
}

/// Opens so many connections of HTTP/1.1 on each of which a connect is held.
async fn held(server: &TestServer, count: usize) -> Vec<Raw> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut raw = Raw::connect(server.address).await;
        let greeting = exchange(&mut raw, "", r#"[{"channel":"/meta/handshake"}]"#).await;
        let id = between(&greeting, "\"clientId\":\"", "\"");
        let cookie = format!("cookie: {}\r\n", between(&greeting, "set-cookie: ", ";"));
        let connect = format!(r#"[{{"channel":"/meta/connect","clientId":"{id}"}}]"#);
        exchange(&mut raw, &cookie, &connect).await;
        raw.post(&cookie, &connect).await;
        all.push(raw);
    }
    let statistics = || server.server.statistics().held_connects;
    eventually("the connects to be held", || statistics() == count as u64).await;
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_with_each_last_reply_that_the_connection_is_closed() {
    let server = TestServer::start(|_| {}).await;
    let mut clients = held(&server, 40).await;
    server.server.stop();
    let mut without = 0;
    for raw in &mut clients {
        let reply = raw.read_to_end().await;
        assert!(reply.ends_with(']'), "{reply}");
        without += usize::from(!reply.contains("connection: close"));
    }
    assert_eq!(without, 0, "of {} have no such header", clients.len());
    server.served().await;
}

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
] in_axum_a_drain_ends_the_serving);

async fn in_axum_a_drain_ends_the_serving(transport: Transport) {
    let mut config = Config::default();
    tests::patient(&mut config);
    (config.drain.spread, config.drain.timeout) = (Duration::ZERO, AGES);
    let server = Server::builder().config(config).build();
    let app = Router::new().fallback_service(server.service());
    let (draining, told) = (server.clone(), Arc::new(Notify::new()));
    let telling = told.clone();
    let drained = async move {
        told.notified().await;
        draining.drain().await;
    };
    let server = TestServer::serve_router_until(server, app, drained).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    telling.notify_one();
    absence_of(&client.reply_to(&id).await);
    is_closed(&mut client).await;
    within("the WebSockets to be closed", server.server.closed()).await;
    drop(client);
    server.served().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_is_told_another_time_and_that_its_connection_is_closed() {
    let server = TestServer::start(|config| {
        (config.drain.spread, config.drain.timeout) = (Duration::from_millis(400), AGES);
    })
    .await;
    let mut clients = held(&server, 40).await;
    let draining = begin_to_drain(&server);
    let mut absences = BTreeSet::new();
    for raw in &mut clients {
        let reply = raw.read_to_end().await;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("connection: close"), "{reply}");
        let body: Value = serde_json::from_str(body).unwrap();
        absences.insert(absence_of(&body[0]));
    }
    // Of 5,000 times a few may be drawn twice.
    assert!(absences.len() > 30, "{absences:?}");
    within("the drain to end", draining).await.unwrap();
    server.served().await;
}

#[tokio::test]
async fn a_refused_handshake_ends_its_connection() {
    let server = at_once().await;
    let mut before = Raw::connect(server.address).await;
    exchange(&mut before, "", r#"[{"channel":"/meta/handshake"}]"#).await;
    // Nobody connects with that session, for which something waits.
    let session = server.server.sessions()[0].clone();
    assert!(session.deliver(Message::with_data("/a", json!(1))).await);
    let draining = begin_to_drain(&server);
    eventually("the drain to begin", || server.server.is_draining()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.post("", r#"[{"channel":"/meta/handshake"}]"#).await;
    let refusal = raw.read_to_end().await;
    assert!(refusal.starts_with("HTTP/1.1 200"), "{refusal}");
    assert!(refusal.contains("connection: close"), "{refusal}");
    assert!(refusal.contains("503::handshake_unavailable"), "{refusal}");
    server.server.stop();
    within("the drain to end with the stop", draining).await.unwrap();
}
