//! What the WebSocket connections of one session may do, apart from what the server is configured for.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::api::server::{
    ConnectionLimits, ServerMessage, ServerSession, ServerSessionListener, SessionListener,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tests::{Arrival, TestServer, Transport, hooks::Log, open_websocket, upgrade_request, within};
use tokio_tungstenite::tungstenite::Message as Frame;

/// Limits the connections of all sessions, and hears when they are lost.
#[derive(Debug)]
struct Limits(ConnectionLimits, Log);

#[async_trait]
impl SessionListener for Limits {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        session.set_connection_limits(self.0);
        session.add_listener(Arc::new(Lost(self.1.clone()))).keep();
    }
}

#[derive(Debug)]
struct Lost(Log);

#[async_trait]
impl ServerSessionListener for Lost {
    async fn connection_lost(&self, _session: &Arc<dyn ServerSession>) {
        self.0.add("lost");
    }
}

#[tokio::test]
async fn a_session_may_send_larger_messages_than_others() {
    let server = TestServer::start(|config| config.websocket.max_message_size = 2000).await;
    let mut limits = ConnectionLimits::default();
    limits.max_message_size = Some(20_000);
    let registration = server.server.add_session_listener(Arc::new(Limits(limits, Log::default())));
    let mut client = server.connected(Transport::WebSocket).await;
    let reply = client.publish("/a", json!("x".repeat(10_000))).await;
    assert_eq!(reply["successful"], true);
    drop(registration);
    let mut other = server.connected(Transport::WebSocket).await;
    let message = other.message("/a", &json!({ "data": "x".repeat(10_000) }));
    other.send(&[message]);
    assert!(matches!(other.arrival().await, Arrival::Closed { code: 1009, .. }));
}

#[tokio::test]
async fn a_session_is_lost_whose_peer_is_silent_though_the_server_pings_nobody() {
    let server = TestServer::start(|_| {}).await;
    let (mut limits, log) = (ConnectionLimits::default(), Log::default());
    limits.silence = Some(Duration::from_millis(500));
    server.server.add_session_listener(Arc::new(Limits(limits, log.clone()))).keep();
    let request = upgrade_request(server.address, http::Version::HTTP_11, "/");
    let (mut socket, _) = open_websocket(server.address, request).await.unwrap();
    let handshake = json!([{ "channel": "/meta/handshake", "version": "1.0" }]);
    socket.send(Frame::text(handshake.to_string())).await.unwrap();
    // It answers pings while it is read.
    let reply = within("the reply", socket.next()).await.unwrap().unwrap();
    assert!(reply.to_text().unwrap().contains("clientId"));
    log.until("lost").await;
    assert_eq!(server.server.sessions().len(), 1, "the session has not ended");
}
