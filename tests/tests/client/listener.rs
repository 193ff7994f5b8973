//! Listeners: one that panics, one that waits, one that is slow.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient,
    api::{
        ConnectionType, Message,
        client::{ClientSessionChannel, MessageListener},
    },
};
use serde_json::json;
use tests::{TestServer, hooks::Log, over_every_client_transport, within};
use tokio::sync::Notify;

over_every_client_transport!(
    one_that_panics_harms_nothing,
    one_may_wait_for_the_reply_to_a_publish,
    one_may_disconnect_and_wait_for_that,
    one_that_is_slow_loses_nothing,
    a_stream_that_is_full_loses_nothing,
    the_order_is_the_channel_then_the_wild_ones_and_listeners_before_subscribers,
);

async fn one_that_panics_harms_nothing(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let panics = |_: &dyn ClientSessionChannel, _: &Message| panic!("a listener's own fault");
    chat.add_listener(Arc::new(panics)).keep();
    within("subscribe", chat.subscribe_listener(Arc::new(panics))).await.unwrap().keep();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    for data in 0..3 {
        within("publish", chat.publish(json!(data))).await.unwrap();
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(data));
    }
}

/// Publishes what it gets on another channel, and waits for the reply.
struct PassesOn(BayeuxClient);

#[async_trait]
impl MessageListener for PassesOn {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, message: &Message) {
        let other = self.0.channel("/other").unwrap();
        let reply = other.publish(message.data.clone().unwrap()).await.unwrap();
        assert!(reply.is_successful());
    }
}

async fn one_may_wait_for_the_reply_to_a_publish(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let passes_on = Arc::new(PassesOn(client.clone()));
    within("subscribe", chat.subscribe_listener(passes_on)).await.unwrap().keep();
    let other = client.channel("/other").unwrap();
    let mut messages = within("subscribe", other.subscribe()).await.unwrap();
    let replies: Vec<_> = (0..100).map(|data| chat.publish(json!(data))).collect();
    for data in 0..100 {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(data));
    }
    drop(replies);
}

/// Disconnects, and waits for the reply.
struct Leaves(BayeuxClient, Log);

#[async_trait]
impl MessageListener for Leaves {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, _message: &Message) {
        let left = self.0.disconnect().await;
        self.1.add(format!("{}", left.is_ok()));
    }
}

async fn one_may_disconnect_and_wait_for_that(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let log = Log::default();
    let leaves = Arc::new(Leaves(client.clone(), log.clone()));
    within("subscribe", chat.subscribe_listener(leaves)).await.unwrap().keep();
    within("publish", chat.publish(json!(1))).await.unwrap();
    log.until("true").await;
    tests::arrive(&client, bayeux_client::State::Disconnected).await;
}

/// Waits for a permit at each message.
struct Slow(Arc<Notify>, Log);

#[async_trait]
impl MessageListener for Slow {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, message: &Message) {
        self.0.notified().await;
        self.1.add(message.data.clone().unwrap().text());
    }
}

async fn one_that_is_slow_loses_nothing(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let other = server.bayeux_client(transport).await;
    let (permits, log) = (Arc::new(Notify::new()), Log::default());
    let chat = client.channel("/chat").unwrap();
    let slow = Arc::new(Slow(permits.clone(), log.clone()));
    within("subscribe", chat.subscribe_listener(slow)).await.unwrap().keep();
    let channel = other.channel("/chat").unwrap();
    for number in 0..500 {
        within("publish", channel.publish(json!(number))).await.unwrap();
    }
    for number in 0..500 {
        permits.notify_one();
        log.until(&number.to_string()).await;
    }
    let all: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(log.entries(), all);
}

async fn a_stream_that_is_full_loses_nothing(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let other = server.bayeux_client(transport).await;
    let mut messages = within("it", client.channel("/chat").unwrap().subscribe()).await.unwrap();
    let channel = other.channel("/chat").unwrap();
    let replies: Vec<_> = (0..2000).map(|number| channel.publish(json!(number))).collect();
    for reply in replies {
        within("a reply", reply).await.unwrap();
    }
    for number in 0..2000 {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(number));
    }
}

async fn the_order_is_the_channel_then_the_wild_ones_and_listeners_before_subscribers(
    transport: ConnectionType,
) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let log = Log::default();
    for name in ["/**", "/a/**", "/a/*", "/a/b"] {
        let channel = client.channel(name).unwrap();
        let (own, other) = (log.clone(), log.clone());
        let subscriber = move |channel: &dyn ClientSessionChannel, _: &Message| {
            own.add(format!("{} subscriber", channel.id()));
        };
        within("it", channel.subscribe_listener(Arc::new(subscriber))).await.unwrap().keep();
        let listener = move |channel: &dyn ClientSessionChannel, message: &Message| {
            if message.data.is_some() {
                other.add(format!("{} listener", channel.id()));
            }
        };
        channel.add_listener(Arc::new(listener)).keep();
    }
    within("publish", client.channel("/a/b").unwrap().publish(json!(1))).await.unwrap();
    log.until("/** subscriber").await;
    let expected = ["/a/b", "/a/*", "/a/**", "/**"]
        .map(|name| [format!("{name} listener"), format!("{name} subscriber")]);
    assert_eq!(log.entries(), expected.concat());
}
