//! Local sessions: clients inside the server, with the whole API of a client.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bayeux_server::{
    Server,
    api::{
        ChannelIdError, Flow, Message,
        client::{ClientExtension, RequestError},
        meta,
        server::{LocalSession, Removal},
    },
};
use serde_json::json;
use tests::{TestServer, Transport, hooks::Log, over_every_transport};

async fn handshaken(server: &Server) -> Arc<dyn LocalSession> {
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    local
}

over_every_transport!(
    it_hears_remote_clients_and_they_hear_it,
    it_is_in_the_subscribers_of_a_channel_like_any_other,
);

async fn it_hears_remote_clients_and_they_hear_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let local = handshaken(&server.server).await;
    let log = Log::default();
    let channel = local.channel("/a").unwrap();
    let _subscription = channel.subscribe(Arc::new(log.clone())).await.unwrap();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    log.until("/a 1").await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    channel.publish(Message::with_data("", json!(2))).await.unwrap();
    log.until("/a 2").await;
    assert_eq!(client.message_on("/a").await, json!({ "channel": "/a", "data": 2 }));
}

async fn it_is_in_the_subscribers_of_a_channel_like_any_other(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let local = handshaken(&server.server).await;
    let channel = local.channel("/a").unwrap();
    let _subscription = channel.subscribe(Arc::new(Log::default())).await.unwrap();
    server.handshaken(transport).await.subscribe("/a").await;
    let subscribers = server.server.channel("/a").unwrap().subscribers();
    assert_eq!(subscribers.len(), 2);
    assert_eq!(subscribers.iter().filter(|session| session.is_local_session()).count(), 1);
}

#[tokio::test]
async fn it_has_an_id_once_it_is_handshaken_and_not_before() {
    let server = Server::new();
    let local = server.new_local_session("hint");
    assert_eq!(local.id(), None);
    assert!(local.server_session().is_none());
    assert!(!local.is_handshook());
    let subscribed = local.channel("/a").unwrap().subscribe(Arc::new(Log::default())).await;
    assert!(matches!(subscribed, Err(RequestError::NotHandshaken)));

    let reply = local.handshake(Message::default()).await.unwrap();
    assert!(reply.is_successful());
    let id = local.id().unwrap();
    assert!(id.starts_with("hint_"), "{id}");
    assert_eq!(reply.client_id.as_deref(), Some(id.as_str()));
    assert!(local.is_handshook() && local.is_connected());
    assert_eq!(format!("{local:?}"), format!("L:{id}"));
    let session = local.server_session().unwrap();
    assert_eq!(session.id(), id);
    assert!(session.is_local_session() && session.transport().is_none());
    let same = server.session(&id).unwrap();
    assert!(std::ptr::addr_eq(Arc::as_ptr(&session), Arc::as_ptr(&same)));
    assert_eq!(session.local_session().unwrap().id(), Some(id));
}

#[tokio::test]
async fn it_can_be_handshaken_once_while_it_lives() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let id = local.id();
    let again = local.handshake(Message::default()).await;
    assert_eq!(again, Err(RequestError::AlreadyHandshaken));
    assert_eq!(local.id(), id);
}

#[tokio::test]
async fn disconnecting_ends_it_on_both_sides() {
    let server = Server::new();
    let log = Log::default();
    server.add_session_listener(Arc::new(log.clone())).keep();
    let local = handshaken(&server).await;
    let session = local.server_session().unwrap();
    session.add_listener(Arc::new(log.clone())).keep();
    assert!(local.disconnect().await.unwrap().is_successful());
    assert!(!local.is_handshook() && !session.is_handshook());
    assert_eq!(log.count(&format!("removed {:?}", Removal::Disconnected)), 1);
    let published = local.channel("/a").unwrap().publish(Message::with_data("", json!(1))).await;
    assert_eq!(published, Err(RequestError::NotHandshaken));
    assert_eq!(local.disconnect().await, Err(RequestError::NotHandshaken));
}

#[tokio::test]
async fn one_that_the_server_disconnects_is_disconnected() {
    let server = Server::new();
    let local = handshaken(&server).await;
    local.server_session().unwrap().disconnect().await;
    assert!(!local.is_handshook() && !local.is_connected());
    assert!(server.sessions().is_empty());
}

#[tokio::test]
async fn one_that_is_dropped_does_not_stay() {
    let server = Server::new();
    drop(handshaken(&server).await);
    tests::eventually("the session to end", || server.sessions().is_empty()).await;
}

#[tokio::test]
async fn only_the_first_subscriber_asks_the_server() {
    let server = Server::new();
    let log = Log::default();
    server.add_subscription_listener(Arc::new(log.clone())).keep();
    let local = handshaken(&server).await;
    let channel = local.channel("/a").unwrap();
    let (one, other) = (Log::default(), Log::default());
    let first = channel.subscribe(Arc::new(one.clone())).await.unwrap();
    let _second = channel.subscribe(Arc::new(other.clone())).await.unwrap();
    assert_eq!(log.take(), ["server: subscribed /a by the client"]);
    drop(first);
    channel.publish(Message::with_data("", json!(1))).await.unwrap();
    other.until("/a 1").await;
    assert!(one.entries().is_empty());
    channel.unsubscribe().await.unwrap();
    assert_eq!(log.take(), ["server: unsubscribed /a by the client"]);
    channel.publish(Message::with_data("", json!(2))).await.unwrap();
    assert_eq!(other.entries(), ["/a 1"]);
}

#[tokio::test]
async fn a_refused_subscription_leaves_no_subscriber() {
    let server = Server::builder().policy(crate::policy::Denies("subscribe")).build();
    let local = handshaken(&server).await;
    let channel = local.channel("/a").unwrap();
    let log = Log::default();
    let refused = channel.subscribe(Arc::new(log.clone())).await;
    assert!(matches!(refused, Err(RequestError::Refused(_))), "{refused:?}");
    server.set_security_policy(None);
    let _subscription = channel.subscribe(Arc::new(Log::default())).await.unwrap();
    assert_eq!(server.channel("/a").unwrap().subscribers().len(), 1);
}

#[tokio::test]
async fn listeners_hear_replies_and_subscribers_messages() {
    let local = server_with_listeners().await;
    let (server, local, replies, wild) = local;
    let _ = server;
    let channel = local.channel("/a").unwrap();
    let messages = Log::default();
    let _subscription = channel.subscribe(Arc::new(messages.clone())).await.unwrap();
    channel.publish(Message::with_data("", json!(1))).await.unwrap();
    messages.until("/a 1").await;
    assert_eq!(replies.entries(), ["/meta/subscribe successful=true"]);
    wild.until("/** 1").await;
    assert!(wild.entries().contains(&"/** successful=true".to_owned()));
    assert_eq!(messages.entries(), ["/a 1"]);
}

async fn server_with_listeners() -> (Server, Arc<dyn LocalSession>, Log, Log) {
    let server = Server::new();
    let local = handshaken(&server).await;
    let (replies, wild) = (Log::default(), Log::default());
    local.channel(meta::SUBSCRIBE).unwrap().add_listener(Arc::new(replies.clone())).keep();
    local.channel("/**").unwrap().add_listener(Arc::new(wild.clone())).keep();
    (server, local, replies, wild)
}

#[tokio::test]
async fn a_session_subscribed_in_many_ways_has_each_listener_called_once() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let log = Log::default();
    let mut subscriptions = Vec::new();
    for id in ["/foo/bar", "/foo/*", "/**"] {
        let channel = local.channel(id).unwrap();
        subscriptions.push(channel.subscribe(Arc::new(log.clone())).await.unwrap());
    }
    let channel = local.channel("/foo/bar").unwrap();
    channel.publish(Message::with_data("", json!(1))).await.unwrap();
    log.until("/** 1").await;
    let mut entries = log.entries();
    entries.sort();
    assert_eq!(entries, ["/** 1", "/foo/* 1", "/foo/bar 1"]);
}

#[tokio::test]
async fn a_lazy_message_reaches_it_in_its_time() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let log = Log::default();
    let _subscription =
        local.channel("/a").unwrap().subscribe(Arc::new(log.clone())).await.unwrap();
    let channel = server.channel("/a").unwrap();
    channel.set_lazy_timeout(Duration::from_millis(100));
    let start = Instant::now();
    channel.publish(json!(1)).await.unwrap();
    log.until("/a 1").await;
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn attributes_of_both_ends_are_apart() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let session = local.server_session().unwrap();
    assert!(local.set_attribute("x", Arc::new(1_u8)).is_none());
    assert!(session.attribute("x").is_none());
    session.set_attribute("x", Arc::new(2_u8));
    session.set_attribute("y", Arc::new(3_u8));
    assert_eq!(local.attribute("x").unwrap().downcast_ref(), Some(&1_u8));
    assert_eq!(local.attribute_names(), ["x"]);
    assert_eq!(session.attribute_names(), ["x", "y"]);
    assert_eq!(session.remove_attribute("y").unwrap().downcast_ref(), Some(&3_u8));
    assert_eq!(local.remove_attribute("x").unwrap().downcast_ref(), Some(&1_u8));
    assert!(local.attribute("x").is_none() && session.attribute("x").is_some());
}

/// Marks what leaves, and stops what asks for it.
#[derive(Debug)]
struct Extension(Log);

#[async_trait]
impl ClientExtension for Extension {
    async fn incoming(&self, message: &mut Message) -> Flow {
        self.0.add(format!("in {}", message.channel()));
        if message.channel() == "/deaf" { Flow::Stop } else { Flow::Continue }
    }

    async fn outgoing(&self, message: &mut Message) -> Flow {
        self.0.add(format!("out {}", message.channel()));
        message.set_extra("mark", json!(1));
        message.id = Some("changed".to_owned());
        if message.channel() == "/mute" { Flow::Stop } else { Flow::Continue }
    }
}

#[tokio::test]
async fn its_extensions_see_what_leaves_and_what_arrives() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let log = Log::default();
    local.add_extension(Arc::new(Extension(log.clone()))).keep();
    let publish = |id: &str| {
        let channel = local.channel(id).unwrap();
        async move { channel.publish(Message::with_data("", json!(1))).await }
    };
    let reply = publish("/a").await.unwrap();
    assert_ne!(reply.id.as_deref(), Some("changed"));
    assert_eq!(log.take(), ["out /a", "in /a"]);
    assert_eq!(publish("/mute").await, Err(RequestError::Deleted));
    assert!(server.channel("/mute").is_none());
    assert_eq!(publish("/deaf").await, Err(RequestError::Deleted));
    assert!(server.channel("/deaf").is_some());
}

#[tokio::test]
async fn a_channel_is_released_when_nobody_hears_it() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let channel = local.channel("/a/").unwrap();
    assert!(Arc::ptr_eq(&channel, &local.channel("/a").unwrap()));
    let registration = channel.add_listener(Arc::new(Log::default()));
    channel.release().unwrap_err();
    drop(registration);
    channel.release().unwrap();
    let published = channel.publish(Message::with_data("", json!(1))).await;
    assert_eq!(published, Err(RequestError::Released));
    assert!(!Arc::ptr_eq(&channel, &local.channel("/a").unwrap()));
    assert_eq!(local.channel("a").unwrap_err(), ChannelIdError::NoName);
}

#[tokio::test]
async fn a_released_channel_does_nothing_to_the_next_of_its_name() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let old = local.channel("/a").unwrap();
    old.release().unwrap();
    let (channel, log) = (local.channel("/a").unwrap(), Log::default());
    channel.subscribe(Arc::new(log.clone())).await.unwrap().keep();
    old.release().unwrap();
    assert!(Arc::ptr_eq(&channel, &local.channel("/a").unwrap()));
    assert_eq!(old.unsubscribe().await, Err(RequestError::Released));
    let published = old.publish(Message::with_data("", json!(1))).await;
    assert_eq!(published, Err(RequestError::Released));
    channel.publish(Message::with_data("", json!(2))).await.unwrap();
    log.until("/a 2").await;
}

#[tokio::test]
async fn its_remote_calls_are_answered() {
    let server = Server::new();
    let mut service = server.new_service("calc").await.unwrap();
    let double = async |request: bayeux_server::Request| {
        let number: i64 = request.message.data.unwrap().to().map_err(|_| json!("no number"))?;
        Ok(json!(2 * number).into())
    };
    service.remote_call("double", double).unwrap();
    let local = handshaken(&server).await;
    let answer = local.remote_call("double", json!(21).into()).await.unwrap();
    assert!(answer.is_successful());
    assert_eq!(answer.data.unwrap(), json!(42));
    let answer = local.remote_call("/double", json!("x").into()).await.unwrap();
    assert!(!answer.is_successful());
    assert_eq!(answer.data.unwrap(), json!("no number"));
    let wild = local.remote_call("*", json!(1).into()).await;
    assert_eq!(wild, Err(RequestError::Channel(ChannelIdError::Wild)));
}
