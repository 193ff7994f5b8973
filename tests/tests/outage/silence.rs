//! Servers that say nothing, for a while or for ever.

use std::time::Duration;

use bayeux_client::{
    BayeuxClient, Config, NetworkConfig, State,
    api::{
        ConnectionType::{self, LongPolling, WebSocket},
        client::FailureKind,
    },
};
use serde_json::json;
use tests::{
    AGES, DEADLINE, TestServer, arrive, brisk, brisk_client, eventually, over_both,
    scripted::{Answer, Link, Scripted, Upgrade, answer, body, ordinary, reply},
    within,
};

use crate::answers::{builder, failure, has};

/// Waits a second for replies.
fn impatient() -> Config {
    let mut config = brisk_client();
    config.max_network_delay = Some(Duration::from_secs(1));
    config
}

#[tokio::test]
async fn a_handshake_without_an_answer_fails_in_time_and_is_made_again() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => Answer::Hang,
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).config(impatient()).build().unwrap();
    let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::Timeout);
    arrive(&client, State::Connected).await;
    assert_eq!(server.on("/meta/handshake").len(), 2);
}

over_both!(a_held_connect_without_an_answer_is_given_up_and_the_session_goes_on);

async fn a_held_connect_without_an_answer_is_given_up_and_the_session_goes_on(
    transport: ConnectionType,
) {
    let server = TestServer::start(|config| {
        brisk(config);
        config.websocket.max_interval = AGES;
        config.long_polling.max_interval = AGES;
    })
    .await;
    let link = Link::to(server.address).await;
    let builder = BayeuxClient::builder().url(&link.url()).transports(&[transport]);
    let client = builder.config(impatient()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let mut states = client.states();
    link.silence(true);
    within("the loss", states.wait_for(|one| *one == State::Unconnected)).await.unwrap();
    link.cut();
    link.silence(false);
    within("the return", states.wait_for(|one| *one == State::Connected)).await.unwrap();
    within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
    assert_eq!(server.server.sessions().len(), 1);
}

#[tokio::test]
async fn a_server_that_answers_no_ping_is_noticed_before_anything_is_overdue() {
    let server = TestServer::start(|_| {}).await;
    let link = Link::to(server.address).await;
    let mut network = NetworkConfig::default();
    network.ping_interval = Some(Duration::from_millis(50));
    network.ping_timeout = Duration::from_secs(2);
    let mut config = brisk_client();
    config.max_network_delay = Some(2 * DEADLINE);
    let transports = [WebSocket];
    let builder = BayeuxClient::builder().url(&link.url()).transports(&transports);
    let client = builder.config(config).network(network).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    link.silence(true);
    let publish = client.channel("/a").unwrap().publish(json!(1));
    let error = failure(within("the publish", publish).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::Closed, "{error}");
    assert!(error.reason.contains("no ping within 2s"), "{error}");
    link.cut();
    link.silence(false);
    arrive(&client, State::Connected).await;
    within("publish", client.channel("/a").unwrap().publish(json!(2))).await.unwrap();
    assert_eq!(server.server.sessions().len(), 1);
}

#[tokio::test]
async fn a_session_that_the_server_has_forgotten_by_now_is_started_again() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => {
            let mut reply = reply(&messages[0]);
            reply["advice"] = json!({ "interval": 0, "timeout": 0, "maxInterval": 200 });
            answer(&[reply])
        }
        _ if messages[0]["clientId"] == "client" && nth < 100 => body(503, ""),
        _ => {
            let mut reply = reply(&messages[0]);
            reply["clientId"] = json!("another");
            reply["advice"] = json!({ "interval": 0, "timeout": 60_000 });
            if has(&messages, "/meta/handshake") { answer(&[reply]) } else { ordinary(&messages) }
        }
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    server.until("/meta/handshake", 2).await;
    arrive(&client, State::Connected).await;
    let times = server.times("/meta/handshake");
    assert!(times[1] - times[0] >= Duration::from_millis(150), "{:?}", times[1] - times[0]);
}

#[tokio::test]
async fn a_disconnect_without_an_answer_ends_the_client_all_the_same() {
    for transport in [WebSocket, LongPolling] {
        let server = Scripted::start_with_websocket(
            |_| Upgrade::Accept,
            |_, messages| match has(&messages, "/meta/disconnect") {
                true => Answer::Hang,
                false => ordinary(&messages),
            },
        )
        .await;
        let builder = BayeuxClient::builder().url(&server.url()).transports(&[transport]);
        let client = builder.config(impatient()).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let error = failure(within("the disconnect", client.disconnect()).await.unwrap_err());
        assert_eq!(error.kind, FailureKind::Timeout);
        arrive(&client, State::Disconnected).await;
        assert_eq!(server.on("/meta/disconnect").len(), 1);
    }
}

#[tokio::test]
async fn messages_that_were_to_come_with_the_handshake_are_not_waited_for_without_end() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => {
            let mut reply = reply(&messages[0]);
            reply["x-messages"] = json!(1_000_000);
            answer(&[reply])
        }
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).config(impatient()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    eventually("the connection", || client.state() == State::Connected).await;
}

#[tokio::test]
async fn what_waits_behind_a_publish_without_an_answer_is_sent_when_that_is_given_up() {
    let server = Scripted::start(|_, messages| match has(&messages, "/a") {
        true => Answer::Hang,
        false => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).config(impatient()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let first = client.channel("/a").unwrap().publish(json!(1));
    let second = client.channel("/b").unwrap().publish(json!(2));
    let error = failure(within("the first", first).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::Timeout);
    within("the second", second).await.unwrap();
    assert_eq!(server.on("/b").len(), 1);
}
