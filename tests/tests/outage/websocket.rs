//! WebSockets that are closed, refused or never opened.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bayeux_client::{
    BayeuxClient, NetworkConfig, State,
    api::{
        ConnectionType::{LongPolling, WebSocket},
        client::FailureKind,
    },
};
use serde_json::json;
use tests::{
    arrive, brisk_client, eventually,
    scripted::{Answer, Scripted, Upgrade, answer, body, ordinary, replies},
    within,
};

use crate::answers::{failure, has};

const CODES: [u16; 10] = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013];

#[tokio::test]
async fn a_websocket_that_is_closed_is_opened_again_for_the_same_session() {
    for code in CODES {
        let server = Scripted::start_with_websocket(
            |_| Upgrade::Accept,
            move |_, messages| match has(&messages, "/a") {
                true => Answer::Close(code),
                false => ordinary(&messages),
            },
        )
        .await;
        let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
        let client = client.build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let publish = client.channel("/a").unwrap().publish(json!(1));
        let error = failure(within("the publish", publish).await.unwrap_err());
        assert_eq!((error.kind, error.websocket_code), (FailureKind::Closed, Some(code)));
        assert!(error.reason.contains("as the script says"), "{error}");
        eventually("another WebSocket", || server.upgrades() == 2).await;
        arrive(&client, State::Connected).await;
        within("another", client.channel("/b").unwrap().publish(json!(2))).await.unwrap();
        assert_eq!(client.transport(), WebSocket);
        assert_eq!(server.on("/meta/handshake").len(), 1, "{code}");
        assert_eq!(server.on("/a").len(), 1, "{code}");
        client.abort();
    }
}

#[tokio::test]
async fn a_frame_without_messages_ends_nothing() {
    for nothing in ["[]", "", " \r\n"] {
        let server = Scripted::start_with_websocket(
            |_| Upgrade::Accept,
            move |_, messages| match has(&messages, "/nothing") {
                true => body(200, nothing),
                false => ordinary(&messages),
            },
        )
        .await;
        let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
        let client = client.build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let channel = client.channel("/nothing").unwrap();
        let unanswered = tokio::spawn(async move { channel.publish(json!(1)).await });
        eventually("the publish to arrive", || server.on("/nothing").len() == 1).await;
        within("another", client.channel("/b").unwrap().publish(json!(2))).await.unwrap();
        assert_eq!((client.transport(), server.upgrades()), (WebSocket, 1), "{nothing:?}");
        assert_eq!(client.state(), State::Connected);
        client.abort();
        unanswered.await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn a_websocket_that_is_closed_at_the_handshake_gives_way_to_long_polling() {
    for code in CODES {
        let is_first = AtomicBool::new(true);
        let server = Scripted::start_with_websocket(
            |_| Upgrade::Accept,
            move |_, messages| match is_first.swap(false, Ordering::SeqCst) {
                true => Answer::Close(code),
                false => ordinary(&messages),
            },
        )
        .await;
        let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
        let client = client.build().unwrap();
        // The fallback belongs to the same attempt.
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        assert_eq!(client.transport(), LongPolling, "{code}");
        assert_eq!(server.on("/meta/handshake").len(), 2, "{code}");
    }
}

#[tokio::test]
async fn a_refused_upgrade_gives_way_to_long_polling_until_it_is_not_refused_any_more() {
    for status in [400, 403, 404, 426, 500, 503] {
        let is_open = Arc::new(AtomicBool::new(false));
        let gate = is_open.clone();
        let server = Scripted::start_with_websocket(
            move |_| match gate.load(Ordering::SeqCst) {
                true => Upgrade::Accept,
                false => Upgrade::Refuse(status),
            },
            |_, messages| {
                // So that the connects go on.
                std::thread::sleep(Duration::from_millis(2));
                answer(&replies(&messages))
            },
        )
        .await;
        let mut config = brisk_client();
        config.probe_interval = Duration::from_millis(100);
        let client = BayeuxClient::builder().url(&server.url()).config(config).build().unwrap();
        let handshake = within("the handshake", client.handshake()).await;
        handshake.unwrap_or_else(|error| panic!("{status}: {error}"));
        arrive(&client, State::Connected).await;
        assert_eq!(client.transport(), LongPolling);
        within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
        // It is tried, and refused.
        eventually("more tries", || server.upgrades() >= 3).await;
        assert_eq!(client.transport(), LongPolling);
        is_open.store(true, Ordering::SeqCst);
        eventually("the WebSocket to be used", || client.transport() == WebSocket).await;
        within("publish", client.channel("/a").unwrap().publish(json!(2))).await.unwrap();
        assert_eq!(server.on("/meta/handshake").len(), 1, "{status}");
        assert_eq!(server.on("/a").len(), 2, "{status}");
        client.abort();
    }
}

#[tokio::test]
async fn a_client_of_websockets_alone_says_that_they_are_refused() {
    for (status, state) in [(403, State::Disconnected), (503, State::Rehandshaking)] {
        let server = Scripted::start_with_websocket(
            move |_| Upgrade::Refuse(status),
            |_, messages| ordinary(&messages),
        )
        .await;
        let builder = BayeuxClient::builder().url(&server.url()).config(brisk_client());
        let client = builder.transports(&[WebSocket]).build().unwrap();
        let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
        assert_eq!(error.http_code, Some(status));
        assert_eq!(error.websocket_code, Some(1002));
        arrive(&client, state).await;
        client.abort();
    }
}

#[tokio::test]
async fn an_upgrade_that_is_never_answered_gives_way_to_long_polling() {
    let server =
        Scripted::start_with_websocket(|_| Upgrade::Hang, |_, messages| ordinary(&messages)).await;
    let mut network = NetworkConfig::default();
    network.connect_timeout = Duration::from_secs(1);
    let builder = BayeuxClient::builder().url(&server.url()).config(brisk_client());
    let client = builder.network(network).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), LongPolling);
    assert_eq!(server.upgrades(), 1);
}

#[tokio::test]
async fn a_websocket_that_says_nothing_gives_way_to_long_polling() {
    let server = Scripted::start_with_websocket(
        |_| Upgrade::Accept,
        |nth, messages| match nth {
            0 => Answer::Hang,
            _ => ordinary(&messages),
        },
    )
    .await;
    let mut config = brisk_client();
    config.max_network_delay = Some(Duration::from_secs(1));
    let client = BayeuxClient::builder().url(&server.url()).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), LongPolling);
}

#[tokio::test]
async fn frames_that_are_not_bayeux_end_the_websocket_and_not_the_client() {
    for frame in ["[[]]", "hello", "[1]", "{\"channel\":", "<html>"] {
        let server = Scripted::start_with_websocket(
            |_| Upgrade::Accept,
            move |_, messages| match has(&messages, "/a") {
                true => body(200, frame),
                false => ordinary(&messages),
            },
        )
        .await;
        let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
        let client = client.build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let publish = client.channel("/a").unwrap().publish(json!(1));
        let error = failure(within("the publish", publish).await.unwrap_err());
        assert_eq!(error.kind, FailureKind::Invalid, "{frame:?}");
        eventually("another WebSocket", || server.upgrades() == 2).await;
        arrive(&client, State::Connected).await;
        assert_eq!(server.on("/a").len(), 1, "{frame:?}");
        client.abort();
    }
}
