//! A WebSocket connection reads, works and writes at the same time, and none of it waits for another.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::{Value, json};
use tests::{
    TestServer, Transport, eventually, every_transport, hooks::on_message, over_every_transport,
    over_transports, over_websocket, raw::Raw, within,
};
use tokio::{io::AsyncReadExt as _, net::TcpSocket};

use crate::{
    aborted::{Gate, narrow},
    regression::takes_over,
    slow::upgrade,
};

over_websocket!(
    while_the_application_works_for_a_client_it_gets_what_others_send,
    a_session_lives_while_its_requests_are_worked_on,
);

over_every_transport!(a_session_lives_while_what_came_with_its_connect_is_worked_on);

/// A masked frame, with a mask of zeros.
pub(crate) fn frame(opcode: u8, text: &str) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

fn request(id: &str, channel: &str) -> Vec<u8> {
    let number = channel.replace('/', "");
    let request = json!([{ "channel": channel, "clientId": id, "id": number, "data": 1 }]);
    frame(1, &request.to_string())
}

/// Has the session carried by a WebSocket of bare bytes.
pub(crate) async fn carry(mut raw: Raw, id: &str) -> Raw {
    upgrade(&mut raw).await;
    raw.write(frame(1, &takes_over(id))).await;
    raw.read_until("\"successful\":true").await;
    raw
}

fn listen(server: &TestServer, channel: &str, listener: Arc<dyn ServerChannelListener>) {
    let channel = server.server.create_channel_if_absent(channel).unwrap().channel();
    channel.add_listener(listener).keep();
}

#[tokio::test]
async fn work_that_began_ends_though_the_reply_before_it_cannot_be_written() {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(Transport::WebSocket).await;
    subscriber.subscribe("/second").await;
    let client = server.handshaken(Transport::WebSocket).await;
    let raw = carry(Raw::connect(server.address).await, client.id()).await;
    let gate = Arc::new(Gate::default());
    listen(&server, "/second", gate.clone());
    let both = [request(client.id(), "/first"), request(client.id(), "/second")].concat();
    let socket = Arc::new(Mutex::new(None));
    let reset = socket.clone();
    // The client goes while its first message is worked on.
    let first = on_message(move |_, _| {
        drop(reset.lock().unwrap().take());
        Flow::Continue
    });
    listen(&server, "/first", first);
    raw.0.set_zero_linger().unwrap();
    {
        let mut lent = socket.lock().unwrap();
        assert_eq!(raw.0.try_write(&both).unwrap(), both.len());
        *lent = Some(raw);
    }
    within("the second message to come", gate.reached.notified()).await;
    assert!(socket.lock().unwrap().is_none());
    let statistics = || server.server.statistics();
    eventually("the connection to be gone", || statistics().websockets == 2).await;
    gate.open.notify_one();
    assert_eq!(subscriber.message_on("/second").await["data"], 1);
}

/// Fills what its publisher has to read, and takes a lock of the application's.
#[derive(Debug, Default)]
struct Locks {
    filled: AtomicUsize,
    lock: tokio::sync::Mutex<()>,
}

#[async_trait]
impl ServerChannelListener for Locks {
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        if channel.id().as_str() == "/lock" {
            let _locked = self.lock.lock().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        } else if let Some(from) = from {
            let filler = json!("x".repeat(50 * 1024));
            from.deliver(None, Message::with_data("/filler", filler)).await;
            self.filled.fetch_add(1, Ordering::SeqCst);
        }
        Flow::Continue
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_keeps_no_lock_of_the_application() {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
    })
    .await;
    let locks = Arc::new(Locks::default());
    listen(&server, "/fill", locks.clone());
    listen(&server, "/lock", locks.clone());
    let mut other = server.handshaken(Transport::WebSocket).await;
    let client = server.handshaken(Transport::WebSocket).await;
    let mut raw = carry(narrow(server.address).await, client.id()).await;
    let pair = [request(client.id(), "/fill"), request(client.id(), "/lock")].concat();
    // More than all buffers on the way take.
    raw.write(pair.repeat(400)).await;
    let (mut filled, mut same) = (0, 0);
    while filled == 0 || same < 50 {
        other.publish("/lock", json!(1)).await;
        let now = locks.filled.load(Ordering::SeqCst);
        same = if now == filled { same + 1 } else { 0 };
        filled = now;
    }
    assert!(filled < 400, "all was taken");
}

async fn while_the_application_works_for_a_client_it_gets_what_others_send(transport: Transport) {
    let server = TestServer::start(|config| {
        config.websocket.timeout = Duration::from_secs(2);
    })
    .await;
    let gate = Arc::new(Gate::default());
    listen(&server, "/slow", gate.clone());
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let connect = client.hold().await;
    let slow = client.message("/slow", &json!({ "id": "slow", "data": 1 }));
    let next = client.message("/next", &json!({ "id": "next", "data": 1 }));
    client.send(&[slow]);
    within("the message to come", gate.reached.notified()).await;
    client.send(&[next]);
    let mut other = server.handshaken(transport).await;
    other.publish("/a", json!(2)).await;
    client.expect("the message", |message| message["data"] == 2).await;
    client.reply_to(&connect).await;
    gate.open.notify_one();
    // One request after the other.
    let is_reply = |message: &Value| message["id"] == "slow" || message["id"] == "next";
    assert_eq!(client.expect("a reply", is_reply).await["id"], "slow");
    assert_eq!(client.expect("a reply", is_reply).await["id"], "next");
}

#[tokio::test]
async fn while_the_application_works_pings_are_answered() {
    let server = TestServer::start(|_| {}).await;
    let gate = Arc::new(Gate::default());
    listen(&server, "/slow", gate.clone());
    let client = server.handshaken(Transport::WebSocket).await;
    let mut raw = carry(Raw::connect(server.address).await, client.id()).await;
    raw.write(request(client.id(), "/slow")).await;
    within("the message to come", gate.reached.notified()).await;
    raw.write(frame(9, "are you there")).await;
    raw.read_until("are you there").await;
    gate.open.notify_one();
    raw.read_until("\"id\":\"slow\"").await;
}

async fn a_session_lives_while_its_requests_are_worked_on(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_interval = Duration::from_secs(1));
    })
    .await;
    let gate = Arc::new(Gate::default());
    listen(&server, "/slow", gate.clone());
    let mut client = server.handshaken(transport).await;
    let slow = client.message("/slow", &json!({ "data": 1 }));
    let connect = client.message("/meta/connect", &json!({ "id": "c" }));
    client.send(&[slow]);
    within("the message to come", gate.reached.notified()).await;
    client.send(&[connect]);
    another_expires(&server, transport).await;
    gate.open.notify_one();
    assert_eq!(client.reply_to("c").await["successful"], true);
}

/// A session that comes later and is silent goes before.
async fn another_expires(server: &TestServer, transport: Transport) {
    server.handshaken(transport).await;
    let statistics = || server.server.statistics();
    eventually("the other session to expire", || statistics().sessions_expired > 0).await;
}

async fn a_session_lives_while_what_came_with_its_connect_is_worked_on(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_interval = Duration::from_secs(1));
    })
    .await;
    let gate = Arc::new(Gate::default());
    listen(&server, "/slow", gate.clone());
    let mut client = server.handshaken(transport).await;
    let slow = client.message("/slow", &json!({ "data": 1 }));
    let connect = client.message("/meta/connect", &json!({ "id": "c" }));
    client.send(&[slow, connect]);
    within("the message to come", gate.reached.notified()).await;
    another_expires(&server, transport).await;
    gate.open.notify_one();
    let reply = client.reply_to("c").await;
    assert_eq!(reply["successful"], true, "{reply}");
}

over_transports!([websocket: WebSocket] a_session_lives_while_its_client_takes_what_is_written);

async fn a_session_lives_while_its_client_takes_what_is_written(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.max_interval = Duration::from_secs(9);
            t.max_queue_bytes = 64 * 1024 * 1024;
        });
    })
    .await;
    let client = server.handshaken(transport).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(256 * 1024).unwrap();
    let raw = Raw(socket.connect(server.address).await.unwrap());
    let mut raw = carry(raw, client.id()).await;
    let session = server.session(&client);
    for _ in 0..80 {
        let data = json!("x".repeat(512 * 1024));
        assert!(session.deliver(Message::with_data("/a", data)).await);
    }
    raw.read_until("xxx").await;
    raw.write(frame(1, &takes_over(client.id()))).await;
    let (mut tail, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    let (start, mut total) = (tokio::time::Instant::now(), 0);
    let reply = within("the reply", async {
        loop {
            let count = raw.0.read(&mut part).await.unwrap();
            assert_ne!(count, 0, "closed");
            tail.extend_from_slice(&part[..count]);
            let text = String::from_utf8_lossy(&tail).into_owned();
            if let Some(at) = text.find("/meta/connect")
                && text[at..].contains("}]")
            {
                return text;
            }
            tail.drain(..tail.len().saturating_sub(512));
            // 3 MB in a second, fourteen seconds in all, of which the last one or two are in the kernel.
            total += u64::try_from(count).unwrap();
            tokio::time::sleep_until(start + Duration::from_micros(total / 3)).await;
        }
    })
    .await;
    assert!(reply.contains("\"successful\":true"), "{}", &reply[reply.len() - 512..]);
}
