//! A client's channels and attributes: which are the same, and how they are given back.

use std::sync::Arc;

use bayeux_client::api::{
    ConnectionType,
    client::{ClientSession, ClientSessionChannel as _, ReleasedError, RequestError},
};
use serde_json::json;
use tests::{TestServer, hooks::Log, over_every_client_transport, within};

over_every_client_transport!(
    a_channel_in_use_is_not_released,
    a_released_channel_does_nothing_more,
    a_released_channel_does_nothing_to_the_next_of_its_name,
    attributes_are_the_channels,
    attributes_are_the_clients,
    a_kept_listener_stays_subscribed,
);

async fn a_channel_in_use_is_not_released(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let listener = chat.add_listener(Arc::new(Log::default()));
    assert_eq!(chat.release(), Err(ReleasedError));
    drop(listener);
    let messages = within("subscribe", chat.subscribe()).await.unwrap();
    assert_eq!(chat.release(), Err(ReleasedError));
    within("unsubscribe", messages.unsubscribe()).await.unwrap();
    assert_eq!(chat.release(), Ok(()));
}

async fn a_released_channel_does_nothing_more(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    chat.release().unwrap();
    assert_eq!(within("it", chat.publish(json!(1))).await.unwrap_err(), RequestError::Released);
    assert_eq!(within("it", chat.subscribe()).await.unwrap_err(), RequestError::Released);
    let log = Arc::new(Log::default());
    let listened = within("it", chat.subscribe_listener(log)).await;
    assert_eq!(listened.unwrap_err(), RequestError::Released);
    // Another one of the same name is a new one.
    let again = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", again.subscribe()).await.unwrap();
    within("publish", again.publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
}

async fn a_released_channel_does_nothing_to_the_next_of_its_name(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let old = client.channel("/chat").unwrap();
    old.release().unwrap();
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    assert_eq!(old.release(), Ok(()));
    assert_eq!(within("it", old.unsubscribe()).await.unwrap_err(), RequestError::Released);
    within("publish", chat.publish(json!(1))).await.unwrap();
    assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!(1));
}

async fn attributes_are_the_channels(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let chat = client.channel("/chat").unwrap();
    assert!(chat.set_attribute("a", Arc::new(1_u32)).is_none());
    let same = client.channel("/chat/").unwrap();
    assert_eq!(same.attribute("a").unwrap().downcast_ref(), Some(&1_u32));
    assert!(client.channel("/other").unwrap().attribute("a").is_none());
    chat.release().unwrap();
    assert!(client.channel("/chat").unwrap().attribute("a").is_none());
}

async fn attributes_are_the_clients(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    assert!(client.set_attribute("a", Arc::new("one")).is_none());
    assert_eq!(client.clone().attribute_names(), ["a"]);
    within("the disconnect", client.disconnect()).await.unwrap();
    // They outlive a session.
    let removed = client.remove_attribute("a").unwrap();
    assert_eq!(removed.downcast_ref(), Some(&"one"));
    assert!(client.attribute("a").is_none());
}

async fn a_kept_listener_stays_subscribed(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let log = Log::default();
    let chat = client.channel("/chat").unwrap();
    let subscribed = within("it", chat.subscribe_listener(Arc::new(log.clone()))).await;
    subscribed.unwrap().keep();
    within("publish", chat.publish(json!(1))).await.unwrap();
    log.until("/chat 1").await;
    within("unsubscribe", chat.unsubscribe()).await.unwrap();
    within("publish", chat.publish(json!(2))).await.unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", chat.publish(json!(3))).await.unwrap();
    within("message", messages.next()).await.unwrap();
    assert_eq!(log.entries(), ["/chat 1"]);
}
