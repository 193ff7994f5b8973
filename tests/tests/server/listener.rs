//! Listeners of channels, sessions and subscriptions.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message, meta,
    server::{
        PublishError, Removal, ServerChannel, ServerMessage, ServerSession, SessionListener,
        SubscriptionListener,
    },
};
use serde_json::json;
use tests::{
    TestServer, Transport, eventually,
    hooks::{Log, on_message},
    over_every_transport, within,
};
use tokio::sync::Semaphore;

over_every_transport!(
    a_stopped_message_is_not_broadcast,
    a_stopped_message_does_not_reach_the_service_behind,
    who_stops_a_message_may_complete_its_reply,
    a_meta_message_may_be_stopped,
    a_change_is_seen_by_all_subscribers_and_later_listeners,
    listeners_are_asked_from_the_widest_channel_to_the_exact_one,
    a_removed_listener_hears_no_more,
    subscriptions_are_told_to_the_channel_and_then_to_the_server,
    a_listener_may_be_added_while_messages_are_heard,
    the_end_of_a_session_is_told_after_what_is_being_told,
    one_that_never_returns_holds_up_no_end_of_a_session,
);

/// Returns when it is let through.
#[derive(Debug)]
struct Waits(Semaphore);

impl Waits {
    async fn wait(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl SubscriptionListener for Waits {
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.wait().await;
    }
}

#[async_trait]
impl SessionListener for Waits {
    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        self.wait().await;
    }
}

async fn a_stopped_message_is_not_broadcast(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let is_stopped =
        |message: &Message| message.data.as_ref().is_some_and(|data| *data == json!(1));
    let listener = on_message(move |_, message| match is_stopped(message) {
        true => Flow::Stop,
        false => Flow::Continue,
    });
    channel.add_listener(listener).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let reply = client.request("/a", json!({ "id": "x", "data": 1 })).await;
    let expected = json!({
        "channel": "/a", "id": "x", "successful": false, "error": "404::message_deleted",
    });
    assert_eq!(reply, expected);
    client.publish("/a", json!(2)).await;
    assert_eq!(client.message_on("/a").await["data"], 2);
    let published = channel.publish(json!(1)).await;
    assert_eq!(published, Err(PublishError::Deleted));
}

async fn a_stopped_message_does_not_reach_the_service_behind(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/service/a").unwrap().channel();
    channel.add_listener(on_message(|_, _| Flow::Stop)).keep();
    let log = Log::default();
    channel.add_listener(Arc::new(log.clone())).keep();
    let mut client = server.handshaken(transport).await;
    let reply = client.request("/service/a", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "404::message_deleted");
    assert!(log.entries().is_empty());
}

async fn who_stops_a_message_may_complete_its_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let listener = on_message(|_, message| {
        message.set_handled(true);
        let reply = message.reply_mut();
        reply.successful = Some(false);
        reply.error = Some("499:/a:busy".to_owned());
        reply.ext_mut().insert("retryAfter".to_owned(), json!(5));
        Flow::Stop
    });
    channel.add_listener(listener).keep();
    let mut client = server.handshaken(transport).await;
    let reply = client.request("/a", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "499:/a:busy");
    assert_eq!(reply["ext"], json!({ "retryAfter": 5 }));
}

async fn a_meta_message_may_be_stopped(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    for (channel, fields) in [
        (meta::SUBSCRIBE, json!({ "subscription": "/a" })),
        (meta::CONNECT, json!({})),
        (meta::DISCONNECT, json!({})),
        (meta::HANDSHAKE, json!({})),
    ] {
        let mut client = server.connected(transport).await;
        let listened = server.server.channel(channel).unwrap();
        let registration = listened.add_listener(on_message(|_, _| Flow::Stop));
        let reply = client.request(channel, fields).await;
        assert_eq!(reply["error"], "404::message_deleted", "{channel}");
        drop(registration);
        assert!(server.session(&client).is_connected());
        assert!(server.session(&client).subscriptions().is_empty());
    }
    assert_eq!(server.server.sessions().len(), 4);
}

async fn a_change_is_seen_by_all_subscribers_and_later_listeners(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let first = on_message(|_, message| {
        message.data = Some(json!({ "text": "changed" }).into());
        message.set_extra("seen", json!(true));
        Flow::Continue
    });
    let second = on_message(|_, message| {
        message.data.as_mut().unwrap().value_mut()["more"] = json!(1);
        Flow::Continue
    });
    channel.add_listener(first).keep();
    channel.add_listener(second).keep();
    let mut subscribers = [server.connected(transport).await, server.connected(transport).await];
    for subscriber in &mut subscribers {
        subscriber.subscribe("/a").await;
    }
    server.handshaken(transport).await.publish("/a", json!({ "text": "original" })).await;
    for subscriber in &mut subscribers {
        assert_eq!(
            subscriber.message_on("/a").await,
            json!({ "channel": "/a", "data": { "text": "changed", "more": 1 }, "seen": true })
        );
    }
}

async fn listeners_are_asked_from_the_widest_channel_to_the_exact_one(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    for id in ["/a/b", "/a/*", "/a", "/**", "/a/**", "/*"] {
        let channel = server.server.create_channel_if_absent(id).unwrap().channel();
        channel.add_listener(Arc::new(log.clone())).keep();
    }
    server.handshaken(transport).await.publish("/a/b", json!(1)).await;
    // Meta messages are heard too by /**.
    let entries: Vec<_> =
        log.entries().into_iter().filter(|entry| entry.ends_with("/a/b")).collect();
    assert_eq!(
        entries,
        ["/** hears /a/b", "/a/** hears /a/b", "/a/* hears /a/b", "/a/b hears /a/b"]
    );
}

async fn a_removed_listener_hears_no_more(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let log = Log::default();
    let registration = channel.add_listener(Arc::new(log.clone()));
    let mut client = server.handshaken(transport).await;
    client.publish("/a", json!(1)).await;
    drop(registration);
    client.publish("/a", json!(1)).await;
    assert_eq!(log.entries(), ["/a hears /a"]);
}

async fn subscriptions_are_told_to_the_channel_and_then_to_the_server(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    channel.add_listener(Arc::new(log.clone())).keep();
    let mut client = server.handshaken(transport).await;
    client.subscribe("/a").await;
    client.unsubscribe("/a").await;
    assert_eq!(
        log.take(),
        [
            "subscribed /a by the client",
            "server: subscribed /a by the client",
            "unsubscribed /a by the client",
            "server: unsubscribed /a by the client",
        ]
    );
    channel.subscribe(&*server.session(&client)).await;
    client.disconnect().await;
    assert_eq!(
        log.take(),
        [
            "subscribed /a by the server",
            "server: subscribed /a by the server",
            "unsubscribed /a by the server",
            "server: unsubscribed /a by the server",
        ]
    );
}

async fn a_listener_may_be_added_while_messages_are_heard(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let log = Log::default();
    let (own, added) = (channel.clone(), log.clone());
    let adds = on_message(move |_, _| {
        own.add_listener(Arc::new(added.clone())).keep();
        Flow::Continue
    });
    channel.add_listener(adds).keep();
    let mut client = server.handshaken(transport).await;
    client.publish("/a", json!(1)).await;
    assert_eq!(log.take().len(), 0);
    client.publish("/a", json!(2)).await;
    assert_eq!(log.take().len(), 1);
}

async fn the_end_of_a_session_is_told_after_what_is_being_told(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let (waits, log) = (Arc::new(Waits(Semaphore::new(0))), Log::default());
    server.server.add_subscription_listener(waits.clone()).keep();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let mut client = server.handshaken(transport).await;
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let session = server.session(&client);
    session.add_listener(Arc::new(log.clone())).keep();
    let subscribe = client.message("/meta/subscribe", &json!({ "subscription": "/a" }));
    client.send(&[subscribe]);
    eventually("the subscription", || !session.subscriptions().is_empty()).await;
    within("the end of the session", session.disconnect()).await;
    assert!(!session.is_handshook());
    assert!(server.server.channel("/a").unwrap().subscribers().is_empty());
    assert_eq!(log.entries(), Vec::<String>::new());
    waits.0.add_permits(1);
    log.until("removed Removed").await;
    let told = [
        "server: subscribed /a by the client",
        "Removed session, 1 subscriptions",
        "server: unsubscribed /a by the server",
        "removed Removed",
    ];
    assert_eq!(log.entries(), told);
}

async fn one_that_never_returns_holds_up_no_end_of_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_session_listener(Arc::new(Waits(Semaphore::new(0)))).keep();
    for _ in 0..2 {
        let mut client = server.handshaken(transport).await;
        client.subscribe("/a").await;
        let session = server.session(&client);
        let ended = session.clone();
        tokio::spawn(async move { ended.disconnect().await });
        eventually("the end of the session", || !session.is_handshook()).await;
        let channel = server.server.channel("/a").unwrap();
        eventually("the subscription to go", || channel.subscribers().is_empty()).await;
        assert!(!session.deliver(Message::with_data("/a", json!(1))).await);
        let published = channel.publish(json!(1)).await;
        assert_eq!(published.unwrap().sessions, 0);
    }
    assert!(server.server.sessions().is_empty());
}
