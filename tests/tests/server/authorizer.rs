//! Authorizers: one grant is needed, one denial is enough.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bayeux_server::api::{
    ChannelId, Registration,
    server::{Authorization, Authorizer, GrantAuthorizer, Operation, ServerMessage, ServerSession},
};
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, over_every_transport};

over_every_transport!(
    without_any_everything_is_granted,
    if_all_ignore_it_is_denied,
    a_grant_is_for_its_operation_only,
    a_denial_wins_and_gives_its_reason,
    one_of_a_wild_channel_decides_for_what_it_matches,
    one_of_a_parent_decides_nothing,
    creating_is_asked_of_the_wild_channels,
    a_wild_subscription_is_asked_of_itself_and_the_wilder_ones,
    what_is_removed_decides_no_more,
    one_may_remove_itself_when_it_is_asked,
    meta_channels_have_none,
);

/// Says the same to everything.
#[derive(Debug)]
struct Says(Authorization);

#[async_trait]
impl Authorizer for Says {
    async fn authorize(
        &self,
        _operation: Operation,
        _channel: &ChannelId,
        _session: &Arc<dyn ServerSession>,
        _message: &ServerMessage,
    ) -> Authorization {
        self.0.clone()
    }
}

fn add(server: &TestServer, channel: &str, authorizer: impl Authorizer + 'static) -> Registration {
    let channel = server.server.create_channel_if_absent(channel).unwrap().channel();
    channel.add_authorizer(Arc::new(authorizer))
}

async fn publish(client: &mut Client, channel: &str) -> Value {
    client.request(channel, json!({ "data": 1 })).await["error"].clone()
}

async fn subscribe(client: &mut Client, channel: &str) -> Value {
    let fields = json!({ "subscription": channel });
    client.request("/meta/subscribe", fields).await["error"].clone()
}

const NOT_GRANTED: &str = "403:denied_by_not_granting:publish_denied";

async fn without_any_everything_is_granted(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a").await, Value::Null);
    assert_eq!(subscribe(&mut client, "/a").await, Value::Null);
}

async fn if_all_ignore_it_is_denied(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a", GrantAuthorizer::NONE).keep();
    add(&server, "/a", Says(Authorization::Ignore)).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a").await, NOT_GRANTED);
    assert_eq!(subscribe(&mut client, "/a").await, "403:denied_by_not_granting:subscribe_denied");
}

async fn a_grant_is_for_its_operation_only(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a", GrantAuthorizer::SUBSCRIBE).keep();
    add(&server, "/b", GrantAuthorizer::SUBSCRIBE_PUBLISH).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(subscribe(&mut client, "/a").await, Value::Null);
    assert_eq!(publish(&mut client, "/a").await, NOT_GRANTED);
    assert_eq!(subscribe(&mut client, "/b").await, Value::Null);
    assert_eq!(publish(&mut client, "/b").await, Value::Null);
}

async fn a_denial_wins_and_gives_its_reason(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a", GrantAuthorizer::ALL).keep();
    add(&server, "/a", Says(Authorization::Deny("closed".to_owned()))).keep();
    add(&server, "/b", Says(Authorization::Deny(String::new()))).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a").await, "403:closed:publish_denied");
    assert_eq!(subscribe(&mut client, "/a").await, "403:closed:subscribe_denied");
    assert_eq!(publish(&mut client, "/b").await, "403::publish_denied");
}

async fn one_of_a_wild_channel_decides_for_what_it_matches(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/**", GrantAuthorizer::NONE).keep();
    add(&server, "/a/*", GrantAuthorizer::ALL).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a/b").await, Value::Null);
    assert_eq!(
        publish(&mut client, "/a/b/c").await,
        "403:denied_by_not_granting:channel_create_denied"
    );
    server.server.create_channel_if_absent("/b").unwrap();
    assert_eq!(publish(&mut client, "/b").await, NOT_GRANTED);
}

async fn one_of_a_parent_decides_nothing(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a", Says(Authorization::Deny("closed".to_owned()))).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a/b").await, Value::Null);
}

async fn creating_is_asked_of_the_wild_channels(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a/**", GrantAuthorizer::SUBSCRIBE_PUBLISH).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(subscribe(&mut client, "/a/b").await, "403:denied_by_not_granting:create_denied");
    assert!(server.server.channel("/a/b").is_none());
    add(&server, "/a/**", GrantAuthorizer::CREATE).keep();
    assert_eq!(subscribe(&mut client, "/a/b").await, Value::Null);
}

async fn a_wild_subscription_is_asked_of_itself_and_the_wilder_ones(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a/*", GrantAuthorizer::NONE).keep();
    add(&server, "/b/c", Says(Authorization::Deny("closed".to_owned()))).keep();
    let mut client = server.handshaken(transport).await;
    assert_eq!(subscribe(&mut client, "/a/*").await, "403:denied_by_not_granting:subscribe_denied");
    // The wilder channel is not asked of the narrower one.
    assert_eq!(subscribe(&mut client, "/a/**").await, Value::Null);
    assert_eq!(subscribe(&mut client, "/b/*").await, Value::Null);
}

async fn what_is_removed_decides_no_more(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let registration = add(&server, "/a", GrantAuthorizer::NONE);
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a").await, NOT_GRANTED);
    drop(registration);
    assert_eq!(publish(&mut client, "/a").await, Value::Null);
}

/// Grants once.
#[derive(Debug, Default)]
struct Once(Mutex<Option<Registration>>);

#[async_trait]
impl Authorizer for Once {
    async fn authorize(
        &self,
        _operation: Operation,
        _channel: &ChannelId,
        _session: &Arc<dyn ServerSession>,
        _message: &ServerMessage,
    ) -> Authorization {
        drop(self.0.lock().unwrap().take());
        Authorization::Grant
    }
}

async fn one_may_remove_itself_when_it_is_asked(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/a/*", GrantAuthorizer::NONE).keep();
    let channel = server.server.create_channel_if_absent("/a/b").unwrap().channel();
    let once = Arc::new(Once::default());
    let registration = channel.add_authorizer(once.clone());
    *once.0.lock().unwrap() = Some(registration);
    let mut client = server.handshaken(transport).await;
    assert_eq!(publish(&mut client, "/a/b").await, Value::Null);
    assert_eq!(publish(&mut client, "/a/b").await, NOT_GRANTED);
}

async fn meta_channels_have_none(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    add(&server, "/**", Says(Authorization::Deny("closed".to_owned()))).keep();
    let mut client = server.connected(transport).await;
    assert_eq!(publish(&mut client, "/service/a").await, "403:closed:channel_create_denied");
    client.disconnect().await;
}
