//! Connections that are cut: what was held is free at once, what was under way is not lost.

use std::{net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::json;
use tests::{
    Browser, TestServer, Transport, brisk, eventually, every_transport, hooks::Log,
    over_every_transport, over_http, over_transports, raw::Raw,
};
use tokio::{net::TcpSocket, sync::Notify};

use crate::regression::takes_over;

over_every_transport!(
    a_held_connect_that_is_cut_is_not_held_any_more,
    a_session_whose_connect_was_cut_expires,
    what_was_begun_is_finished_though_its_client_has_gone,
);

async fn a_held_connect_that_is_cut_is_not_held_any_more(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let log = Log::default();
    server.session(&client).add_listener(Arc::new(log.clone())).keep();
    client.hold().await;
    client.abort().await;
    eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    log.until("resumed, timed out: false").await;
}

async fn a_session_whose_connect_was_cut_expires(transport: Transport) {
    let server = TestServer::start(|config| {
        brisk(config);
        every_transport(config, |t| t.timeout = tests::AGES);
    })
    .await;
    let log = Log::default();
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.hold().await;
    client.abort().await;
    log.until("Expired session, 0 subscriptions").await;
}

/// Does not let a message on before it is told to.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) reached: Notify,
    pub(crate) open: Notify,
}

#[async_trait]
impl ServerChannelListener for Gate {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        self.reached.notify_one();
        self.open.notified().await;
        Flow::Continue
    }
}

async fn what_was_begun_is_finished_though_its_client_has_gone(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let gate = Arc::new(Gate::default());
    channel.add_listener(gate.clone()).keep();
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let mut client = server.connected(transport).await;
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send(&[publish]);
    tests::within("the message to come", gate.reached.notified()).await;
    client.abort().await;
    gate.open.notify_one();
    assert_eq!(subscriber.message_on("/a").await["data"], 1);
}

over_http!(a_message_that_comes_for_a_cut_connect_waits_for_the_next);

async fn a_message_that_comes_for_a_cut_connect_waits_for_the_next(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let mut publisher = server.handshaken(transport).await;
    client.hold().await;
    // The cut and the message meet.
    client.abort().await;
    publisher.publish("/a", json!(1)).await;
    eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    publisher.publish("/a", json!(2)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    assert_eq!(client.message_on("/a").await["data"], 2);
}

/// Connects with so small a buffer that a response does not fit into it.
pub(crate) async fn narrow(address: SocketAddr) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    Raw(socket.connect(address).await.unwrap())
}

const COUNT: usize = 40;

pub(crate) async fn deliver_much(session: &bayeux_server::Session) {
    for number in 0..COUNT {
        let data = json!({ "number": number, "padding": "x".repeat(512 * 1024) });
        assert!(session.deliver(Message::with_data("/a", data)).await);
    }
}

over_transports!([long_polling: LongPolling] messages_of_a_response_that_fails_come_again);

async fn messages_of_a_response_that_fails_come_again(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    deliver_much(&session).await;
    let connect = client.message("/meta/connect", &json!({}));
    let mut raw = narrow(server.address).await;
    let cookie = format!("cookie: {}\r\n", client.browser.header().unwrap());
    raw.post(&cookie, json!([connect]).to_string()).await;
    raw.read_until("\"number\":0").await;
    assert_eq!(session.queue_depth().messages, 0);
    drop(raw);
    eventually("the messages to be back", || session.queue_depth().messages == COUNT).await;
    assert_eq!(server.server.statistics().messages_requeued, COUNT as u64);
    for number in 0..COUNT {
        assert_eq!(client.message_on("/a").await["data"]["number"], number);
    }
    assert_eq!(session.queue_depth().messages, 0);
}

over_transports!([websocket: WebSocket] messages_that_a_broken_websocket_did_not_take_come_again);

async fn messages_that_a_broken_websocket_did_not_take_come_again(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    // Its new connection takes nothing.
    let mut raw = narrow(server.address).await;
    raw.write(
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    raw.read_until("\r\n\r\n").await;
    let message = takes_over(client.id());
    // A masked frame, with a mask of zeros.
    let mut frame = vec![0x81, 0x80 | u8::try_from(message.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(message.as_bytes());
    raw.write(frame).await;
    raw.read_until("\"successful\":true").await;
    client.abort().await;
    deliver_much(&session).await;
    raw.read_until("\"number\":0").await;
    drop(raw);
    let statistics = || server.server.statistics();
    eventually("the connection to be gone", || statistics().websockets == 0).await;
    // What the kernel took is gone; all after it comes, in order.
    let back = session.queue_depth().messages;
    assert!((1..COUNT).contains(&back), "{back}");
    assert_eq!(statistics().messages_requeued, back as u64);
    let mut again = server.tab(transport, &Arc::<Browser>::default()).await;
    again.set_id(client.id());
    for number in COUNT - back..COUNT {
        assert_eq!(again.message_on("/a").await["data"]["number"], number);
    }
}
