//! Subscriptions: streams and listeners, who asks the server, and when they end.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_client::{
    State,
    api::{
        ConnectionType, Message,
        client::{ClientSession as _, ClientSessionChannel, MessageListener, RequestError},
    },
};
use serde_json::json;
use tests::{TestServer, eventually, hooks::Log, over_every_client_transport, within};
use tokio::sync::Notify;

use crate::scene::{Denies, refusal, wire};

over_every_client_transport!(
    a_stream_has_what_others_publish_in_order,
    a_listener_has_what_is_published_until_its_registration_is_dropped,
    only_the_first_subscriber_asks_and_only_the_last_one_tells,
    a_refused_subscription_says_why_and_the_next_one_asks_again,
    a_subscriber_of_a_new_session_does_not_end_with_the_old_one,
    wild_channels_have_what_is_below_them,
    dropping_the_stream_unsubscribes,
    dropping_the_unanswered_subscription_unsubscribes,
    unsubscribing_a_channel_ends_all_its_streams,
    a_subscriber_of_everything_sees_no_meta_and_no_service_messages,
    a_listener_hears_replies_and_a_subscriber_does_not,
    meta_channels_cannot_be_subscribed_to,
    without_a_session_there_is_no_subscription,
    subscribing_twice_at_once_asks_once,
);

async fn a_stream_has_what_others_publish_in_order(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let other = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    let channel = other.channel("/chat").unwrap();
    let replies: Vec<_> = (0..50).map(|number| channel.publish(json!(number))).collect();
    for number in 0..50 {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(number));
        assert_eq!(message.channel.unwrap(), "/chat");
    }
    for reply in replies {
        assert!(within("reply", reply).await.unwrap().is_successful());
    }
    assert!(messages.try_next().is_none());
}

async fn a_listener_has_what_is_published_until_its_registration_is_dropped(
    transport: ConnectionType,
) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let (first, second) = (Log::default(), Log::default());
    let one = within("subscribe", chat.subscribe_listener(Arc::new(first.clone()))).await.unwrap();
    let two = within("subscribe", chat.subscribe_listener(Arc::new(second.clone()))).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    second.until("/chat 1").await;
    drop(one);
    within("publish", chat.publish(json!(2))).await.unwrap();
    second.until("/chat 2").await;
    assert_eq!(first.entries(), ["/chat 1"]);
    let session = server.server.sessions().remove(0);
    assert_eq!(session.subscriptions().len(), 1);
    drop(two);
    eventually("the server to be told", || session.subscriptions().is_empty()).await;
}

async fn only_the_first_subscriber_asks_and_only_the_last_one_tells(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let chat = client.channel("/chat").unwrap();
    let first = within("subscribe", chat.subscribe()).await.unwrap();
    // A slash at the end does not make another channel.
    let mut second =
        within("subscribe", client.channel("/chat/").unwrap().subscribe()).await.unwrap();
    assert!(within("unsubscribe", first.unsubscribe()).await.unwrap().is_successful());
    within("publish", chat.publish(json!(1))).await.unwrap();
    assert_eq!(within("message", second.next()).await.unwrap().data.unwrap(), json!(1));
    let session = server.server.sessions().remove(0);
    assert_eq!(session.subscriptions().len(), 1);
    assert!(within("unsubscribe", second.unsubscribe()).await.unwrap().is_successful());
    assert!(session.subscriptions().is_empty());
    assert_eq!([sent.count("/meta/subscribe"), sent.count("/meta/unsubscribe")], [1, 1]);
    let _third = within("subscribe", chat.subscribe()).await.unwrap();
    assert_eq!(sent.count("/meta/subscribe"), 2);
}

async fn a_refused_subscription_says_why_and_the_next_one_asks_again(transport: ConnectionType) {
    let server = Denies("subscribe").server().await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let chat = client.channel("/chat").unwrap();
    assert!(refusal(within("subscribe", chat.subscribe()).await).starts_with("403"));
    let log = Arc::new(Log::default());
    assert!(refusal(within("subscribe", chat.subscribe_listener(log)).await).starts_with("403"));
    assert_eq!(sent.count("/meta/subscribe"), 2);
    assert_eq!(sent.count("/meta/unsubscribe"), 0);
}

async fn wild_channels_have_what_is_below_them(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let log = Arc::new(Log::default());
    let mut registrations = Vec::new();
    for name in ["/a/*", "/a/**", "/a/b"] {
        let channel = client.channel(name).unwrap();
        let subscribed = within("subscribe", channel.subscribe_listener(log.clone())).await;
        registrations.push(subscribed.unwrap());
    }
    for (data, name) in ["/a/b", "/a/b/c", "/x", "/a/end"].into_iter().enumerate() {
        let publish = client.channel(name).unwrap().publish(json!(data));
        within("publish", publish).await.unwrap();
    }
    log.until("/a/** 3").await;
    let expected = ["/a/b 0", "/a/* 0", "/a/** 0", "/a/** 1", "/a/* 3", "/a/** 3"];
    assert_eq!(log.entries(), expected);
}

async fn dropping_the_stream_unsubscribes(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let session = server.server.sessions().remove(0);
    let messages = within("subscribe", client.channel("/chat").unwrap().subscribe()).await.unwrap();
    assert_eq!(session.subscriptions().len(), 1);
    drop(messages);
    eventually("the server to be told", || session.subscriptions().is_empty()).await;
    assert!(client.is_connected());
}

async fn dropping_the_unanswered_subscription_unsubscribes(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let session = server.server.sessions().remove(0);
    drop(client.channel("/chat").unwrap().subscribe());
    // What is sent after both is answered after both.
    within("publish", client.channel("/end").unwrap().publish(json!(1))).await.unwrap();
    assert!(session.subscriptions().is_empty());
    let all = sent.entries().join(" ");
    assert!(all.contains("/meta/subscribe") && all.contains("/meta/unsubscribe"), "{all}");
}

async fn unsubscribing_a_channel_ends_all_its_streams(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let mut first = within("subscribe", chat.subscribe()).await.unwrap();
    let mut second = within("subscribe", chat.subscribe()).await.unwrap();
    assert!(within("unsubscribe", chat.unsubscribe()).await.unwrap().is_successful());
    assert!(within("end", first.next()).await.is_none());
    assert!(within("end", second.next()).await.is_none());
    assert!(server.server.sessions().remove(0).subscriptions().is_empty());
    // What was dropped too late tells the server nothing.
    let mut third = within("subscribe", chat.subscribe()).await.unwrap();
    drop((first, second));
    within("publish", chat.publish(json!(3))).await.unwrap();
    assert_eq!(within("message", third.next()).await.unwrap().data.unwrap(), json!(3));
}

async fn a_subscriber_of_everything_sees_no_meta_and_no_service_messages(
    transport: ConnectionType,
) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let mut all = within("subscribe", client.channel("/**").unwrap().subscribe()).await.unwrap();
    let other = server.bayeux_client(transport).await;
    for one in [&client, &other] {
        within("publish", one.channel("/service/x").unwrap().publish(json!(1))).await.unwrap();
        let more = within("subscribe", one.channel("/more").unwrap().subscribe()).await.unwrap();
        within("unsubscribe", more.unsubscribe()).await.unwrap();
    }
    within("publish", other.channel("/end").unwrap().publish(json!(2))).await.unwrap();
    assert_eq!(within("message", all.next()).await.unwrap().channel.unwrap(), "/end");
}

async fn a_listener_hears_replies_and_a_subscriber_does_not(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let meta = client.channel("/meta/subscribe").unwrap();
    let (heard, got) = (Log::default(), Log::default());
    let listening =
        [chat.add_listener(Arc::new(heard.clone())), meta.add_listener(Arc::new(heard.clone()))];
    let one = within("subscribe", chat.subscribe_listener(Arc::new(got.clone()))).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    heard.until("/chat successful=true").await;
    heard.until("/chat 1").await;
    got.until("/chat 1").await;
    assert_eq!(heard.count("/meta/subscribe successful=true"), 1);
    assert_eq!(got.entries(), ["/chat 1"]);
    drop(one);
    drop(listening);
}

async fn meta_channels_cannot_be_subscribed_to(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let meta = client.channel("/meta/connect").unwrap();
    assert!(refusal(within("subscribe", meta.subscribe()).await).starts_with("403"));
    assert!(client.channel("meta").is_err());
}

async fn without_a_session_there_is_no_subscription(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let chat = client.channel("/chat").unwrap();
    let subscribed = within("subscribe", chat.subscribe()).await;
    assert_eq!(subscribed.unwrap_err(), RequestError::NotHandshaken);
    assert_eq!(within("u", chat.unsubscribe()).await.unwrap_err(), RequestError::NotHandshaken);
}

async fn subscribing_twice_at_once_asks_once(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let chat = client.channel("/chat").unwrap();
    let (first, second) = (chat.subscribe(), chat.subscribe());
    let mut first = within("the first", first).await.unwrap();
    let mut second = within("the second", second).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    within("message", first.next()).await.unwrap();
    within("message", second.next()).await.unwrap();
    assert_eq!(sent.count("/meta/subscribe"), 1);
}

/// Holds up whoever tells the listeners.
struct HoldsUp(Arc<Notify>);

#[async_trait]
impl MessageListener for HoldsUp {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, _message: &Message) {
        self.0.notified().await;
    }
}

async fn a_subscriber_of_a_new_session_does_not_end_with_the_old_one(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let (held_up, chat) = (client.channel("/hold").unwrap(), client.channel("/chat").unwrap());
    let goes_on = Arc::new(Notify::new());
    let listener = Arc::new(HoldsUp(goes_on.clone()));
    let _held = within("subscribe", held_up.subscribe_listener(listener)).await.unwrap();
    let mut before = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", held_up.publish(json!(1))).await.unwrap();

    let mut states = client.states();
    within("the disconnect", client.disconnect()).await.unwrap();
    let ends = states.wait_for(|state| *state == State::Disconnected);
    within("the end", ends).await.unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let mut after = within("subscribe", chat.subscribe()).await.unwrap();
    goes_on.notify_one();
    assert!(within("the end of the first", before.next()).await.is_none());
    within("publish", chat.publish(json!(2))).await.unwrap();
    assert_eq!(within("the message", after.next()).await.unwrap().data, Some(json!(2).into()));
}
