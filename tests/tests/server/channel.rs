//! Channels as the server's code sees them.

use std::sync::Arc;

use bayeux_server::{
    Server,
    api::{
        Message,
        server::{BayeuxServer as _, Created, PublishError, ServerChannel},
    },
};
use serde_json::json;
use tests::{TestServer, Transport, hooks::Log, over_every_transport};

fn create(server: &Server, id: &str) -> Arc<dyn ServerChannel> {
    server.create_channel_if_absent(id, &|_| {}).unwrap().channel()
}

#[tokio::test]
async fn a_channel_is_set_up_before_it_is_told_of() {
    let server = Server::new();
    let log = Log::default();
    server.add_channel_listener(Arc::new(log.clone())).keep();
    let created = server.create_channel_if_absent("/a", &|channel| {
        assert!(server.channel("/a").is_none());
        channel.set_persistent(true);
        log.add("initialize");
    });
    assert!(matches!(created, Ok(Created::New(_))));
    assert_eq!(log.entries(), ["initialize", "configure /a", "added /a"]);
    let again = server.create_channel_if_absent("/a", &|_| panic!("it is there"));
    assert!(matches!(again, Ok(Created::Existing(_))));
    assert!(server.channel("/a").unwrap().is_persistent());
    server.channel("/a").unwrap().remove();
    log.until("removed /a").await;
    assert!(server.channel("/a").is_none());
}

#[tokio::test]
async fn names_are_made_uniform() {
    let server = Server::new();
    create(&server, "/foo/bar/ ");
    for id in ["/foo/bar", "/foo/bar/", "/foo/bar/ "] {
        assert_eq!(server.channel(id).unwrap().id().as_str(), "/foo/bar");
    }
    for id in ["", "/", "foo", "/a//b", "/a/*/b", "/<b>"] {
        assert!(server.create_channel_if_absent(id, &|_| {}).is_err(), "{id}");
        assert!(server.channel(id).is_none());
    }
}

#[tokio::test]
async fn a_channel_makes_no_parents() {
    let server = Server::new();
    create(&server, "/a/b/c");
    assert!(server.channel("/a").is_none());
    assert!(server.channel("/a/b").is_none());
}

#[tokio::test]
async fn meta_and_service_channels_are_persistent_from_the_start() {
    let server = Server::new();
    let names: Vec<_> = server.channels().iter().map(|channel| channel.id().to_string()).collect();
    assert_eq!(
        names,
        [
            "/meta/connect",
            "/meta/disconnect",
            "/meta/handshake",
            "/meta/subscribe",
            "/meta/unsubscribe",
        ]
    );
    assert!(server.channels().iter().all(|channel| channel.is_persistent()));
    assert!(create(&server, "/service/a").is_persistent());
    assert!(!create(&server, "/a").is_persistent());
}

#[tokio::test]
async fn a_removed_channels_listeners_hear_no_more() {
    let server = Server::new();
    let log = Log::default();
    let removed = create(&server, "/a");
    removed.add_listener(Arc::new(log.clone())).keep();
    removed.remove();
    for channel in [removed, create(&server, "/a")] {
        assert_eq!(channel.publish(None, Message::with_data("", json!(1))).await, Ok(false));
    }
    assert!(log.entries().is_empty());
}

#[tokio::test]
async fn attributes_are_kept() {
    let channel = create(&Server::new(), "/a");
    assert!(channel.attribute("x").is_none());
    assert!(channel.set_attribute("x", Arc::new(1_u8)).is_none());
    let old = channel.set_attribute("x", Arc::new(2_u8)).unwrap();
    assert_eq!(old.downcast_ref(), Some(&1_u8));
    assert_eq!(channel.attribute("x").unwrap().downcast_ref(), Some(&2_u8));
}

over_every_transport!(
    removing_leaves_the_children,
    a_removed_channels_subscribers_forget_it_silently,
    a_removed_channel_still_reaches_wild_subscribers,
    a_channel_comes_back_when_it_is_subscribed_to_again,
    the_server_cannot_publish_on_a_wild_channel,
    publishing_tells_whether_somebody_took_it,
    the_server_publishes_to_services_listeners,
    a_publication_may_be_on_behalf_of_a_session,
);

async fn removing_leaves_the_children(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let parent = create(&server.server, "/a");
    let mut client = server.connected(transport).await;
    client.subscribe("/a/b").await;
    parent.remove();
    assert!(server.server.channel("/a").is_none());
    assert!(server.server.channel("/a/b").is_some());
    client.publish("/a/b", json!(1)).await;
    client.message_on("/a/b").await;
}

async fn a_removed_channels_subscribers_forget_it_silently(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.server.channel("/a").unwrap().remove();
    assert!(server.session(&client).subscriptions().is_empty());
    assert_eq!(log.entries(), ["server: subscribed /a by the client"]);
    client.subscribe("/end").await;
    client.publish("/a", json!(1)).await;
    client.publish("/end", json!(1)).await;
    assert_eq!(client.channels_until("/end").await, ["/end"]);
}

async fn a_removed_channel_still_reaches_wild_subscribers(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/a/b");
    let mut client = server.connected(transport).await;
    client.subscribe("/a/**").await;
    channel.remove();
    assert!(channel.publish(None, Message::with_data("", json!(1))).await.unwrap());
    assert_eq!(client.message_on("/a/b").await["data"], 1);
}

async fn a_channel_comes_back_when_it_is_subscribed_to_again(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.server.channel("/a").unwrap().remove();
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
}

async fn the_server_cannot_publish_on_a_wild_channel(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    for id in ["/a/*", "/**"] {
        client.subscribe(id).await;
        let channel = server.server.channel(id).unwrap();
        let published = channel.publish(None, Message::with_data("", json!(1))).await;
        assert_eq!(published, Err(PublishError::Wild));
    }
}

async fn publishing_tells_whether_somebody_took_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/a");
    let publish = || channel.publish(None, Message::with_data("", json!(1)));
    assert_eq!(publish().await, Ok(false));
    let mut client = server.handshaken(transport).await;
    client.subscribe("/a").await;
    assert_eq!(publish().await, Ok(true));
    client.unsubscribe("/a").await;
    assert_eq!(publish().await, Ok(false));
}

async fn the_server_publishes_to_services_listeners(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/service/a");
    let log = Log::default();
    channel.add_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/service/a").await;
    let published = channel.publish(None, Message::with_data("", json!(1))).await;
    assert_eq!(published, Ok(false));
    assert_eq!(log.entries(), ["/service/a hears /service/a"]);
    assert_eq!(server.session(&client).queue_depth().messages, 0);
}

async fn a_publication_may_be_on_behalf_of_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/a");
    channel.set_broadcast_to_publisher(false);
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    let message = || Message::with_data("", json!(1));
    assert_eq!(channel.publish(Some(&session), message()).await, Ok(false));
    assert_eq!(channel.publish(None, message()).await, Ok(true));
    // Neither an id nor a clientId goes along.
    let mut other = message();
    (other.id, other.client_id) = (Some("1".to_owned()), Some("x".to_owned()));
    channel.publish(None, other).await.unwrap();
    for _ in 0..2 {
        assert_eq!(client.message_on("/a").await, json!({ "channel": "/a", "data": 1 }));
    }
}
