//! What once went wrong, each with the smallest sequence that showed it.

mod local;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message, Registration,
    server::{
        ServerChannelListener, ServerExtension, ServerMessage, ServerSession,
        ServerSessionListener, SessionListener,
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Version;
use serde_json::json;
use tests::{
    Arrival, Browser, TestServer, Transport, brisk, eventually, every_transport, hooks::Log,
    open_websocket, over_every_transport, over_http, over_websocket, raw::Raw, upgrade_request,
    within,
};

use crate::{
    aborted::{Gate, deliver_much, narrow},
    slow::upgrade,
};

over_every_transport!(
    acknowledging_nothing_gets_all_again,
    a_connect_with_a_slash_at_its_end_is_a_connect,
    a_connect_with_a_slash_at_its_end_keeps_no_session,
    a_listener_that_panics_when_asked_whether_it_is_weak_does_not_stop_the_driver,
);
over_http!(extensions_see_every_reply);
over_websocket!(
    messages_of_the_handshake_wait_for_the_connect,
    a_farewell_is_said_in_a_batch_too,
    the_held_connect_is_answered_before_the_disconnect,
    what_waits_is_sent_when_delivery_is_switched,
    of_two_sockets_that_speak_at_once_the_later_connect_is_held,
);

#[async_trait]
impl ServerSessionListener for Gate {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        _message: &Frozen,
    ) -> Flow {
        self.reached.notify_one();
        self.open.notified().await;
        Flow::Continue
    }
}

/// Those whose turn was before have the message, while the listener of a later one takes its time.
#[tokio::test]
async fn a_session_whose_listener_is_slow_holds_up_nobody_before_it() {
    let server = TestServer::start(|_| {}).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connected(Transport::WebSocket).await;
        client.subscribe("/a").await;
        // From here on it says nothing, and gets what the server writes by itself.
        client.hold().await;
        clients.push(client);
    }
    let channel = server.server.channel("/a").unwrap();
    let gate = Arc::new(Gate::default());
    let order = channel.subscribers();
    order[2].add_listener(gate.clone()).keep();
    let publish = channel.publish(json!(1));
    let receive = async {
        within("the listener to be asked", gate.reached.notified()).await;
        for client in &mut clients {
            if client.id() != order[2].id() {
                assert_eq!(client.message_on("/a").await["data"], 1);
            }
        }
        gate.open.notify_one();
    };
    let (published, ()) = tokio::join!(publish, receive);
    published.unwrap();
}

/// A write that the kernel takes in part is finished before what comes after it.
#[tokio::test]
async fn what_is_written_in_part_is_finished_first() {
    const COUNT: u64 = 1000;
    let server = roomy().await;
    let client = server.connected(Transport::WebSocket).await;
    let session = server.session(&client);
    let request = upgrade_request(server.address, Version::HTTP_11, "/");
    let (mut slow, _) = open_websocket(server.address, request).await.unwrap();
    slow.send(takes_over(client.id()).into()).await.unwrap();
    slow.next().await.unwrap().unwrap();
    for number in 0..COUNT {
        let filler = "x".repeat(if number % 2 == 0 { 3_000 } else { 9_000 });
        let data = json!({ "number": number, "filler": filler });
        assert!(session.deliver(Message::with_data("/a", data)).await);
        // It is written when this task lets others run.
        tokio::task::yield_now().await;
    }
    for number in 0..COUNT {
        let frame = within("a message", slow.next()).await.unwrap().unwrap();
        let messages: serde_json::Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
        assert_eq!(messages[0]["data"]["number"], number);
    }
    eventually("all to be counted", || server.server.statistics().messages_sent == COUNT).await;
}

/// Waking a connection gives a peer that takes nothing no more time.
#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up_however_busy_its_session_is() {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
        config.ws.write_timeout = Duration::from_millis(500);
    })
    .await;
    let client = server.connected(Transport::WebSocket).await;
    let session = server.session(&client);
    let _stuck = carrier(&server, client.id()).await;
    let large = json!("x".repeat(16 * 1024 * 1024));
    session.deliver(Message::with_data("/a", large)).await;
    within("the connection to be given up", async {
        while server.server.statistics().websockets > 1 {
            // The end of a batch wakes the connection, since there is something to send.
            let batch = session.start_batch();
            session.deliver(Message::with_data("/a", json!(1))).await;
            batch.end();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

/// A WebSocket with little place for what it does not read, which carries the session `id`.
async fn carrier(server: &TestServer, id: &str) -> Raw {
    let mut raw = narrow(server.address).await;
    upgrade(&mut raw).await;
    let message = takes_over(id);
    let mut frame = vec![0x81, 0x80 | u8::try_from(message.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(message.as_bytes());
    raw.write(frame).await;
    raw.read_until("\"successful\":true").await;
    raw
}

/// A connect, which is answered at once; from then on its connection carries the session.
pub(crate) fn takes_over(id: &str) -> String {
    let advice = json!({ "timeout": 0 });
    json!([{ "channel": "/meta/connect", "clientId": id, "advice": advice }]).to_string()
}

async fn roomy() -> TestServer {
    TestServer::start(|config| {
        every_transport(config, |t| t.max_queue_bytes = 64 * 1024 * 1024);
    })
    .await
}

#[tokio::test]
async fn a_message_that_comes_while_another_is_written_is_not_stuck() {
    let server = roomy().await;
    let client = server.connected(Transport::WebSocket).await;
    let session = server.session(&client);
    let mut raw = carrier(&server, client.id()).await;
    let large = json!({ "first": "x".repeat(16 * 1024 * 1024) });
    session.deliver(Message::with_data("/a", large)).await;
    // Much more than the kernel takes is under way.
    raw.read_until("first").await;
    session.deliver(Message::with_data("/a", json!("second"))).await;
    // The connection waits for the peer, and hears of the second message.
    server.connected(Transport::WebSocket).await;
    raw.skip_until("\"second\"").await;
}

#[tokio::test]
async fn what_a_dead_connection_has_in_hand_goes_to_the_new_one_at_once() {
    let server = roomy().await;
    let mut client = server.connected(Transport::WebSocket).await;
    let session = server.session(&client);
    let mut raw = carrier(&server, client.id()).await;
    client.abort().await;
    deliver_much(&session).await;
    raw.read_until("\"number\":0").await;
    // Its network is gone, and the client comes again.
    let mut again = server.tab(Transport::WebSocket, &Arc::<Browser>::default()).await;
    again.set_id(client.id());
    again.connect_at_once().await;
    session.deliver(Message::with_data("/a", json!({ "number": 40 }))).await;
    // The kernel has taken the first ones.
    let first = again.message_on("/a").await["data"]["number"].as_u64().unwrap();
    assert!(first < 40, "it comes behind what is newer");
    for number in first + 1..=40 {
        assert_eq!(again.message_on("/a").await["data"]["number"], number);
    }
}

async fn acknowledging_nothing_gets_all_again(transport: Transport) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    let mut client = server.client(transport).await;
    client.try_handshake(json!({ "ext": { "ack": true } })).await;
    server.session(&client).deliver(Message::with_data("/a", json!(1))).await;
    // The reply to the first is lost, so that the client has no batch yet.
    for _ in 0..2 {
        client.try_connect(json!({ "ext": { "ack": -1 } })).await;
        assert_eq!(client.received_on("/a").len(), 1);
    }
}

async fn a_connect_with_a_slash_at_its_end_is_a_connect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let connect = client.message("/meta/connect/", &json!({}));
    client.send(&[connect]);
    eventually("it to be held", || server.server.statistics().held_connects == 1).await;
    server.session(&client).deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
}

async fn a_connect_with_a_slash_at_its_end_keeps_no_session(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    let connect = client.message("/meta/connect/", &json!({}));
    client.send(&[connect]);
    eventually("the session to expire", || server.server.sessions().is_empty()).await;
}

async fn what_waits_is_sent_when_delivery_is_switched(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    session.set_meta_connect_delivery_only(true);
    session.deliver(Message::with_data("/a", json!(1))).await;
    // The carrier has been woken, and has looked.
    server.connected(transport).await;
    session.set_meta_connect_delivery_only(false);
    assert_eq!(client.messages().await[0]["data"], 1);
}

/// Panics when it is asked.
#[derive(Debug)]
struct Moody;

impl ServerChannelListener for Moody {
    fn is_weak(&self) -> bool {
        panic!("of the test")
    }
}

async fn a_listener_that_panics_when_asked_whether_it_is_weak_does_not_stop_the_driver(
    transport: Transport,
) {
    let server = TestServer::start(brisk).await;
    let _client = server.connected(transport).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    channel.add_listener(Arc::new(Moody)).keep();
    eventually("the session to expire", || server.server.sessions().is_empty()).await;
}

/// Marks all that goes out.
#[derive(Debug)]
struct Marks;

#[async_trait]
impl ServerExtension for Marks {
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        message.ext_mut().insert("marked".to_owned(), json!(true));
        Flow::Continue
    }
}

async fn extensions_see_every_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_extension(Arc::new(Marks)).keep();
    let mut client = server.connected(transport).await;
    let connects = ["one", "two"].map(|id| client.message("/meta/connect", &json!({ "id": id })));
    for reply in client.batch(&connects).await {
        assert_eq!(reply["ext"]["marked"], true, "{reply}");
    }
}

/// Delivers to new sessions.
#[derive(Debug)]
struct Greets;

#[async_trait]
impl SessionListener for Greets {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        session.deliver(None, Message::with_data("/a", json!(1))).await;
    }
}

async fn messages_of_the_handshake_wait_for_the_connect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_session_listener(Arc::new(Greets)).keep();
    let mut client = server.handshaken(transport).await;
    // Its connection has had the time to send it.
    server.handshaken(transport).await;
    assert_eq!(server.session(&client).queue_depth().messages, 1);
    client.connect().await;
    assert_eq!(client.received_on("/a").len(), 1);
}

async fn a_farewell_is_said_in_a_batch_too(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    let batch = session.start_batch();
    session.disconnect().await;
    batch.end();
    assert_eq!(client.messages().await[0]["channel"], "/meta/disconnect");
}

/// CometD's JavaScript library closes the connection when the reply to its disconnect comes and no
/// connect is outstanding, and otherwise never.
async fn the_held_connect_is_answered_before_the_disconnect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let disconnect = client.message("/meta/disconnect", &json!({}));
    client.send(&[disconnect]);
    let mut channels = Vec::new();
    while channels.len() < 2 {
        let replies = client.messages().await;
        channels.extend(replies.iter().map(|reply| reply["channel"].clone()));
    }
    assert_eq!(channels, ["/meta/connect", "/meta/disconnect"]);
}

async fn of_two_sockets_that_speak_at_once_the_later_connect_is_held(transport: Transport) {
    for _ in 0..20 {
        let server = TestServer::start(|_| {}).await;
        let mut one = server.connected(transport).await;
        let mut other = server.client(transport).await;
        other.set_id(one.id());
        let publish = other.message("/b", &json!({ "data": 1 }));
        let connect = one.message("/meta/connect", &json!({}));
        other.send(&[publish]);
        one.send(&[connect]);
        other.messages().await;
        eventually("the connect to be held", || server.server.statistics().held_connects == 1)
            .await;
    }
}

/// Keeps another listener of the same channel.
struct Owns(Mutex<Option<Registration>>);

impl fmt::Debug for Owns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owns({})", self.0.lock().is_ok_and(|owned| owned.is_some()))
    }
}

impl ServerChannelListener for Owns {}

#[tokio::test]
async fn removing_a_channel_whose_listener_owns_a_registration_ends() {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let inner = channel.add_listener(Arc::new(Log::default()));
    channel.add_listener(Arc::new(Owns(Mutex::new(Some(inner))))).keep();
    let (done, gone) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        channel.remove();
        let _ = done.send(());
    });
    gone.recv_timeout(tests::DEADLINE).expect("it is removed");
}

#[tokio::test]
async fn an_idle_timeout_of_zero_is_none() {
    let server = TestServer::start(|config| {
        config.set_options([("ws.idleTimeout", "0")]).unwrap();
    })
    .await;
    let mut client = server.client(Transport::WebSocket).await;
    let handshake = client.message("/meta/handshake", &json!({}));
    client.send(&[handshake]);
    let arrival = client.arrival().await;
    assert!(matches!(arrival, Arrival::Messages(_)), "{arrival:?}");
}

#[tokio::test]
async fn the_longest_duration_is_no_panic() {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_processing = Duration::MAX);
        config.ws.idle_timeout = Duration::MAX;
    })
    .await;
    for transport in [Transport::LongPolling, Transport::WebSocket] {
        let mut client = server.connected(transport).await;
        let session = server.session(&client);
        session.set_max_interval(Some(Duration::MAX));
        session.set_timeout(Some(Duration::MAX));
        assert_eq!(client.connect_at_once().await["successful"], true);
    }
}
