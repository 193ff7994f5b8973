//! What a `TransportListener` hears of failures, and has changed about them.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use bayeux_client::{
    BayeuxClient, FailureInfo, State, TransportListener,
    api::{
        ConnectionType::{LongPolling, WebSocket},
        Message, Reconnect,
        client::{FailureKind, TransportFailure},
    },
};
use serde_json::json;
use tests::{
    arrive, brisk_client, eventually,
    scripted::{Answer, Scripted, Upgrade, answer, body, ordinary, replies},
    within,
};

use crate::answers::{builder, failure, has};

type Change = Box<dyn Fn(&mut FailureInfo) + Send + Sync>;

/// Writes down what it hears, changes failures, and grants more time as often as it has some.
struct Listener {
    heard: Mutex<Vec<String>>,
    change: Change,
    more: Mutex<VecDeque<Duration>>,
}

impl Listener {
    fn new(change: impl Fn(&mut FailureInfo) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { heard: Mutex::default(), change: Box::new(change), more: Mutex::default() })
    }

    fn hear(&self, what: &str, messages: &[Message]) {
        let channels: Vec<_> = messages.iter().map(Message::channel).collect();
        self.heard.lock().unwrap().push(format!("{what} {}", channels.join(",")));
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn count(&self, what: &str) -> usize {
        self.heard().iter().filter(|heard| *heard == what).count()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl TransportListener for Listener {
    fn sending(&self, messages: &[Message]) {
        self.hear("sending", messages);
    }

    fn messages(&self, messages: &[Message]) {
        self.hear("messages", messages);
    }

    fn failure(&self, _failure: &TransportFailure, requests: &[Message]) {
        self.hear("failure", requests);
    }

    fn transport_failure(&self, info: &mut FailureInfo) {
        self.hear("transport failure", &[]);
        (self.change)(info);
    }

    fn timeout(&self, requests: &[Message]) -> Option<Duration> {
        self.hear("timeout", requests);
        self.more.lock().unwrap().pop_front()
    }
}

#[tokio::test]
async fn every_step_is_told_in_its_order() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => body(500, ""),
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let listener = Listener::new(|_| {});
    client.add_transport_listener(listener.clone()).keep();
    within("the handshake", client.handshake()).await.unwrap_err();
    arrive(&client, State::Connected).await;
    eventually("the second connect", || listener.count("sending /meta/connect") == 2).await;
    assert_eq!(
        listener.heard(),
        [
            "sending /meta/handshake",
            "failure /meta/handshake",
            "transport failure ",
            "sending /meta/handshake",
            "messages /meta/handshake",
            "sending /meta/connect",
            "messages /meta/connect",
            "sending /meta/connect",
        ]
    );
}

#[tokio::test]
async fn a_listener_sends_the_client_to_another_address() {
    let good = Scripted::start(|_, messages| ordinary(&messages)).await;
    let bad = Scripted::start(|_, _| body(401, "")).await;
    let client = builder(&bad.url()).build().unwrap();
    let url = good.url().parse::<http::Uri>().unwrap().to_string();
    let listener = Listener::new(move |info| {
        assert_eq!(info.action, Reconnect::None);
        info.url.set_port(url.parse::<http::Uri>().unwrap().port_u16()).unwrap();
        info.action = Reconnect::Handshake;
        info.delay = Duration::ZERO;
    });
    client.add_transport_listener(listener.clone()).keep();
    // It belongs to the same attempt.
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.url().as_str(), good.url());
    assert_eq!(bad.asked().len(), 1);
}

#[tokio::test]
async fn a_listener_changes_the_transport() {
    let server = Scripted::start_with_websocket(
        |_| Upgrade::Accept,
        |_, messages| match has(&messages, "/meta/connect") {
            true if messages[0]["connectionType"] == "websocket" => Answer::Close(1011),
            _ => ordinary(&messages),
        },
    )
    .await;
    let client = BayeuxClient::builder().url(&server.url()).config(brisk_client());
    let client = client.build().unwrap();
    client
        .add_transport_listener(Listener::new(|info| {
            assert_eq!(info.failure.connection_type, WebSocket);
            info.transport = Some(LongPolling);
        }))
        .keep();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), LongPolling);
}

#[tokio::test]
async fn a_listener_ends_the_client() {
    let server = Scripted::start(|_, messages| match has(&messages, "/meta/connect") {
        true => body(503, ""),
        false => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    client.add_transport_listener(Listener::new(|info| info.action = Reconnect::None)).keep();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Disconnected).await;
    assert_eq!(server.on("/meta/connect").len(), 1);
}

#[tokio::test]
async fn a_listener_has_the_session_started_again() {
    let server = Scripted::start(|nth, messages| match nth {
        1 => body(503, ""),
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    client.add_transport_listener(Listener::new(|info| info.action = Reconnect::Handshake)).keep();
    within("the handshake", client.handshake()).await.unwrap();
    server.until("/meta/handshake", 2).await;
    arrive(&client, State::Connected).await;
}

#[tokio::test]
async fn a_listener_changes_the_delay() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => body(503, ""),
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let listener = Listener::new(|info| info.delay = Duration::from_millis(500));
    client.add_transport_listener(listener).keep();
    within("the handshake", client.handshake()).await.unwrap_err();
    arrive(&client, State::Connected).await;
    let times = server.times("/meta/handshake");
    assert!(times[1] - times[0] >= Duration::from_millis(500));
}

#[tokio::test]
async fn a_listener_grants_more_time_once() {
    let server = Scripted::start(|_, messages| match has(&messages, "/a") {
        true => Answer::Hang,
        false => ordinary(&messages),
    })
    .await;
    let delay = Some(Duration::from_secs(1));
    let mut config = brisk_client();
    config.max_network_delay = delay;
    let client = builder(&server.url()).config(config).build().unwrap();
    let listener = Listener::new(|_| {});
    listener.more.lock().unwrap().push_back(Duration::from_millis(400));
    client.add_transport_listener(listener.clone()).keep();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let start = std::time::Instant::now();
    let publish = client.channel("/a").unwrap().publish(json!(1));
    let error = failure(within("the publish", publish).await.unwrap_err());
    assert_eq!(error.kind, FailureKind::Timeout);
    assert!(start.elapsed() >= Duration::from_millis(1400), "{:?}", start.elapsed());
    assert_eq!(listener.count("timeout /a"), 2);
    assert_eq!(server.on("/a").len(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_in_the_time_granted_counts() {
    let server = Scripted::start_with_websocket(
        |_| Upgrade::Accept,
        |nth, messages| match has(&messages, "/a") {
            // The next frame brings the answer to both.
            true => Answer::Hang,
            false if has(&messages, "/b") => {
                let mut late = json!({ "channel": "/a", "successful": true });
                late["id"] = json!(
                    (messages[0]["id"].as_str().unwrap().parse::<u64>().unwrap() - 2).to_string()
                );
                let mut all = replies(&messages);
                all.push(late);
                answer(&all)
            }
            false if nth > 100 => panic!("too many"),
            false => ordinary(&messages),
        },
    )
    .await;
    let delay = Some(Duration::from_secs(1));
    let mut config = brisk_client();
    config.max_network_delay = delay;
    let client = BayeuxClient::builder().url(&server.url()).config(config).build().unwrap();
    let listener = Listener::new(|_| {});
    listener.more.lock().unwrap().push_back(tests::AGES);
    client.add_transport_listener(listener.clone()).keep();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let publish = client.channel("/a").unwrap().publish(json!(1));
    eventually("the question", || listener.count("timeout /a") == 1).await;
    within("another", client.channel("/b").unwrap().publish(json!(2))).await.unwrap();
    within("the publish", publish).await.unwrap();
    assert_eq!(listener.count("timeout /a"), 1);
    assert_eq!(client.state(), State::Connected);
    client.abort();
}

#[tokio::test]
async fn a_listener_that_panics_takes_nothing_with_it() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => body(503, ""),
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    client.add_transport_listener(Listener::new(|_| panic!("as the test wants"))).keep();
    within("the handshake", client.handshake()).await.unwrap_err();
    arrive(&client, State::Connected).await;
}
