//! A connection that breaks is told at once, and its session lives; pings find one that is gone without a
//! word.

use std::{sync::Arc, time::Duration};

use bayeux_server::{Config, api::Message};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tests::{
    AGES, Client, TestServer, Transport, WebSocket, eventually, hooks::Log, open_websocket,
    over_every_transport, over_http, over_websocket, upgrade_request, within,
};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::aborted::Gate;

over_every_transport!(
    a_connection_that_breaks_is_told_and_its_session_lives,
    neither_an_answer_nor_an_end_is_a_loss,
);
over_http!(a_connect_that_is_overtaken_is_no_loss);
over_websocket!(
    who_only_stands_by_is_no_loss,
    a_client_that_does_not_answer_pings_is_gone,
    a_client_that_answers_pings_stays,
    a_client_of_which_no_more_is_read_stays,
);

/// Has somebody hear of a client's session.
fn heard(server: &TestServer, client: &Client) -> Log {
    let log = Log::default();
    server.session(client).add_listener(Arc::new(log.clone())).keep();
    log
}

/// Another connection of a client.
async fn again(server: &TestServer, client: &Client) -> Client {
    let mut other = server.tab(client.transport, &client.browser).await;
    other.set_id(client.id());
    other
}

const LOST: &str = "connection lost";

async fn a_connection_that_breaks_is_told_and_its_session_lives(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let log = heard(&server, &client);
    client.hold().await;
    assert_eq!(log.take(), [format!("suspended for {} ms", AGES.as_millis())]);
    client.abort().await;
    log.until(LOST).await;
    assert_eq!(log.take(), ["resumed, timed out: false", LOST]);
    let session = server.session(&client);
    assert!(session.is_connected());
    // It takes messages, which whoever comes again gets.
    assert!(session.deliver(Message::with_data("/a", json!(1))).await);
    if transport.is_http() {
        client = again(&server, &client).await;
    }
    assert_eq!(client.message_on("/a").await["data"], 1);
    client.hold().await;
    client.abort().await;
    log.until(LOST).await;
    assert_eq!(log.count(LOST), 1);
}

async fn neither_an_answer_nor_an_end_is_a_loss(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let log = heard(&server, &client);
    let session = server.session(&client);
    session.set_timeout(Some(Duration::from_millis(1)));
    client.connect().await;
    session.set_timeout(None);
    client.hold().await;
    session.deliver(Message::with_data("/a", json!(1))).await;
    client.message_on("/a").await;
    client.disconnect().await;
    client.abort().await;
    eventually("the connection to be gone", || server.server.statistics().websockets == 0).await;
    log.until("removed Disconnected").await;
    assert_eq!(log.count(LOST), 0);
}

async fn a_connect_that_is_overtaken_is_no_loss(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let log = heard(&server, &client);
    client.hold().await;
    let mut newer = again(&server, &client).await;
    let connect = newer.message("/meta/connect", &json!({}));
    newer.send(&[connect]);
    // The answer to the older one.
    client.arrival().await;
    eventually("the newer to be held", || server.server.statistics().held_connects == 1).await;
    client.abort().await;
    let session = server.session(&client);
    session.deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(newer.message_on("/a").await["data"], 1);
    assert_eq!(log.count(LOST), 0);
}

async fn who_only_stands_by_is_no_loss(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let log = heard(&server, &client);
    let mut other = again(&server, &client).await;
    other.publish("/b", json!(1)).await;
    other.abort().await;
    eventually("it to be gone", || server.server.statistics().websockets == 1).await;
    assert_eq!(log.entries(), [""; 0]);
    client.abort().await;
    log.until(LOST).await;
}

fn pings(interval: Duration, timeout: Duration) -> impl FnOnce(&mut Config) {
    move |config| {
        (config.ws.ping_interval, config.ws.ping_timeout) = (Some(interval), timeout);
    }
}

/// A WebSocket that answers pings only while it is read, with a session whose connect is held.
async fn socket(server: &TestServer, transport: Transport) -> (WebSocket, String) {
    let request = upgrade_request(server.address, transport.version(), "/");
    let (mut socket, _) = open_websocket(server.address, request).await.unwrap();
    let handshake = json!({ "channel": "/meta/handshake", "version": "1.0" });
    let id = ask(&mut socket, &handshake).await["clientId"].as_str().unwrap().to_owned();
    let connect = json!({ "channel": "/meta/connect", "clientId": id });
    assert_eq!(ask(&mut socket, &connect).await["successful"], true);
    socket.send(Frame::text(json!([connect]).to_string())).await.unwrap();
    eventually("it to be held", || server.server.statistics().held_connects == 1).await;
    (socket, id)
}

async fn ask(socket: &mut WebSocket, message: &Value) -> Value {
    socket.send(Frame::text(json!([message]).to_string())).await.unwrap();
    within("the reply", async {
        loop {
            if let Frame::Text(text) = socket.next().await.unwrap().unwrap() {
                return serde_json::from_str::<Vec<Value>>(&text).unwrap().remove(0);
            }
        }
    })
    .await
}

async fn a_client_that_does_not_answer_pings_is_gone(transport: Transport) {
    let server = TestServer::start(pings(Duration::from_millis(10), Duration::from_secs(2))).await;
    let (mut socket, id) = socket(&server, transport).await;
    let session = server.server.session(&id).unwrap();
    let log = Log::default();
    session.add_listener(Arc::new(log.clone())).keep();
    log.until(LOST).await;
    assert_eq!(log.entries(), [LOST]);
    assert!(session.is_connected());
    within("the connection to be closed", async { while let Some(Ok(_)) = socket.next().await {} })
        .await;
}

async fn a_client_that_answers_pings_stays(transport: Transport) {
    let server = TestServer::start(pings(Duration::from_millis(10), AGES)).await;
    let (mut socket, _) = socket(&server, transport).await;
    // Another ping comes only after the answer to the one before.
    for _ in 0..5 {
        within("a ping", async {
            while !matches!(socket.next().await.unwrap().unwrap(), Frame::Ping(_)) {}
        })
        .await;
    }
}

async fn a_client_of_which_no_more_is_read_stays(transport: Transport) {
    let timeout = Duration::from_secs(1);
    let server = TestServer::start(pings(Duration::from_millis(10), timeout)).await;
    let gate = Arc::new(Gate::default());
    let gated = server.server.create_channel_if_absent("/gated").unwrap().channel();
    gated.add_listener(gate.clone()).keep();
    let mut client = server.connected(transport).await;
    let log = heard(&server, &client);
    let first = client.message("/gated", &json!({ "data": 1 }));
    client.send(std::slice::from_ref(&first));
    within("it to be worked on", gate.reached.notified()).await;
    // More than is read ahead.
    for _ in 0..40 {
        let next = client.message("/b", &json!({ "data": "x".repeat(4096) }));
        client.send(&[next]);
    }
    // For so long the answers of the client are not read.
    tokio::time::sleep(3 * timeout).await;
    gate.open.notify_one();
    client.reply_to(first["id"].as_str().unwrap()).await;
    assert_eq!(log.entries(), [""; 0]);
}
