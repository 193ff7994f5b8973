//! A session that the server has forgotten, and servers that go and come.

use std::sync::Arc;

use bayeux_client::{
    State,
    api::{
        ConnectionType,
        client::{ClientSession as _, FailureKind, RequestError},
    },
};
use bayeux_server::Server;
use serde_json::json;
use tests::{
    TestServer, arrive, brisk_client, eventually, hooks::Log, over_every_client_transport, within,
};

use crate::scene::{forget_all, pausing, serve_at, wire};

over_every_client_transport!(
    a_forgotten_session_starts_again_and_keeps_its_subscriptions,
    without_keep_subscriptions_streams_end_with_the_session,
    a_call_of_a_forgotten_session_fails,
    a_client_that_may_not_try_again_gives_up,
);

async fn a_forgotten_session_starts_again_and_keeps_its_subscriptions(transport: ConnectionType) {
    let server = TestServer::start(pausing).await;
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    let sent = wire(&client);
    let chat = client.channel("/chat").unwrap();
    let handshake = client.handshake();
    let subscribed = chat.subscribe();
    let log = Log::default();
    let listening = client.channel("/wild/*").unwrap();
    let listened = listening.subscribe_listener(Arc::new(log.clone()));
    within("the handshake", handshake).await.unwrap();
    let mut messages = within("subscribe", subscribed).await.unwrap();
    let registration = within("subscribe", listened).await.unwrap();
    arrive(&client, State::Connected).await;
    let first = client.id();
    forget_all(&server).await;
    eventually("another handshake", || sent.count("/meta/handshake") == 2).await;
    let is_again = || client.is_connected() && client.id() != first;
    eventually("another session", is_again).await;
    for name in ["/chat", "/wild/one"] {
        within("publish", client.channel(name).unwrap().publish(json!(1))).await.unwrap();
    }
    within("message", messages.next()).await.unwrap();
    log.until("/wild/* 1").await;
    // What was subscribed to once is subscribed to once again, in one request.
    assert_eq!(sent.count("/meta/subscribe /meta/subscribe"), 1, "{:?}", sent.entries());
    drop(registration);
}

async fn without_keep_subscriptions_streams_end_with_the_session(transport: ConnectionType) {
    let server = TestServer::start(pausing).await;
    let mut config = brisk_client();
    config.keep_subscriptions = false;
    let client = server.builder(transport).config(config).build().unwrap();
    let handshake = client.handshake();
    let chat = client.channel("/chat").unwrap();
    let subscribed = chat.subscribe();
    within("the handshake", handshake).await.unwrap();
    let mut messages = within("subscribe", subscribed).await.unwrap();
    arrive(&client, State::Connected).await;
    forget_all(&server).await;
    assert!(within("the stream's end", messages.next()).await.is_none());
    arrive(&client, State::Connected).await;
    assert!(server.server.sessions().remove(0).subscriptions().is_empty());
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
}

async fn a_call_of_a_forgotten_session_fails(transport: ConnectionType) {
    let server = TestServer::start(pausing).await;
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let call = client.remote_call("nobody", json!(1)).unwrap();
    forget_all(&server).await;
    let error = within("the call", call).await.unwrap_err();
    let is_told = matches!(error, RequestError::NotHandshaken | RequestError::Refused(_));
    assert!(is_told, "{error:?}");
    arrive(&client, State::Connected).await;
}

async fn a_client_that_may_not_try_again_gives_up(transport: ConnectionType) {
    let server = TestServer::start(pausing).await;
    let mut config = brisk_client();
    config.max_attempts = Some(0);
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
    arrive(&client, State::Connected).await;
    forget_all(&server).await;
    arrive(&client, State::Disconnected).await;
    assert!(within("the stream's end", messages.next()).await.is_none());
}

/// The transports that have a network.
const NETWORKS: [ConnectionType; 2] = [ConnectionType::WebSocket, ConnectionType::LongPolling];

#[tokio::test]
async fn a_server_that_starts_again_on_its_port_is_found_again() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let client = server.builder(transport).config(brisk_client()).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let chat = client.channel("/chat").unwrap();
        let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
        let (first, address) = (client.id(), server.address);
        let mut states = client.states();
        server.server.stop();
        let cut = states.wait_for(|state| *state == State::Unconnected);
        within("the cut", cut).await.unwrap();
        server.served().await;
        let next = Server::new();
        let _serving = serve_at(&next, address).await;
        eventually("the subscription", || {
            let sessions = next.sessions();
            sessions
                .iter()
                .any(|session| session.is_connected() && !session.subscriptions().is_empty())
        })
        .await;
        arrive(&client, State::Connected).await;
        assert_ne!(client.id(), first);
        let channel = next.channel("/chat").unwrap();
        channel.publish(json!(1)).await.unwrap();
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(1));
        client.abort();
    }
}

#[tokio::test]
async fn a_server_that_starts_later_is_found() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let (address, builder) = (server.address, server.builder(transport));
        server.server.stop();
        server.served().await;
        let client = builder.config(brisk_client()).build().unwrap();
        let Err(RequestError::Failed(failure)) = within("handshake", client.handshake()).await
        else {
            panic!("nobody listens")
        };
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert_eq!(client.state(), State::Rehandshaking);
        // What is asked for meanwhile waits.
        let published = client.channel("/chat").unwrap().publish(json!(1));
        let next = Server::new();
        let _serving = serve_at(&next, address).await;
        arrive(&client, State::Connected).await;
        assert!(within("the publish", published).await.unwrap().is_successful());
        assert_eq!(client.transport(), transport);
        client.abort();
    }
}
