//! Lazy channels and messages: what may wait, and for how long.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_server::api::{Flow, Message};
use serde_json::json;
use tests::{TestServer, Transport, every_transport, hooks::on_message, over_every_transport};

const LAZY: Duration = Duration::from_millis(150);

over_every_transport!(
    a_lazy_channel_delivers_when_its_time_is_over,
    a_lazy_channel_without_a_time_has_the_transports,
    a_message_may_be_made_lazy_by_a_listener,
    a_lazy_wild_channel_makes_what_it_matches_lazy_but_not_its_parent,
    a_lazy_parent_makes_nothing_lazy,
    another_message_takes_the_lazy_ones_along_in_order,
    no_time_at_all_delivers_at_once,
    of_several_times_the_earliest_counts,
    lazy_messages_do_not_keep_a_connect_from_being_held,
    a_later_lazy_message_has_its_own_time,
    delivering_to_one_session_is_lazy_only_if_the_message_is,
    a_connects_reply_takes_lazy_messages_along,
);

fn lazy(server: &TestServer, channel: &str, timeout: Duration) -> Arc<bayeux_server::Channel> {
    let set_up = |channel: &bayeux_server::Channel| channel.set_lazy_timeout(timeout);
    server.server.create_channel_if_absent_with(channel, set_up).unwrap().channel()
}

async fn a_lazy_channel_delivers_when_its_time_is_over(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = lazy(&server, "/lazy", LAZY);
    assert!(channel.is_lazy());
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    client.hold().await;
    let start = Instant::now();
    channel.publish(json!(1)).await.unwrap();
    assert_eq!(client.message_on("/lazy").await["data"], 1);
    assert!(start.elapsed() >= LAZY, "{:?}", start.elapsed());
}

async fn a_lazy_channel_without_a_time_has_the_transports(transport: Transport) {
    let server =
        TestServer::start(|config| every_transport(config, |t| t.max_lazy_timeout = LAZY)).await;
    let channel = lazy(&server, "/lazy", Duration::from_secs(99));
    channel.set_lazy(false);
    assert_eq!(channel.lazy_timeout(), None);
    channel.set_lazy(true);
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    client.hold().await;
    let start = Instant::now();
    channel.publish(json!(1)).await.unwrap();
    client.message_on("/lazy").await;
    assert!(start.elapsed() >= LAZY);
}

async fn a_message_may_be_made_lazy_by_a_listener(transport: Transport) {
    let server =
        TestServer::start(|config| every_transport(config, |t| t.max_lazy_timeout = LAZY)).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let listener = on_message(|_, message| {
        message.lazy = true;
        Flow::Continue
    });
    channel.add_listener(listener).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.hold().await;
    let start = Instant::now();
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    let message = client.message_on("/a").await;
    assert_eq!(message, json!({ "channel": "/a", "data": 1 }));
    assert!(start.elapsed() >= LAZY);
}

async fn a_lazy_wild_channel_makes_what_it_matches_lazy_but_not_its_parent(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = lazy(&server, "/a/**", Duration::from_secs(99));
    let mut client = server.connected(transport).await;
    for channel in ["/a", "/a/b"] {
        client.subscribe(channel).await;
    }
    client.hold().await;
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/a/b", json!(1)).await;
    assert_eq!(server.server.statistics().held_connects, 1);
    assert_eq!(server.session(&client).queue_depth().messages, 1);
    publisher.publish("/a", json!(2)).await;
    assert_eq!(client.channels_until("/a").await, ["/a/b", "/a"]);
    drop(channel);
}

async fn a_lazy_parent_makes_nothing_lazy(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let _parent = lazy(&server, "/a", Duration::from_secs(99));
    let mut client = server.connected(transport).await;
    client.subscribe("/a/b").await;
    client.hold().await;
    server.handshaken(transport).await.publish("/a/b", json!(1)).await;
    assert_eq!(client.message_on("/a/b").await["data"], 1);
}

async fn another_message_takes_the_lazy_ones_along_in_order(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let _channel = lazy(&server, "/lazy", Duration::from_secs(99));
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    client.subscribe("/a").await;
    client.hold().await;
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/lazy", json!(1)).await;
    publisher.publish("/lazy", json!(2)).await;
    publisher.publish("/a", json!(3)).await;
    assert_eq!(client.channels_until("/a").await, ["/lazy", "/lazy", "/a"]);
}

async fn no_time_at_all_delivers_at_once(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_lazy_timeout = Duration::ZERO);
    })
    .await;
    let channel = lazy(&server, "/lazy", LAZY);
    channel.set_lazy(false);
    channel.set_lazy(true);
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    client.hold().await;
    channel.publish(json!(1)).await.unwrap();
    client.message_on("/lazy").await;
}

async fn of_several_times_the_earliest_counts(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let slow = lazy(&server, "/slow", Duration::from_secs(99));
    let quick = lazy(&server, "/quick", LAZY);
    let mut client = server.connected(transport).await;
    client.subscribe("/slow").await;
    client.subscribe("/quick").await;
    client.hold().await;
    let start = Instant::now();
    slow.publish(json!(1)).await.unwrap();
    quick.publish(json!(2)).await.unwrap();
    slow.publish(json!(3)).await.unwrap();
    assert_eq!(client.message_on("/slow").await["data"], 1);
    assert!(start.elapsed() >= LAZY);
    client.message_on("/quick").await;
    assert_eq!(client.message_on("/slow").await["data"], 3);
}

async fn lazy_messages_do_not_keep_a_connect_from_being_held(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = lazy(&server, "/lazy", Duration::from_secs(2));
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    let start = Instant::now();
    channel.publish(json!(1)).await.unwrap();
    client.hold().await;
    client.message_on("/lazy").await;
    assert!(start.elapsed() >= Duration::from_secs(2));
}

async fn a_later_lazy_message_has_its_own_time(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = lazy(&server, "/lazy", LAZY);
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    client.subscribe("/a").await;
    client.hold().await;
    // The first is taken along by another message before its time is over.
    channel.publish(json!(1)).await.unwrap();
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/lazy").await["data"], 1);
    client.message_on("/a").await;
    if !transport.pushes() {
        client.hold().await;
    }
    let start = Instant::now();
    channel.publish(json!(2)).await.unwrap();
    assert_eq!(client.message_on("/lazy").await["data"], 2);
    assert!(start.elapsed() >= LAZY);
}

async fn delivering_to_one_session_is_lazy_only_if_the_message_is(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let _channel = lazy(&server, "/lazy", Duration::from_secs(99));
    let mut client = server.connected(transport).await;
    client.hold().await;
    let session = server.session(&client);
    let mut message = Message::with_data("/lazy", json!(1));
    message.lazy = true;
    session.deliver(message).await;
    assert_eq!(server.server.statistics().held_connects, 1);
    assert_eq!(session.queue_depth().messages, 1);
    session.deliver(Message::with_data("/lazy", json!(2))).await;
    assert_eq!(client.message_on("/lazy").await["data"], 1);
    assert_eq!(client.message_on("/lazy").await["data"], 2);
}

async fn a_connects_reply_takes_lazy_messages_along(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = lazy(&server, "/lazy", Duration::from_secs(99));
    let mut client = server.connected(transport).await;
    client.subscribe("/lazy").await;
    channel.publish(json!(1)).await.unwrap();
    client.try_connect(json!({ "advice": { "timeout": 0 } })).await;
    assert_eq!(client.received_on("/lazy").len(), 1);
}
