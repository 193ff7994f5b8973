//! A local session that is behind, or was ended, is not deaf for good.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::{
    Config, Request, Server,
    api::{
        Message,
        client::{ClientSessionChannel, MessageListener, RequestError},
        server::{LocalSession, Overflow, QueueBounds},
    },
};
use serde_json::json;
use tests::{eventually, hooks::Log};
use tokio::sync::Semaphore;

async fn handshaken(server: &Server) -> Arc<dyn LocalSession> {
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    local
}

async fn subscribed(server: &Server) -> (Arc<dyn LocalSession>, Arc<bayeux_server::Channel>, Log) {
    let (local, log) = (handshaken(server).await, Log::default());
    local.channel("/a").unwrap().subscribe(Arc::new(log.clone())).await.unwrap().keep();
    (local, server.channel("/a").unwrap(), log)
}

async fn publish(channel: &bayeux_server::Channel, numbers: std::ops::Range<u32>) {
    for number in numbers {
        channel.publish(json!(number)).await.unwrap();
    }
}

#[tokio::test]
async fn it_hears_all_that_is_published_without_a_pause() {
    let server = Server::new();
    let (_local, channel, log) = subscribed(&server).await;
    publish(&channel, 0..20_000).await;
    log.until("/a 19999").await;
    assert_eq!(log.entries().len(), 20_000);
}

fn bounded(bounds: QueueBounds) -> Server {
    let mut config = Config::default();
    config.local_queue = bounds;
    Server::builder().config(config).build()
}

/// Waits at its first message until it may go on.
#[derive(Debug)]
struct Waits(Semaphore);

#[async_trait]
impl MessageListener for Waits {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, _message: &Message) {
        drop(self.0.acquire().await.unwrap());
    }
}

/// A subscriber that is behind with what it hears.
async fn behind(
    server: &Server,
) -> (Arc<dyn LocalSession>, Arc<bayeux_server::Channel>, Log, Arc<Waits>) {
    let (local, channel, log) = subscribed(server).await;
    let waits = Arc::new(Waits(Semaphore::new(0)));
    local.channel("/a").unwrap().add_listener(waits.clone()).keep();
    (local, channel, log, waits)
}

#[tokio::test]
async fn one_that_is_behind_loses_the_oldest_which_are_counted_and_hears_what_comes_later() {
    let server = bounded(QueueBounds::new(10, 1 << 20, Overflow::DropOldest));
    let (local, channel, log, waits) = behind(&server).await;
    publish(&channel, 0..25).await;
    // As many as it had room for were taken out of the queue, and wait for the listener.
    assert_eq!(server.statistics().messages_dropped, 5);
    waits.0.add_permits(1);
    log.until("/a 24").await;
    let heard: Vec<_> = (0..10).chain(15..25).map(|number| format!("/a {number}")).collect();
    assert_eq!(log.entries(), heard);
    assert!(local.is_handshook());
    publish(&channel, 25..26).await;
    log.until("/a 25").await;
}

#[tokio::test]
async fn one_that_is_ended_when_it_is_behind_may_handshake_again() {
    let server = bounded(QueueBounds::new(10, 1 << 20, Overflow::Disconnect));
    let (local, channel, log, waits) = behind(&server).await;
    publish(&channel, 0..21).await;
    eventually("the session to end", || server.sessions().is_empty()).await;
    assert!(!local.is_handshook());
    waits.0.add_permits(1);
    local.handshake(Message::default()).await.unwrap();
    publish(&channel, 21..22).await;
    log.until("/a 21").await;
}

#[tokio::test]
async fn a_service_knows_its_own_messages_after_another_handshake() {
    let server = Server::new();
    let mut service = server.new_service("chat").await.unwrap();
    let (log, own) = (Log::default(), service.session().clone());
    let heard = log.clone();
    let hear = move |request: Request| {
        heard.add(request.message.data.unwrap().text());
        async { None }
    };
    service.on_message("/a", hear).unwrap();
    own.disconnect().await.unwrap();
    own.handshake(Message::default()).await.unwrap();
    let other = handshaken(&server).await;
    for (number, local) in [own, other].iter().enumerate() {
        let message = Message::with_data("", json!(number));
        local.channel("/a").unwrap().publish(message).await.unwrap();
    }
    assert_eq!(log.entries(), ["1"]);
}

#[tokio::test]
async fn one_that_was_ended_may_handshake_again_and_has_its_subscriptions() {
    let server = Server::new();
    let (local, channel, log) = subscribed(&server).await;
    let id = local.id().unwrap();
    server.remove_session(&id).await;
    assert!(!local.is_handshook() && channel.subscribers().is_empty());
    assert!(local.handshake(Message::default()).await.unwrap().is_successful());
    assert_ne!(local.id().unwrap(), id);
    assert_eq!(local.handshake(Message::default()).await, Err(RequestError::AlreadyHandshaken));
    assert_eq!(channel.subscribers().len(), 1);
    publish(&channel, 0..1).await;
    log.until("/a 0").await;
    local.disconnect().await.unwrap();
    local.handshake(Message::default()).await.unwrap();
    publish(&channel, 1..2).await;
    log.until("/a 1").await;
    assert_eq!(log.entries(), ["/a 0", "/a 1"]);
    eventually("one session to be left", || server.sessions().len() == 1).await;
}
