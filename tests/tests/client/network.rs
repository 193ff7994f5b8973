//! Headers, cookies and hooks of HTTP, and listeners to the transports.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, FailureInfo, Http2, HttpHook, NetworkConfig, State, TransportListener,
    api::{
        ConnectionType, Flow, Message, Reconnect,
        client::{FailureKind, RequestError, TransportFailure},
    },
};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;
use tests::{TestServer, arrive, brisk_client, hooks, hooks::Log, within};

/// The transports that have a network.
const NETWORKS: [ConnectionType; 2] = [ConnectionType::WebSocket, ConnectionType::LongPolling];

/// Writes down a header of each handshake that reaches the server.
fn handshakes(server: &TestServer, header: &'static str) -> Log {
    let log = Log::default();
    let own = log.clone();
    let see = hooks::incoming(move |_, message| {
        if let Some(context) = message.context().filter(|_| message.is_handshake()) {
            own.add(context.header(header).unwrap_or("none"));
        }
        Flow::Continue
    });
    server.server.add_extension(see).keep();
    log
}

#[tokio::test]
async fn configured_headers_are_in_the_requests() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let log = handshakes(&server, "x-tenant");
        let mut network = NetworkConfig::default();
        network.headers.insert("x-tenant", HeaderValue::from_static("blue"));
        let client = server.builder(transport).network(network).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        assert_eq!(log.entries(), ["blue"]);
    }
}

/// Numbers the requests, and stops the first responses.
#[derive(Debug, Default)]
struct Numbers {
    requests: AtomicU32,
    stops: AtomicU32,
}

#[async_trait]
impl HttpHook for Numbers {
    async fn request(&self, headers: &mut HeaderMap) {
        let number = self.requests.fetch_add(1, SeqCst) + 1;
        headers.insert("x-number", number.into());
    }

    fn response(&self, _status: StatusCode, _headers: &HeaderMap) -> Flow {
        let left = self.stops.load(SeqCst);
        if left == 0 {
            return Flow::Continue;
        }
        self.stops.store(left - 1, SeqCst);
        Flow::Stop
    }
}

#[tokio::test]
async fn a_hook_changes_requests_and_stops_responses() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let log = handshakes(&server, "x-number");
        let hook = Numbers { stops: AtomicU32::new(1), ..Numbers::default() };
        let mut network = NetworkConfig::default();
        network.hook = Some(Arc::new(hook));
        let builder = server.builder(transport).network(network).config(brisk_client());
        let client = builder.build().unwrap();
        let Err(RequestError::Failed(failure)) = within("handshake", client.handshake()).await
        else {
            panic!("the hook did not stop it")
        };
        assert_eq!(failure.kind, FailureKind::Aborted);
        log.until("2").await;
        arrive(&client, State::Connected).await;
    }
}

#[tokio::test]
async fn cookies_are_kept_and_sent_and_forgotten_with_the_session() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let log = handshakes(&server, "cookie");
        let client = server.builder(transport).build().unwrap();
        client.put_cookie("flavour=oat; Path=/");
        assert_eq!(client.cookie("flavour").unwrap(), "oat");
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        assert_eq!(log.entries(), ["flavour=oat"]);
        if transport == ConnectionType::LongPolling {
            assert!(client.cookie("BAYEUX_BROWSER").is_some());
        }
        within("the disconnect", client.disconnect()).await.unwrap();
        arrive(&client, State::Disconnected).await;
        assert_eq!(client.cookie("flavour"), None);
    }
}

#[tokio::test]
async fn long_polling_goes_over_http2_too() {
    let server = TestServer::start(|_| {}).await;
    let mut network = NetworkConfig::default();
    network.http2 = Http2::PriorKnowledge;
    let builder = server.builder(ConnectionType::LongPolling).network(network);
    let client = builder.build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    for number in 0..10 {
        within("publish", chat.publish(json!(number))).await.unwrap();
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(number));
    }
    within("the disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
}

#[tokio::test]
async fn of_several_servers_the_next_is_asked_when_one_is_gone() {
    for transport in NETWORKS {
        let gone = TestServer::start(|_| {}).await;
        let (server, other) = (TestServer::start(|_| {}).await, gone.url());
        gone.server.stop();
        gone.served().await;
        let builder = BayeuxClient::builder().transports(&[transport]).config(brisk_client());
        let client = builder.url(&other).url(&server.url()).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        assert_eq!(client.url().as_str(), server.url());
        arrive(&client, State::Connected).await;
    }
}

/// Sends a client elsewhere when it fails.
#[derive(Debug)]
struct Redirects(String, Log);

impl TransportListener for Redirects {
    fn failure(&self, failure: &TransportFailure, requests: &[Message]) {
        self.1.add(format!("{:?} {}", failure.kind, requests[0].channel()));
    }

    fn transport_failure(&self, info: &mut FailureInfo) {
        assert_eq!(info.action, Reconnect::Handshake);
        info.url = self.0.parse().unwrap();
        info.delay = Duration::ZERO;
    }
}

#[tokio::test]
async fn a_listener_may_change_the_address() {
    for transport in NETWORKS {
        let gone = TestServer::start(|_| {}).await;
        let builder = gone.builder(transport);
        gone.server.stop();
        gone.served().await;
        let server = TestServer::start(|_| {}).await;
        let client = builder.build().unwrap();
        let log = Log::default();
        let redirects = Redirects(server.url(), log.clone());
        client.add_transport_listener(Arc::new(redirects)).keep();
        // Nor did the handshake fail: it went on elsewhere at once.
        within("the handshake", client.handshake()).await.unwrap();
        assert_eq!(client.url().as_str(), server.url());
        assert_eq!(log.entries(), ["Unreachable /meta/handshake"]);
    }
}

/// Waits on once for a late reply, and then no more.
#[derive(Debug)]
struct Patience(Log);

impl TransportListener for Patience {
    fn timeout(&self, requests: &[Message]) -> Option<Duration> {
        if requests[0].channel() != "/slow" {
            return None;
        }
        self.0.add("late");
        (self.0.entries().len() == 1).then_some(Duration::from_millis(50))
    }
}

#[tokio::test]
async fn a_late_reply_is_waited_for_as_long_as_a_listener_says() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let mut service = server.server.new_service("slow").await.unwrap();
        service.on_message("/slow", async |_| std::future::pending().await).unwrap();
        let mut config = brisk_client();
        config.max_network_delay = Some(Duration::from_secs(1));
        let client = server.builder(transport).config(config).build().unwrap();
        let log = Log::default();
        let patience = Patience(log.clone());
        client.add_transport_listener(Arc::new(patience)).keep();
        within("the handshake", client.handshake()).await.unwrap();
        let published = client.channel("/slow").unwrap().publish(json!(1));
        let Err(RequestError::Failed(failure)) = within("the publish", published).await else {
            panic!("nobody answers")
        };
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert_eq!(log.entries(), ["late", "late"]);
        client.abort();
    }
}

#[tokio::test]
async fn a_response_that_is_too_large_fails() {
    for transport in NETWORKS {
        let server = TestServer::start(|_| {}).await;
        let mut network = NetworkConfig::default();
        network.max_message_size = 2000;
        let builder = server.builder(transport).network(network).config(brisk_client());
        let client = builder.build().unwrap();
        let log = Log::default();
        client.add_transport_listener(Arc::new(Failures(log.clone()))).keep();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        let session = server.server.sessions().remove(0);
        session.deliver(Message::with_data("/a", json!("x".repeat(2000)))).await;
        log.until("TooLarge").await;
        client.abort();
    }
}

#[derive(Debug)]
struct Failures(Log);

impl TransportListener for Failures {
    fn failure(&self, failure: &TransportFailure, _requests: &[Message]) {
        self.0.add(format!("{:?}", failure.kind));
    }
}
