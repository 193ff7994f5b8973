//! What is larger than allowed, and servers with which there is no agreement.

use bayeux_client::{
    BayeuxClient, NetworkConfig, State,
    api::{
        ConnectionType::{LongPolling, WebSocket},
        client::{FailureKind, RequestError},
    },
};
use serde_json::json;
use tests::{
    arrive, brisk_client,
    scripted::{Answer, Scripted, Upgrade, answer, body, ordinary, replies, reply},
    within,
};

use crate::answers::{builder, failure, has};

#[tokio::test]
async fn an_answer_that_is_too_large_fails_and_the_session_goes_on() {
    for transport in [WebSocket, LongPolling] {
        let server = Scripted::start_with_websocket(
            |_| Upgrade::Accept,
            |_, messages| match has(&messages, "/a") {
                true => {
                    let mut all = replies(&messages);
                    all[0]["padding"] = json!("x".repeat(20_000));
                    answer(&all)
                }
                false => ordinary(&messages),
            },
        )
        .await;
        let mut network = NetworkConfig::default();
        network.max_message_size = 10_000;
        let builder = BayeuxClient::builder().url(&server.url()).transports(&[transport]);
        let client = builder.config(brisk_client()).network(network).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let publish = client.channel("/a").unwrap().publish(json!(1));
        let error = failure(within("the publish", publish).await.unwrap_err());
        assert_eq!(error.kind, FailureKind::TooLarge, "{error}");
        within("another", client.channel("/b").unwrap().publish(json!(1))).await.unwrap();
        arrive(&client, State::Connected).await;
        assert_eq!(server.on("/meta/handshake").len(), 1);
        assert_eq!(server.on("/a").len(), 1);
        client.abort();
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_sent_and_the_others_are() {
    let server = Scripted::start(|_, messages| ordinary(&messages)).await;
    let mut config = brisk_client();
    config.max_send_message_size = 1000;
    let client = builder(&server.url()).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let channel = client.channel("/a").unwrap();
    let (first, large, last) = client.batch(|| {
        let large = channel.publish(json!("x".repeat(2000)));
        (channel.publish(json!(1)), large, channel.publish(json!(2)))
    });
    within("the first", first).await.unwrap();
    let error = failure(within("the large one", large).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::TooLarge);
    within("the last", last).await.unwrap();
    assert_eq!(server.on("/a").len(), 2);
}

#[tokio::test]
async fn requests_beyond_what_may_wait_fail_at_once() {
    let server = Scripted::start(|_, messages| match has(&messages, "/a") {
        true => Answer::Hang,
        false => ordinary(&messages),
    })
    .await;
    let mut config = brisk_client();
    config.max_requests = 2;
    let client = builder(&server.url()).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let channel = client.channel("/a").unwrap();
    let (first, second) = (channel.publish(json!(1)), channel.publish(json!(2)));
    let third = within("the third", channel.publish(json!(3))).await;
    assert!(matches!(third, Err(RequestError::QueueFull)), "{third:?}");
    client.abort();
    within("the first", first).await.unwrap_err();
    within("the second", second).await.unwrap_err();
}

#[tokio::test]
async fn a_handshake_without_a_client_id_fails_and_is_made_again() {
    for id in [json!(null), json!(""), json!(7)] {
        let server = Scripted::start(move |nth, messages| match nth {
            0 => {
                let mut reply = reply(&messages[0]);
                reply["clientId"] = id.clone();
                answer(&[reply])
            }
            _ => ordinary(&messages),
        })
        .await;
        let client = builder(&server.url()).build().unwrap();
        let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
        assert_eq!(error.kind, FailureKind::Invalid, "{error}");
        arrive(&client, State::Connected).await;
    }
}

#[tokio::test]
async fn a_server_without_a_common_transport_ends_the_client() {
    let server = Scripted::start(|_, messages| {
        let mut reply = reply(&messages[0]);
        reply["supportedConnectionTypes"] = json!(["carrier-pigeon"]);
        answer(&[reply])
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let error = within("the handshake", client.handshake()).await.unwrap_err();
    assert!(error.to_string().contains("no_transport"), "{error}");
    arrive(&client, State::Disconnected).await;
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_server_that_can_do_long_polling_alone_gets_it() {
    let server = Scripted::start_with_websocket(
        |_| Upgrade::Accept,
        |_, messages| {
            let Answer::Reply(..) = ordinary(&messages) else { return Answer::Hang };
            let mut reply = reply(&messages[0]);
            reply["supportedConnectionTypes"] = json!(["long-polling"]);
            answer(&[reply])
        },
    )
    .await;
    let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
    let client = client.build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), LongPolling);
    assert_eq!(server.on("/meta/connect")[0]["connectionType"], "long-polling");
}

#[tokio::test]
async fn a_fallback_is_no_attempt_of_its_own() {
    let server = Scripted::start(|_, messages| ordinary(&messages)).await;
    let mut config = brisk_client();
    config.max_attempts = Some(1);
    let client = BayeuxClient::builder().url(&server.url()).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), LongPolling);
}

#[tokio::test]
async fn a_time_without_end_that_the_server_asks_for_can_be_ended() {
    let server = Scripted::start(|_, _| {
        Answer::Reply(503, vec![("retry-after", u64::MAX.to_string())], Vec::new())
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let _ = within("the handshake", client.handshake()).await.unwrap_err();
    client.abort();
    arrive(&client, State::Disconnected).await;
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn both_transports_that_are_refused_leave_the_client_trying() {
    let server = Scripted::start(|nth, messages| match nth {
        0..3 => body(503, ""),
        _ => ordinary(&messages),
    })
    .await;
    let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
    let client = client.build().unwrap();
    let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
    assert_eq!(error.http_code, Some(503));
    arrive(&client, State::Connected).await;
}
