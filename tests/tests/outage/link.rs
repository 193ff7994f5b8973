//! Connections that are cut or fall silent, and servers that are started again.

use std::time::Duration;

use bayeux_client::{
    BayeuxClient, Config, State,
    api::{
        ConnectionType::{self, LongPolling, WebSocket},
        client::FailureKind,
    },
};
use serde_json::{Value, json};
use tests::{
    TestServer, arrive, brisk_client, eventually, over_both,
    scripted::{Answer, Link, Scripted, ordinary, replies},
    within,
};

use crate::answers::{connected, failure, has};

/// Returns a client that comes over `link` and is connected.
async fn over(link: &Link, transport: ConnectionType, config: Config) -> BayeuxClient {
    let builder = BayeuxClient::builder().url(&link.url()).transports(&[transport]);
    let client = builder.config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    client
}

over_both!(
    a_session_goes_on_over_a_new_connection,
    a_silent_connection_is_given_up_and_the_session_goes_on,
    a_server_that_is_started_again_gets_a_new_session_with_its_subscriptions,
    a_publish_that_is_under_way_when_the_server_goes_fails_and_is_not_repeated,
    nothing_is_lost_or_doubled_wherever_the_connection_is_cut,
    what_goes_ahead_is_neither_lost_nor_doubled_wherever_the_connection_is_cut,
    a_publish_comes_at_most_once_wherever_its_answer_is_cut,
);

async fn a_session_goes_on_over_a_new_connection(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let link = Link::to(server.address).await;
    let client = over(&link, transport, brisk_client()).await;
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    let mut states = client.states();
    for number in 0..3 {
        link.cut();
        within("the loss", states.wait_for(|state| *state == State::Unconnected)).await.unwrap();
        within("the return", states.wait_for(|state| *state == State::Connected)).await.unwrap();
        within("publish", channel.publish(json!(number))).await.unwrap();
        assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!(number));
    }
    assert_eq!(server.server.sessions().len(), 1);
}

async fn a_silent_connection_is_given_up_and_the_session_goes_on(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let link = Link::to(server.address).await;
    let delay = Some(Duration::from_secs(1));
    let mut config = brisk_client();
    config.max_network_delay = delay;
    let client = over(&link, transport, config).await;
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    link.silence(true);
    let error = failure(within("publish", channel.publish(json!(1))).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::Timeout, "{error}");
    assert!(error.reason.contains("1000 ms"), "{error}");
    link.cut();
    link.silence(false);
    arrive(&client, State::Connected).await;
    within("publish", channel.publish(json!(2))).await.unwrap();
    assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!(2));
    assert_eq!(server.server.sessions().len(), 1);
}

async fn a_server_that_is_started_again_gets_a_new_session_with_its_subscriptions(
    transport: ConnectionType,
) {
    let first = TestServer::start(|_| {}).await;
    let link = Link::to(first.address).await;
    let client = over(&link, transport, brisk_client()).await;
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    let mut states = client.states();
    states.mark_unchanged();
    link.refuse(true);
    drop(first);
    link.cut();
    within("the loss", states.wait_for(|state| *state != State::Connected)).await.unwrap();
    let second = TestServer::start(|_| {}).await;
    link.lead_to(second.address);
    link.refuse(false);
    eventually("a new session", || !second.server.sessions().is_empty()).await;
    arrive(&client, State::Connected).await;
    within("publish", channel.publish(json!("again"))).await.unwrap();
    assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!("again"));
    assert_eq!(second.server.sessions().len(), 1);
    within("disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
}

async fn a_publish_that_is_under_way_when_the_server_goes_fails_and_is_not_repeated(
    transport: ConnectionType,
) {
    let first = TestServer::start(|_| {}).await;
    let link = Link::to(first.address).await;
    let client = over(&link, transport, brisk_client()).await;
    let second = TestServer::start(|_| {}).await;
    let mut subscriber = second.connected(tests::Transport::InProcess).await;
    subscriber.subscribe("/a").await;
    let channel = client.channel("/a").unwrap();
    // The answer is kept back, and then the server is gone.
    link.cut_after(0);
    let publish = channel.publish(json!("first"));
    link.was_cut().await;
    link.lead_to(second.address);
    drop(first);
    let error = failure(within("publish", publish).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::Closed, "{error}");
    eventually("a new session", || second.server.sessions().len() == 2).await;
    arrive(&client, State::Connected).await;
    within("publish", channel.publish(json!("second"))).await.unwrap();
    assert_eq!(subscriber.message_on("/a").await["data"], "second");
}

async fn nothing_is_lost_or_doubled_wherever_the_connection_is_cut(transport: ConnectionType) {
    lose_nothing(transport, false).await;
}

async fn what_goes_ahead_is_neither_lost_nor_doubled_wherever_the_connection_is_cut(
    transport: ConnectionType,
) {
    lose_nothing(transport, true).await;
}

async fn lose_nothing(transport: ConnectionType, ahead: bool) {
    let server = TestServer::start(|config| config.acknowledgements = true).await;
    let link = Link::to(server.address).await;
    let mut config = brisk_client();
    (config.acknowledgements, config.acknowledgements_ahead) = (true, ahead);
    let client = over(&link, transport, config).await;
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    let mut publisher = server.connected(tests::Transport::InProcess).await;
    let mut cuts = 0;
    // The frame with the message in it is about 110 bytes long, the response about 300.
    let step = if transport == WebSocket { 2 } else { 6 };
    for number in 0..60 {
        link.cut_after(1 + number * step);
        publisher.publish("/a", json!(number)).await;
        let message = within("the message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(number));
        if !link.take_cut() {
            cuts += 1;
        }
        arrive(&client, State::Connected).await;
    }
    assert!(cuts >= 20, "the connection was cut {cuts} times");
    assert!(messages.try_next().is_none());
    assert_eq!(server.server.sessions().len(), 2);
}

async fn a_publish_comes_at_most_once_wherever_its_answer_is_cut(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let link = Link::to(server.address).await;
    let client = over(&link, transport, brisk_client()).await;
    let mut subscriber = server.connected(tests::Transport::InProcess).await;
    subscriber.subscribe("/a").await;
    let channel = client.channel("/a").unwrap();
    let mut failed = 0;
    for number in 0..40 {
        link.cut_after(number * 6);
        let published = within("publish", channel.publish(json!(number))).await;
        link.take_cut();
        if let Err(error) = published {
            failed += 1;
            let error = failure(error);
            let kinds = [FailureKind::Closed, FailureKind::Invalid];
            assert!(kinds.contains(&error.kind), "{error:?} after {} bytes", number * 6);
        }
        // Its answer was cut, so it had come; and the next one does not come before it is.
        assert_eq!(subscriber.message_on("/a").await["data"], number);
        arrive(&client, State::Connected).await;
    }
    assert!(failed >= 5, "{failed} failed");
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_fails_the_publish_and_nothing_else() {
    let whole = 250;
    for most in 0..whole {
        let server = Scripted::start(move |_, messages| match has(&messages, "/a") {
            true => Answer::Cut(Value::from(replies(&messages)).to_string().into_bytes(), most),
            false => ordinary(&messages),
        })
        .await;
        let client = connected(&server).await;
        let publish = client.channel("/a").unwrap().publish(json!(1));
        if let Err(error) = within("the publish", publish).await {
            let error = failure(error);
            assert_eq!(error.kind, FailureKind::Closed, "{error} after {most} bytes");
        } else {
            assert!(most > 80, "there was an answer in {most} bytes");
        }
        assert_eq!(client.state(), State::Connected);
        assert_eq!(server.on("/a").len(), 1, "after {most} bytes");
        client.abort();
        if most > 120 {
            break;
        }
    }
}

#[tokio::test]
async fn a_websocket_is_not_left_for_an_outage() {
    let server = TestServer::start(|_| {}).await;
    let link = Link::to(server.address).await;
    let client = BayeuxClient::builder().url(&link.url()).config(brisk_client()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), WebSocket);
    link.refuse(true);
    link.cut();
    let mut states = client.states();
    within("the loss", states.wait_for(|state| *state == State::Unconnected)).await.unwrap();
    tokio::time::sleep(tests::scripted::WHILE).await;
    link.refuse(false);
    arrive(&client, State::Connected).await;
    assert_ne!(client.transport(), LongPolling);
    assert_eq!(server.server.sessions().len(), 1);
}
