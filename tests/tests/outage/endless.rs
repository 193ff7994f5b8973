//! Failures that do not end: the server is not flooded, and the client gives up when it was told to.

use std::time::{Duration, Instant};

use bayeux_client::{Backoff, BayeuxClient, Config, State, api::client::RequestError};
use serde_json::{Value, json};
use tests::{
    arrive, brisk_client,
    scripted::{Answer, Scripted, answer, body, ordinary, replies, reply},
    within,
};
use tokio::net::TcpListener;

use crate::answers::{builder, failure, has};

/// Waits 100 ms after each failure.
fn calm() -> Config {
    let mut config = brisk_client();
    config.backoff = Backoff::Constant(Duration::from_millis(100));
    config
}

/// Refuses each connect with this reply, and is otherwise a good server.
fn refusing(change: impl Fn(&mut Value)) -> impl Fn(usize, Vec<Value>) -> Answer {
    move |_, messages| {
        if !has(&messages, "/meta/connect") {
            return ordinary(&messages);
        }
        let mut reply = reply(&messages[0]);
        change(&mut reply);
        answer(&[reply])
    }
}

/// Looks on while the server is asked for sessions: each time the client waits, but perhaps the first.
async fn handshakes_are_far_between(
    script: impl Fn(usize, Vec<Value>) -> Answer + Send + Sync + 'static,
) {
    let server = Scripted::start(script).await;
    let client = builder(&server.url()).config(calm()).build().unwrap();
    let _ = within("the handshake", client.handshake()).await;
    are_far_between(&server, "/meta/handshake").await;
    client.abort();
}

async fn are_far_between(server: &Scripted, channel: &str) {
    const COUNT: usize = 6;
    server.until(channel, COUNT).await;
    let times = server.times(channel);
    let took = times[COUNT - 1] - times[0];
    assert!(took >= Duration::from_millis(400), "{COUNT} times {channel} within {took:?}");
}

#[tokio::test]
async fn a_server_that_forgets_each_session_at_once_is_not_flooded() {
    handshakes_are_far_between(refusing(|reply| {
        reply["successful"] = json!(false);
        reply["error"] = json!("402::session_unknown");
        reply["advice"] = json!({ "reconnect": "handshake", "interval": 0 });
    }))
    .await;
}

#[tokio::test]
async fn a_server_that_asks_for_a_handshake_with_each_good_connect_is_not_flooded() {
    handshakes_are_far_between(refusing(|reply| {
        reply["advice"] = json!({ "reconnect": "handshake", "interval": 0 });
    }))
    .await;
}

#[tokio::test]
async fn a_server_that_refuses_each_handshake_is_not_flooded() {
    handshakes_are_far_between(|_, messages| {
        let mut reply = reply(&messages[0]);
        reply["successful"] = json!(false);
        reply["advice"] = json!({ "reconnect": "handshake" });
        answer(&[reply])
    })
    .await;
}

#[tokio::test]
async fn a_server_that_fails_each_connect_is_not_flooded() {
    let server = Scripted::start(|_, messages| match has(&messages, "/meta/connect") {
        true => body(500, ""),
        false => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).config(calm()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Unconnected).await;
    are_far_between(&server, "/meta/connect").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_as_often_as_the_client_may() {
    for most in [1, 3] {
        let server = Scripted::start(|_, _| body(503, "")).await;
        let mut config = brisk_client();
        config.max_attempts = Some(most);
        let client = builder(&server.url()).config(config).build().unwrap();
        let handshake = client.handshake();
        let publish = client.channel("/a").unwrap().publish(json!(1));
        let error = failure(within("the handshake", handshake).await.unwrap_err());
        assert_eq!(error.http_code, Some(503));
        within("the publish", publish).await.unwrap_err();
        arrive(&client, State::Disconnected).await;
        assert_eq!(server.on("/meta/handshake").len(), most as usize);
        assert_eq!(server.on("/a").len(), 0);
    }
}

#[tokio::test]
async fn connects_are_tried_as_often_as_the_client_may() {
    let server = Scripted::start(|_, messages| match has(&messages, "/meta/connect") {
        true => body(500, ""),
        false => ordinary(&messages),
    })
    .await;
    let mut config = brisk_client();
    config.max_attempts = Some(3);
    let client = builder(&server.url()).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Disconnected).await;
    assert_eq!(server.on("/meta/connect").len(), 3);
}

#[tokio::test]
async fn the_count_of_attempts_starts_anew_after_a_connect_that_succeeds() {
    let server = Scripted::start(|nth, messages| match nth {
        // Handshake, then connects: two fail, one succeeds, two fail, and so on.
        1 | 2 | 4 | 5 | 7 | 8 => body(500, ""),
        0..10 => answer(&replies(&messages)),
        _ => ordinary(&messages),
    })
    .await;
    let mut config = brisk_client();
    config.max_attempts = Some(3);
    let client = builder(&server.url()).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    server.until("/meta/connect", 10).await;
    arrive(&client, State::Connected).await;
    assert_eq!(server.on("/meta/handshake").len(), 1);
}

/// Returns a client that has a second to come back, and has begun to ask a server for its session.
fn with_little_time(url: &str) -> (BayeuxClient, Instant) {
    let mut config = brisk_client();
    config.max_reconnect_time = Some(Duration::from_secs(1));
    (builder(url).config(config).build().unwrap(), Instant::now())
}

#[tokio::test]
async fn who_waits_is_told_when_the_time_to_come_back_is_over() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", free.local_addr().unwrap());
    drop(free);
    let (client, start) = with_little_time(&url);
    let handshake = client.handshake();
    let channel = client.channel("/a").unwrap();
    let (publish, subscribe) = (channel.publish(json!(1)), channel.subscribe());
    let call = client.remote_call("service", json!(1)).unwrap();
    within("the handshake", handshake).await.unwrap_err();
    within("the publish", publish).await.unwrap_err();
    within("the subscribe", subscribe).await.map(drop).unwrap_err();
    within("the call", call).await.unwrap_err();
    arrive(&client, State::Disconnected).await;
    let spent = start.elapsed();
    assert!(spent >= Duration::from_millis(900), "gave up after {spent:?}");
}

#[tokio::test]
async fn a_stream_ends_when_the_client_gives_up() {
    let server = Scripted::start(|_, messages| match has(&messages, "/meta/connect") {
        true => body(500, ""),
        false => ordinary(&messages),
    })
    .await;
    let (client, _) = with_little_time(&server.url());
    let handshake = client.handshake();
    let subscribe = client.channel("/a").unwrap().subscribe();
    within("the handshake", handshake).await.unwrap();
    let mut messages = within("the subscribe", subscribe).await.unwrap();
    assert_eq!(within("the end", messages.next()).await, None);
    arrive(&client, State::Disconnected).await;
    let late = within("a publish", client.channel("/a").unwrap().publish(json!(1))).await;
    assert!(matches!(late, Err(RequestError::NotHandshaken)), "{late:?}");
}
