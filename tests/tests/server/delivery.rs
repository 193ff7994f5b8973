//! Delivering to one session, and what travels with which response.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message,
    server::{DeQueueListener, ServerMessage, ServerSession, SessionListener},
};
use serde_json::{Value, json};
use tests::{
    TestServer, Transport, every_transport, hooks::outgoing, over_every_transport, over_transports,
};

over_every_transport!(
    a_session_gets_what_is_delivered_without_a_subscription,
    one_frozen_message_is_delivered_to_many,
    an_extension_sees_a_frozen_message_for_each_session,
    messages_of_the_handshake_come_with_the_first_connect,
    messages_of_the_handshake_may_come_with_its_reply,
    messages_of_the_handshake_do_not_come_with_what_was_sent_beside_it,
    without_messages_the_reply_to_the_handshake_says_so,
    what_a_listener_takes_away_is_not_counted,
    with_deliver_only_messages_come_with_connects,
    a_session_may_be_set_to_deliver_only,
    nothing_is_delivered_to_a_session_that_ended,
    the_server_may_subscribe_a_session,
);

async fn a_session_gets_what_is_delivered_without_a_subscription(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let session = server.session(&client);
    let mut message = Message::with_data("/service/a", json!({ "n": 1 }));
    message.id = Some("7".to_owned());
    assert!(session.deliver(message).await);
    let message = client.message_on("/service/a").await;
    assert_eq!(message, json!({ "channel": "/service/a", "id": "7", "data": { "n": 1 } }));
}

async fn one_frozen_message_is_delivered_to_many(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let message = Message::with_data("/a", json!("one")).freeze();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.connected(transport).await;
        client.hold().await;
        assert!(server.session(&client).deliver_frozen(&message).await);
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(client.message_on("/a").await, json!({ "channel": "/a", "data": "one" }));
    }
}

async fn an_extension_sees_a_frozen_message_for_each_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let names = outgoing(|to, message| {
        if let Some(to) = to.filter(|_| message.data.is_some()) {
            message.data = Some(json!(to.id()).into());
        }
        Flow::Continue
    });
    server.server.add_extension(names).keep();
    let message = Message::with_data("/a", json!("one")).freeze();
    for _ in 0..2 {
        let mut client = server.connected(transport).await;
        client.hold().await;
        assert!(server.session(&client).deliver_frozen(&message).await);
        assert_eq!(client.message_on("/a").await["data"], client.id());
    }
}

/// Delivers two messages to each session that is added.
#[derive(Debug)]
struct Greets;

#[async_trait]
impl SessionListener for Greets {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        for data in [1, 2] {
            session.deliver(None, Message::with_data("/a", json!(data))).await;
        }
    }
}

async fn messages_of_the_handshake_come_with_the_first_connect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_session_listener(Arc::new(Greets)).keep();
    let mut client = server.client(transport).await;
    let reply = client.handshake().await;
    assert!(reply.get("x-messages").is_none());
    assert!(client.received().is_empty());
    client.connect().await;
    let received = client.received_on("/a");
    assert_eq!(received.iter().map(|message| &message["data"]).collect::<Vec<_>>(), [1, 2]);
}

async fn messages_of_the_handshake_do_not_come_with_what_was_sent_beside_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_session_listener(Arc::new(Greets)).keep();
    let mut client = server.client(transport).await;
    let handshake = client.message("/meta/handshake", &json!({}));
    let publish = client.message("/b", &json!({ "data": 1 }));
    let replies = client.batch(&[handshake, publish]).await;
    assert_eq!(
        (&replies[0]["successful"], &replies[1]["successful"]),
        (&json!(true), &json!(false))
    );
    assert!(client.received().is_empty());
    client.set_id(replies[0]["clientId"].as_str().unwrap());
    client.connect().await;
    assert_eq!(client.received_on("/a").len(), 2);
}

async fn messages_of_the_handshake_may_come_with_its_reply(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.allow_message_delivery_during_handshake = true);
    })
    .await;
    server.server.add_session_listener(Arc::new(Greets)).keep();
    let mut client = server.client(transport).await;
    let handshake = client.message("/meta/handshake", &json!({}));
    client.send(&[handshake]);
    let mut arrived = client.messages().await;
    while arrived.len() < 3 {
        arrived.extend(client.messages().await);
    }
    assert_eq!(arrived[0]["channel"], "/meta/handshake");
    assert_eq!(arrived[0]["x-messages"], 2);
    assert_eq!((&arrived[1]["data"], &arrived[2]["data"]), (&json!(1), &json!(2)));
    client.set_id(arrived[0]["clientId"].as_str().unwrap());
    client.connect().await;
    assert!(client.received().is_empty());
}

async fn without_messages_the_reply_to_the_handshake_says_so(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.allow_message_delivery_during_handshake = true);
    })
    .await;
    let reply = server.client(transport).await.handshake().await;
    assert_eq!(reply["x-messages"], 0);
}

/// Delivers two messages, and takes the first of them away before it is sent.
#[derive(Debug)]
struct TakesAway;

#[async_trait]
impl SessionListener for TakesAway {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, message: &ServerMessage) {
        session.add_de_queue_listener(Arc::new(Self)).keep();
        Greets.session_added(session, message).await;
    }
}

impl DeQueueListener for TakesAway {
    fn de_queue(
        &self,
        _session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        _replies: &mut Vec<Message>,
    ) {
        if !queue.is_empty() {
            queue.remove(0);
        }
    }
}

async fn what_a_listener_takes_away_is_not_counted(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.allow_message_delivery_during_handshake = true);
    })
    .await;
    server.server.add_session_listener(Arc::new(TakesAway)).keep();
    let mut client = server.client(transport).await;
    assert_eq!(client.handshake().await["x-messages"], 1);
    let message = client.expect("the second", |message| message["channel"] == "/a").await;
    assert_eq!(message["data"], 2);
}

/// Publishes to oneself; returns what came at once, and what came with the next connect.
async fn publish_and_connect(server: &TestServer, transport: Transport) -> (Value, Value) {
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send(&[publish]);
    let at_once = client.messages().await;
    let connect = client.message("/meta/connect", &json!({}));
    client.send(&[connect]);
    let mut later = client.messages().await;
    // Over a WebSocket the reply has a frame of its own.
    if transport.pushes() {
        later.extend(client.messages().await);
    }
    let channels = |messages: Vec<Value>| {
        messages.into_iter().map(|message| message["channel"].clone()).collect()
    };
    (channels(at_once), channels(later))
}

async fn with_deliver_only_messages_come_with_connects(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.meta_connect_deliver_only = true);
    })
    .await;
    let (at_once, later) = publish_and_connect(&server, transport).await;
    assert_eq!(at_once, json!(["/a"]));
    assert_eq!(later, json!(["/a", "/meta/connect"]));
}

/// Sets each session that is added to deliver with connects only.
#[derive(Debug)]
struct SetsDeliverOnly;

#[async_trait]
impl SessionListener for SetsDeliverOnly {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        session.set_meta_connect_delivery_only(true);
    }
}

async fn a_session_may_be_set_to_deliver_only(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_session_listener(Arc::new(SetsDeliverOnly)).keep();
    let (at_once, later) = publish_and_connect(&server, transport).await;
    assert_eq!(at_once, json!(["/a"]));
    assert_eq!(later, json!(["/a", "/meta/connect"]));
}

async fn nothing_is_delivered_to_a_session_that_ended(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    client.disconnect().await;
    assert!(!session.deliver(Message::with_data("/a", json!(1))).await);
    assert_eq!(session.queue_depth().messages, 0);
}

async fn the_server_may_subscribe_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    let channel = |id: &str| server.server.create_channel_if_absent(id).unwrap().channel();
    let (a, service, meta) = (channel("/a"), channel("/service/a"), channel("/meta/connect"));
    assert!(a.subscribe(&*session).await);
    assert!(a.subscribe(&*session).await);
    assert_eq!(a.subscribers().len(), 1);
    client.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    assert!(a.unsubscribe(&*session).await);
    assert!(a.subscribers().is_empty());
    // Service channels have no subscribers, and meta channels take none.
    assert!(service.subscribe(&*session).await);
    assert!(service.unsubscribe(&*session).await);
    assert!(service.subscribers().is_empty());
    assert!(!meta.subscribe(&*session).await);
    client.disconnect().await;
    assert!(!a.subscribe(&*session).await);
    assert!(!a.unsubscribe(&*session).await);
}

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    in_process: InProcess,
] a_service_reaches_a_client_that_never_connects);

async fn a_service_reaches_a_client_that_never_connects(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("echo").await.unwrap();
    service.on_message("/service/echo", async |request| request.message.data).unwrap();
    let mut client = server.handshaken(transport).await;
    client.publish("/service/echo", json!("hello")).await;
    let is_answer = |message: &Value| message["data"] == "hello";
    let answer = client.expect("the answer", is_answer).await;
    assert_eq!(answer, json!({ "channel": "/service/echo", "data": "hello" }));
}
