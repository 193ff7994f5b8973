//! WebSocket: frames, sub-protocols and how connections end.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::{
    Server,
    api::{
        Message,
        server::{BayeuxServer, SecurityPolicy, ServerMessage, ServerSession},
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Version;
use serde_json::{Value, json};
use tests::{
    Arrival, TestServer, Transport, WebSocket, every_transport, open_websocket, over_websocket,
    upgrade_request, within,
};
use tokio_tungstenite::tungstenite::Message as Frame;

over_websocket!(
    each_queued_message_has_a_frame_of_its_own,
    messages_per_frame_are_configured,
    all_messages_may_go_into_one_frame,
    deliver_only_answers_the_held_connect,
    what_is_not_messages_closes_the_connection,
    a_closed_connection_leaves_its_session,
    pings_are_answered,
    a_new_connection_gets_what_came_meanwhile,
    nothing_is_pushed_before_the_reply_to_the_handshake,
    an_idle_connection_is_closed,
    a_live_connection_without_connects_does_not_keep_its_session,
    a_server_that_stops_waits_for_its_connections,
    a_handshake_is_refused_though_the_session_ended_meanwhile,
);

/// Delivers three messages at once, and returns how many were in each frame.
async fn frames(server: &TestServer, transport: Transport) -> Vec<usize> {
    let mut client = server.connected(transport).await;
    // So that the connection carries the session.
    client.publish("/b", json!(1)).await;
    let session = server.session(&client);
    let batch = session.start_batch();
    for data in 0..3 {
        session.deliver(Message::with_data("/a", json!(data))).await;
    }
    batch.end();
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 3 {
        sizes.push(client.messages().await.len());
    }
    sizes
}

async fn each_queued_message_has_a_frame_of_its_own(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    assert_eq!(frames(&server, transport).await, [1, 1, 1]);
}

async fn messages_per_frame_are_configured(transport: Transport) {
    let server = TestServer::start(|config| config.ws.messages_per_frame = Some(2)).await;
    assert_eq!(frames(&server, transport).await, [2, 1]);
}

async fn all_messages_may_go_into_one_frame(transport: Transport) {
    let server = TestServer::start(|config| config.ws.messages_per_frame = None).await;
    assert_eq!(frames(&server, transport).await, [3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_together_arrives_together_whatever_other_threads_do() {
    let server = TestServer::start(|config| config.ws.messages_per_frame = None).await;
    // So many that several tasks write to them, of which another thread may take some at once.
    let mut subscribers = Vec::new();
    for _ in 0..100 {
        let mut subscriber = server.connected(Transport::WebSocket).await;
        subscriber.subscribe("/a").await;
        subscriber.hold().await;
        subscribers.push(subscriber);
    }
    let mut publisher = server.connected(Transport::WebSocket).await;
    let (rounds, together) = (20, 20);
    let mut frames = 0;
    for _ in 0..rounds {
        let publications: Vec<_> =
            (0..together).map(|data| publisher.message("/a", &json!({ "data": data }))).collect();
        publisher.batch(&publications).await;
        let mut received = 0;
        while received < together {
            received += subscribers[0].messages().await.len();
            frames += 1;
        }
    }
    // Now and then the connection itself was still awake, and wrote the first of them; and on a busy machine
    // the time is over after which work lets others run. One by one they would be 20 in each round.
    assert!(frames < rounds * together / 4, "{frames} frames in {rounds} rounds");
}

async fn deliver_only_answers_the_held_connect(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.meta_connect_deliver_only = true);
    })
    .await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    server.session(&client).deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(client.messages().await[0]["data"], 1);
    assert_eq!(client.messages().await[0]["id"], id.as_str());
    assert_eq!(server.server.statistics().held_connects, 0);
}

async fn open(server: &TestServer, transport: Transport) -> WebSocket {
    let request = upgrade_request(server.address, transport.version(), "/");
    open_websocket(server.address, request).await.unwrap().0
}

async fn what_is_not_messages_closes_the_connection(transport: Transport) {
    let server = TestServer::start(|config| config.websocket.max_message_size = 1000).await;
    for (frame, expected) in [
        (Frame::text("not json"), 1011),
        (Frame::text("[[]]"), 1011),
        (Frame::text("[{\"channel\":"), 1011),
        (Frame::text(format!("[{{\"channel\":\"/{}\"}}]", "a".repeat(1000))), 1009),
        (Frame::binary(&b"[]"[..]), 1003),
    ] {
        let mut socket = open(&server, transport).await;
        socket.send(frame.clone()).await.unwrap();
        match within("the connection to be closed", socket.next()).await {
            Some(Ok(Frame::Close(Some(close)))) => {
                assert_eq!(u16::from(close.code), expected, "{frame}");
                assert!(close.reason.len() <= 123 && !close.reason.is_empty());
            }
            other => panic!("{frame}: {other:?}"),
        }
    }
}

async fn a_closed_connection_leaves_its_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    client.abort().await;
    let statistics = || server.server.statistics();
    tests::eventually("the connection to be gone", || statistics().websockets == 0).await;
    assert!(session.is_connected());
    assert_eq!(session.subscriptions().len(), 1);
}

async fn a_new_connection_gets_what_came_meanwhile(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.id().to_owned();
    let session = server.session(&client);
    client.abort().await;
    let statistics = || server.server.statistics();
    tests::eventually("the connection to be gone", || statistics().websockets == 0).await;
    for data in 0..3 {
        session.deliver(Message::with_data("/a", json!(data))).await;
    }
    let mut again = server.client(transport).await;
    again.set_id(id);
    let reply = again.connect_at_once().await;
    assert_eq!(reply["advice"]["reconnect"], "retry");
    let data: Vec<_> =
        again.received_on("/a").into_iter().map(|mut message| message["data"].take()).collect();
    assert_eq!(data, [0, 1, 2]);
}

async fn nothing_is_pushed_before_the_reply_to_the_handshake(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let session = server.session(&client);
    session.deliver(Message::with_data("/a", json!(1))).await;
    // The reply came first, or handshaking would have found the message.
    assert!(client.received().is_empty());
    client.connect().await;
    assert_eq!(client.received_on("/a").len(), 1);
}

async fn an_idle_connection_is_closed(transport: Transport) {
    let server = TestServer::start(|config| config.ws.idle_timeout = Duration::from_secs(1)).await;
    let mut client = server.connected(transport).await;
    let arrival = client.arrival().await;
    assert!(matches!(arrival, Arrival::Closed { code: 1000, .. }), "{arrival:?}");
}

async fn a_live_connection_without_connects_does_not_keep_its_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    server.leaves_in_silence(&mut client).await;
    let statistics = || server.server.statistics();
    tests::eventually("the session to expire", || statistics().sessions_expired == 1).await;
}

#[tokio::test]
async fn a_sub_protocol_may_be_asked_for() {
    let server =
        TestServer::start(|config| config.ws.protocol = Some("bayeux/1.0".to_owned())).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut request = upgrade_request(server.address, version, "/");
        let protocols = "other, bayeux/1.0".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        let (_, response) = open_websocket(server.address, request).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "bayeux/1.0");
        let request = upgrade_request(server.address, version, "/");
        let refused = open_websocket(server.address, request).await.unwrap_err();
        assert_eq!(refused.status(), 400);
    }
}

#[tokio::test]
async fn a_sub_protocol_that_the_server_does_not_have_is_not_agreed_on() {
    let server = TestServer::start(|_| {}).await;
    let mut request = upgrade_request(server.address, Version::HTTP_11, "/");
    request.headers_mut().insert("sec-websocket-protocol", "bayeux/1.0".parse().unwrap());
    let (_, response) = open_websocket(server.address, request).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
}

#[tokio::test]
async fn compression_is_not_agreed_on() {
    let server = TestServer::start(|_| {}).await;
    let mut request = upgrade_request(server.address, Version::HTTP_11, "/");
    let extension = "permessage-deflate; client_max_window_bits".parse().unwrap();
    request.headers_mut().insert("sec-websocket-extensions", extension);
    let (_, response) = open_websocket(server.address, request).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
}

async fn pings_are_answered(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut socket = open(&server, transport).await;
    for payload in [&b"are you there"[..], b"", &[0xff; 125]] {
        socket.send(Frame::Ping(payload.into())).await.unwrap();
        let answer = within("the pong", socket.next()).await.unwrap().unwrap();
        assert_eq!(answer, Frame::Pong(payload.into()));
    }
}

#[tokio::test]
async fn a_fragmented_message_is_one_message() {
    use tokio_tungstenite::tungstenite::protocol::frame::{
        Frame as Part,
        coding::{Data, OpCode},
    };
    let server = TestServer::start(|_| {}).await;
    let mut socket = open(&server, Transport::WebSocket).await;
    let text = r#"[{"channel":"/meta/handshake"}]"#;
    let (head, tail) = text.split_at(10);
    let part = |text: &'static str, code, is_last| {
        Frame::Frame(Part::message(text, OpCode::Data(code), is_last))
    };
    socket.send(part(head, Data::Text, false)).await.unwrap();
    socket.send(part(tail, Data::Continue, true)).await.unwrap();
    let answer = within("the reply", socket.next()).await.unwrap().unwrap();
    let replies: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
    assert_eq!(replies[0]["successful"], true);
}

/// Lets the first handshake through, and ends all sessions at any other.
#[derive(Debug)]
struct Once;

#[async_trait]
impl SecurityPolicy for Once {
    async fn can_handshake(
        &self,
        server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        let sessions = server.sessions();
        for session in &sessions {
            session.disconnect().await;
        }
        sessions.is_empty()
    }
}

async fn a_handshake_is_refused_though_the_session_ended_meanwhile(transport: Transport) {
    let server = TestServer::serve(Server::builder().policy(Once).build()).await;
    let mut client = server.handshaken(transport).await;
    client.connect().await;
    let held = client.hold().await;
    let refused = client.try_handshake(json!({})).await;
    assert_eq!(refused["error"], "403::handshake_denied");
    let connect = client.reply_to(&held).await;
    assert_eq!(connect["advice"]["reconnect"], "none");
}

async fn a_server_that_stops_waits_for_its_connections(transport: Transport) {
    let test = TestServer::start(|_| {}).await;
    let server = test.server.clone();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = test.connected(transport).await;
        client.hold().await;
        clients.push(client);
    }
    server.stop();
    test.served().await;
    assert_eq!(server.statistics().websockets, 0);
}
