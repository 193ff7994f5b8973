//! Acknowledgements, and messages that come with the handshake's reply: once each, and in order.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, Config, State,
    api::{
        ConnectionType, Message,
        client::{ClientSession as _, ClientSessionChannel as _},
        server::{ServerMessage, ServerSession, SessionListener},
    },
};
use serde_json::json;
use tests::{
    TestServer, arrive, brisk_client, eventually, every_transport, hooks::Log,
    over_every_client_transport, within,
};

over_every_client_transport!(
    with_acknowledgements_each_message_comes_once_and_in_order,
    a_remote_call_is_answered_with_acknowledgements_too,
    what_is_delivered_in_the_handshake_comes_before_what_follows,
    what_is_delivered_in_the_handshake_comes_once_with_acknowledgements,
    what_waits_for_the_first_connect_comes_with_it,
);

fn acknowledging() -> Config {
    let mut config = brisk_client();
    config.acknowledgements = true;
    config
}

async fn with_acknowledgements_each_message_comes_once_and_in_order(transport: ConnectionType) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    let client = server.builder(transport).config(acknowledging()).build().unwrap();
    let reply = within("the handshake", client.handshake()).await.unwrap();
    assert_eq!(reply.ext_field("ack"), Some(json!(true)));
    arrive(&client, State::Connected).await;
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    let other = server.bayeux_client(transport).await;
    for round in 0..10 {
        for number in 0..10 {
            let publish = other.channel("/chat").unwrap().publish(json!(round * 10 + number));
            within("publish", publish).await.unwrap();
        }
        for number in 0..10 {
            let message = within("message", messages.next()).await.unwrap();
            assert_eq!(message.data.unwrap(), json!(round * 10 + number));
        }
    }
    assert!(messages.try_next().is_none());
    let session = server.server.session(&client.id().unwrap()).unwrap();
    eventually("all to be acknowledged", || session.queue_depth().messages == 0).await;
}

async fn a_remote_call_is_answered_with_acknowledgements_too(transport: ConnectionType) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("echo", async |request| Ok(request.message.data.unwrap())).unwrap();
    let client = server.builder(transport).config(acknowledging()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    for number in 0..3 {
        let call = client.remote_call("echo", json!(number)).unwrap();
        assert_eq!(within("the answer", call).await.unwrap().data.unwrap(), json!(number));
    }
}

/// Delivers three messages to each new session.
#[derive(Debug)]
struct Welcomes;

#[async_trait]
impl SessionListener for Welcomes {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        for number in 0..3 {
            session.deliver(None, Message::with_data("/service/welcome", json!(number))).await;
        }
    }
}

/// Starts a client that is welcomed, and returns what it hears.
async fn welcomed(
    server: &TestServer,
    transport: ConnectionType,
    config: Config,
) -> (BayeuxClient, Log) {
    server.server.add_session_listener(Arc::new(Welcomes)).keep();
    let client = server.builder(transport).config(config).build().unwrap();
    let log = Log::default();
    for name in ["/service/welcome", "/meta/handshake", "/meta/connect"] {
        client.channel(name).unwrap().add_listener(Arc::new(log.clone())).keep();
    }
    within("the handshake", client.handshake()).await.unwrap();
    log.until("/meta/connect successful=true").await;
    (client, log)
}

const WELCOME: [&str; 3] = ["/service/welcome 0", "/service/welcome 1", "/service/welcome 2"];
const HANDSHAKE: &str = "/meta/handshake successful=true";
const CONNECT: &str = "/meta/connect successful=true";

async fn what_is_delivered_in_the_handshake_comes_before_what_follows(transport: ConnectionType) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.allow_message_delivery_during_handshake = true);
    })
    .await;
    let (_client, log) = welcomed(&server, transport, brisk_client()).await;
    let expected = [&[HANDSHAKE], &WELCOME[..], &[CONNECT]].concat();
    assert_eq!(log.entries(), expected);
}

async fn what_is_delivered_in_the_handshake_comes_once_with_acknowledgements(
    transport: ConnectionType,
) {
    let server = TestServer::start(|config| {
        config.acknowledgements = true;
        every_transport(config, |t| t.allow_message_delivery_during_handshake = true);
    })
    .await;
    let (client, log) = welcomed(&server, transport, acknowledging()).await;
    let session = server.server.session(&client.id().unwrap()).unwrap();
    session.deliver(Message::with_data("/service/welcome", json!("end"))).await;
    log.until("/service/welcome \"end\"").await;
    let heard = log.entries();
    let heard: Vec<_> = heard.iter().filter(|entry| entry.starts_with("/service")).collect();
    assert_eq!(heard, [&WELCOME[..], &["/service/welcome \"end\""]].concat());
}

async fn what_waits_for_the_first_connect_comes_with_it(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let (_client, log) = welcomed(&server, transport, brisk_client()).await;
    for entry in WELCOME {
        log.until(entry).await;
        assert_eq!(log.count(entry), 1);
    }
    assert_eq!(log.entries()[0], HANDSHAKE);
}
