//! Hooks of the application that panic.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message,
    server::{
        BayeuxServer as _, ChannelListener, Removal, ServerChannel, ServerChannelListener,
        ServerMessage, ServerSession, ServerSessionListener, SessionListener,
    },
};
use serde_json::json;
use tests::{Arrival, Client, TestServer, Transport, brisk, eventually, over_every_transport};

over_every_transport!(
    one_that_panics_fails_its_request_and_nothing_else,
    one_that_panics_after_a_wait_fails_its_request_and_nothing_else,
    one_that_panics_while_messages_are_sent_fails_that,
    one_that_is_told_of_a_new_session_leaves_it_its_deadline,
    one_that_is_told_of_the_end_of_a_session_does_not_keep_it,
    one_that_is_told_of_a_held_connect_changes_nothing,
);

/// A listener that panics, at once or after it has waited.
#[derive(Debug)]
struct Panics {
    waits: bool,
}

#[async_trait]
impl ServerChannelListener for Panics {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        if self.waits {
            tokio::task::yield_now().await;
        }
        panic!("of the test")
    }
}

async fn one_that_panics_fails_its_request_and_nothing_else(transport: Transport) {
    fails_its_request(transport, Panics { waits: false }).await;
}

async fn one_that_panics_after_a_wait_fails_its_request_and_nothing_else(transport: Transport) {
    fails_its_request(transport, Panics { waits: true }).await;
}

async fn fails_its_request(transport: Transport, listener: Panics) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a", &|_| {}).unwrap().channel();
    let panics = channel.add_listener(Arc::new(listener));
    let mut client = server.connected(transport).await;
    let publish = client.message("/a", &json!({ "id": "p", "data": 1 }));
    client.send(&[publish]);
    is_told(&mut client, transport).await;
    assert!(server.session(&client).is_connected());
    eventually("the connection to be gone", || server.server.statistics().websockets == 0).await;
    drop(panics);
    let mut other = server.connected(transport).await;
    other.subscribe("/a").await;
    other.publish("/a", json!(2)).await;
    assert_eq!(other.message_on("/a").await["data"], 2);
}

async fn is_told(client: &mut Client, transport: Transport) {
    let code = match client.arrival().await {
        Arrival::Refused { status, .. } => status,
        Arrival::Closed { code, .. } => code,
        other @ (Arrival::Messages(_) | Arrival::Lost) => panic!("{other:?}"),
    };
    assert_eq!(code, if transport.pushes() { 1011 } else { 500 });
}

/// Panics when messages are about to be sent.
#[derive(Debug)]
struct PanicsWhenSent;

impl ServerSessionListener for PanicsWhenSent {
    fn de_queue(
        &self,
        _session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        _replies: &mut Vec<Message>,
    ) {
        assert!(queue.is_empty(), "of the test");
    }
}

async fn one_that_panics_while_messages_are_sent_fails_that(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    session.add_listener(Arc::new(PanicsWhenSent)).keep();
    client.hold().await;
    session.deliver(None, Message::with_data("/a", json!(1))).await;
    is_told(&mut client, transport).await;
    eventually("the connection to be gone", || server.server.statistics().websockets == 0).await;
    assert!(session.is_handshook());
    assert_eq!(session.queue_depth().messages, 1);
    assert_eq!(server.server.statistics().held_connects, 0);
}

/// Panics whenever it is told of a session or a channel.
#[derive(Debug)]
struct PanicsWhenTold;

#[async_trait]
impl SessionListener for PanicsWhenTold {
    async fn session_added(&self, _session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        panic!("of the test")
    }

    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        panic!("of the test")
    }
}

#[async_trait]
impl ServerSessionListener for PanicsWhenTold {
    fn suspended(&self, _session: &Arc<dyn ServerSession>, _timeout: Duration) {
        panic!("of the test")
    }

    fn resumed(&self, _session: &Arc<dyn ServerSession>, _timed_out: bool) {
        panic!("of the test")
    }

    async fn removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        panic!("of the test")
    }
}

impl ChannelListener for PanicsWhenTold {
    fn channel_removed(&self, _id: &str) {
        panic!("of the test")
    }
}

async fn one_that_is_told_of_a_new_session_leaves_it_its_deadline(transport: Transport) {
    let server = TestServer::start(brisk).await;
    server.server.add_session_listener(Arc::new(PanicsWhenTold)).keep();
    let mut client = server.client(transport).await;
    let handshake = client.message("/meta/handshake", &json!({ "version": "1.0" }));
    client.send(&[handshake]);
    is_told(&mut client, transport).await;
    eventually("the session to expire", || server.server.sessions().is_empty()).await;
}

async fn one_that_is_told_of_the_end_of_a_session_does_not_keep_it(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    session.add_listener(Arc::new(PanicsWhenTold)).keep();
    server.server.add_session_listener(Arc::new(PanicsWhenTold)).keep();
    session.set_max_interval(Some(Duration::from_millis(50)));
    client.connect().await;
    let channel = server.server.channel("/a").unwrap();
    eventually("the session to expire", || channel.subscribers().is_empty()).await;
    assert!(!session.is_handshook());
}

async fn one_that_is_told_of_a_held_connect_changes_nothing(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    server.session(&client).add_listener(Arc::new(PanicsWhenTold)).keep();
    assert_eq!(client.connect().await["successful"], true);
    assert_eq!(server.server.statistics().held_connects, 0);
}

#[tokio::test]
async fn one_that_is_told_of_a_swept_channel_does_not_stop_the_sweeper() {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(Transport::WebSocket).await;
    server.server.add_channel_listener(Arc::new(PanicsWhenTold)).keep();
    for channel in ["/a", "/b"] {
        client.publish(channel, json!(1)).await;
        eventually("the channel to go", || server.server.channel(channel).is_none()).await;
    }
}
