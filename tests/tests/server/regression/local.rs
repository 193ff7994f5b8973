//! What once went wrong with local sessions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message,
    client::{ClientSessionChannel, MessageListener},
    server::{ServerExtension, ServerMessage, ServerSession, SessionListener},
};
use futures_util::FutureExt as _;
use serde_json::json;
use tests::{TestServer, eventually, within};
use tokio::sync::Notify;

/// Panics at the first message, and tells of the others.
#[derive(Debug, Default)]
struct PanicsOnce {
    has_panicked: AtomicBool,
    heard: Notify,
}

#[async_trait]
impl MessageListener for PanicsOnce {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, _message: &Message) {
        assert!(self.has_panicked.swap(true, Ordering::Relaxed), "of the test");
        self.heard.notify_one();
    }
}

#[tokio::test]
async fn a_subscriber_of_a_local_session_that_panics_gets_the_next_message() {
    let server = TestServer::start(|_| {}).await;
    let local = server.server.new_local_session("l");
    local.handshake(Message::default()).await.unwrap();
    let listener = Arc::new(PanicsOnce::default());
    local.channel("/a").unwrap().subscribe(listener.clone()).await.unwrap().keep();
    let session = local.server_session().unwrap();
    for data in 0..2 {
        session.deliver(None, Message::with_data("/a", json!(data))).await;
    }
    within("the second message", listener.heard.notified()).await;
}

/// Waits with new sessions until it may go on.
#[derive(Debug, Default)]
struct Waits(Notify);

#[async_trait]
impl SessionListener for Waits {
    async fn session_added(&self, _session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        self.0.notified().await;
    }
}

#[tokio::test]
async fn a_local_handshake_whose_caller_goes_is_done_all_the_same() {
    let server = TestServer::start(|_| {}).await;
    let waits = Arc::new(Waits::default());
    server.server.add_session_listener(waits.clone()).keep();
    let local = server.server.new_local_session("l");
    assert!(local.handshake(Message::default()).now_or_never().is_none());
    waits.0.notify_one();
    eventually("the handshake", || local.is_connected()).await;
}

/// Deletes all that goes out.
#[derive(Debug)]
struct Deletes;

#[async_trait]
impl ServerExtension for Deletes {
    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        _message: &mut Message,
    ) -> Flow {
        Flow::Stop
    }
}

#[tokio::test]
async fn a_local_handshake_that_fails_leaves_no_session() {
    let server = TestServer::start(|_| {}).await;
    server.server.add_extension(Arc::new(Deletes)).keep();
    let local = server.server.new_local_session("l");
    local.handshake(Message::default()).await.unwrap_err();
    assert!(server.server.sessions().is_empty());
}
