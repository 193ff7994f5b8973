//! Who carries a session: the newest connect does, whoever else speaks for it and however late.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message, meta,
    server::{ServerExtension, ServerMessage, ServerSession},
};
use serde_json::json;
use tests::{
    Arrival, Client, TestServer, Transport, brisk, eventually, over_transports, over_websocket,
    within,
};

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
]
    a_socket_that_only_publishes_leaves_the_held_connect_alone
);
over_websocket!(
    a_socket_that_only_publishes_gets_its_replies_and_sees_the_end,
    what_is_acknowledged_comes_at_once_if_it_need_not_wait_for_a_connect,
);

/// Thinks about connects.
#[derive(Debug)]
struct Thinks;

#[async_trait]
impl ServerExtension for Thinks {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        if message.channel() == meta::CONNECT {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Flow::Continue
    }
}

/// With several threads, so that the two connects of a session race.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_connects_that_are_sent_twice_none_makes_its_session_deaf() {
    for transport in [Transport::LongPolling, Transport::CallbackPolling] {
        send_connects_twice(transport).await;
    }
}

async fn send_connects_twice(transport: Transport) {
    const COUNT: u64 = 150;
    let server = TestServer::start(|_| {}).await;
    server.server.add_extension(Arc::new(Thinks)).keep();
    let mut clients = Vec::new();
    for _ in 0..COUNT {
        let mut client = server.connected(transport).await;
        for _ in 0..2 {
            let connect = client.message("/meta/connect", &json!({}));
            client.send(&[connect]);
        }
        clients.push(client);
    }
    let held = || server.server.statistics().held_connects;
    eventually("one connect of each to be held", || held() == COUNT).await;
    for client in &clients {
        let message = Message::with_data("/a", json!(1));
        assert!(server.session(client).deliver(message).await);
    }
    for client in &mut clients {
        until_message(client).await;
    }
}

/// Waits for a message on `/a`; one of the responses before is that to an overtaken connect.
async fn until_message(client: &mut Client) {
    within("the message", async {
        loop {
            let arrival = client.arrival().await;
            let Arrival::Messages(messages) = arrival else { continue };
            if messages.iter().any(|message| message["channel"] == "/a") {
                return;
            }
        }
    })
    .await;
}

async fn a_socket_that_only_publishes_leaves_the_held_connect_alone(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let websockets = server.server.statistics().websockets;
    let mut other = server.client(Transport::WebSocket).await;
    other.set_id(client.id());
    other.publish("/b", json!(1)).await;
    assert_eq!(server.server.statistics().held_connects, 1);
    other.abort().await;
    eventually("it to be gone", || server.server.statistics().websockets == websockets).await;
    server.session(&client).deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
}

async fn a_socket_that_only_publishes_gets_its_replies_and_sees_the_end(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    let mut other = server.client(transport).await;
    other.set_id(client.id());
    client.subscribe("/b").await;
    other.publish("/b", json!(1)).await;
    assert_eq!(client.message_on("/b").await["data"], 1);
    assert_eq!(other.received_on("/b").len(), 0);
    // Nobody connects any more.
    for one in [&mut client, &mut other] {
        within("the connection to be closed", async {
            while !matches!(one.arrival().await, Arrival::Closed { code: 1000, .. }) {}
        })
        .await;
    }
}

async fn what_is_acknowledged_comes_at_once_if_it_need_not_wait_for_a_connect(
    transport: Transport,
) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    let mut client = server.client(transport).await;
    client.try_handshake(json!({ "ext": { "ack": true } })).await;
    client.connect_at_once().await;
    let session = server.session(&client);
    session.set_meta_connect_delivery_only(false);
    client.hold().await;
    session.deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
}
