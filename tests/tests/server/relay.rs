//! What goes from one client to another: not what only a server may say.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Message,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::{Value, json};
use tests::{TestServer, Transport, over_every_transport};

over_every_transport!(
    what_only_a_server_may_say_reaches_no_other_client,
    nor_by_the_servers_own_code_that_passes_it_on,
    nor_in_a_batch_or_in_a_message_that_an_extension_moves,
    the_servers_own_code_may_say_it,
);

/// A publication that says all that a server may, in members that mean nothing.
fn says_it_all(data: u64) -> Value {
    json!({
        "data": data,
        "advice": { "note": 1 },
        "successful": true,
        "error": "note",
        "version": "note",
        "minimumVersion": "note",
        "supportedConnectionTypes": ["note"],
        "connectionType": "note",
        "subscription": "/note",
        "timestamp": "note",
        "x-messages": 7,
        "ext": { "note": 1 },
        "more": true,
    })
}

fn relayed(channel: &str, data: u64) -> Value {
    json!({ "channel": channel, "data": data, "ext": { "note": 1 }, "more": true })
}

async fn what_only_a_server_may_say_reaches_no_other_client(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let mut publisher = server.handshaken(transport).await;
    let reply = publisher.request("/a", says_it_all(1)).await;
    assert_eq!((&reply["successful"], reply.get("advice")), (&json!(true), None));
    assert_eq!(subscriber.message_on("/a").await, relayed("/a", 1));
}

/// Passes what it hears on, to one session and to a channel.
#[derive(Debug)]
struct PassesOn(Arc<dyn ServerSession>, Arc<dyn ServerChannel>);

#[async_trait]
impl ServerChannelListener for PassesOn {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let heard: &Message = message;
        let mut alone = heard.clone();
        (alone.client_id, alone.id) = (None, None);
        alone.channel = Some("/alone".to_owned());
        self.0.deliver(None, alone).await;
        self.1.publish(None, heard.clone()).await.unwrap();
        Flow::Continue
    }
}

async fn nor_by_the_servers_own_code_that_passes_it_on(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let service = server.server.create_channel_if_absent("/service/a").unwrap().channel();
    let channel = server.server.channel("/a").unwrap();
    service.add_listener(Arc::new(PassesOn(server.session(&subscriber), channel))).keep();
    let mut publisher = server.handshaken(transport).await;
    publisher.request("/service/a", says_it_all(1)).await;
    assert_eq!(subscriber.message_on("/alone").await, relayed("/alone", 1));
    assert_eq!(subscriber.message_on("/a").await, relayed("/a", 1));
}

async fn nor_in_a_batch_or_in_a_message_that_an_extension_moves(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    server.server.add_extension(Arc::new(Moves)).keep();
    let mut publisher = server.handshaken(transport).await;
    let batch: Vec<_> = [("/a", 1), ("/meta/moved", 2)]
        .into_iter()
        .map(|(channel, data)| publisher.message(channel, &says_it_all(data)))
        .collect();
    publisher.batch(&batch).await;
    for data in [1, 2] {
        assert_eq!(subscriber.message_on("/a").await, relayed("/a", data));
    }
}

/// Moves what is on a meta channel of its own to another channel.
#[derive(Debug)]
struct Moves;

#[async_trait]
impl bayeux_server::api::server::ServerExtension for Moves {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        if message.channel() == "/meta/moved" {
            message.channel = Some("/a".to_owned());
        }
        Flow::Continue
    }
}

async fn the_servers_own_code_may_say_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    let mut message = Message::with_data("/a", json!(1));
    message.timestamp = Some("note".to_owned());
    let channel = server.server.channel("/a").unwrap();
    channel.publish(message).await.unwrap();
    let expected = json!({ "channel": "/a", "data": 1, "timestamp": "note" });
    assert_eq!(subscriber.message_on("/a").await, expected);
}
