//! Several servers: the client goes from one that is not there to one that is.

use bayeux_client::{BayeuxClient, State, api::ConnectionType::LongPolling};
use serde_json::json;
use tests::{
    TestServer, arrive, brisk_client, eventually,
    scripted::{Link, Scripted, answer, body, ordinary, reply},
    within,
};
use tokio::net::TcpListener;

use crate::answers::{builder, has};

/// Returns an address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/cometd", listener.local_addr().unwrap())
}

#[tokio::test]
async fn the_next_address_is_tried_at_once_when_one_does_not_answer() {
    let server = Scripted::start(|_, messages| ordinary(&messages)).await;
    let client = builder(&nobody().await).url(&nobody().await).url(&server.url()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.url().as_str(), server.url());
}

#[tokio::test]
async fn each_address_has_its_turn_again() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => body(503, ""),
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).url(&nobody().await).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap_err();
    arrive(&client, State::Connected).await;
    assert_eq!(client.url().as_str(), server.url());
}

#[tokio::test]
async fn a_session_whose_server_is_gone_is_started_again_at_another() {
    let first = TestServer::start(|_| {}).await;
    let second = TestServer::start(|_| {}).await;
    let link = Link::to(first.address).await;
    let client = BayeuxClient::builder().url(&link.url()).url(&second.url());
    let client = client.config(brisk_client()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    // Nobody listens any more.
    link.cut();
    drop(link);
    drop(first);
    eventually("a session at the other", || !second.server.sessions().is_empty()).await;
    arrive(&client, State::Connected).await;
    within("publish", channel.publish(json!(1))).await.unwrap();
    assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!(1));
}

#[tokio::test]
async fn advised_hosts_are_gone_to_with_the_next_handshake() {
    let other = Scripted::start(|_, messages| ordinary(&messages)).await;
    let host = other.address.to_string();
    let server = Scripted::start(move |_, messages| {
        if !has(&messages, "/meta/connect") {
            return ordinary(&messages);
        }
        let mut reply = reply(&messages[0]);
        reply["successful"] = json!(false);
        reply["advice"] = json!({ "reconnect": "handshake", "hosts": ["not a host", host] });
        answer(&[reply])
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    other.until("/meta/connect", 2).await;
    assert_eq!(client.url().as_str(), other.url());
    assert_eq!(client.transport(), LongPolling);
    assert_eq!(server.on("/meta/handshake").len(), 1);
}
