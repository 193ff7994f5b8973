//! A session's queue, and those who watch it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message,
    server::{DeQueueListener, Depth, Overflow, Removal, ServerSession, ServerSessionListener},
};
use serde_json::json;
use tests::{TestServer, Transport, every_transport, hooks::Log, over_every_transport};

over_every_transport!(
    queueing_and_sending_are_told,
    sending_is_told_also_when_there_is_nothing,
    a_listener_may_thin_out_what_is_sent,
    a_listener_may_change_the_replies,
    a_listener_may_thin_out_lazy_messages_too,
    a_listener_may_drop_a_message_for_its_session_alone,
    a_dropped_message_is_tried_again_by_another_channel,
    a_full_queue_asks_its_listener,
    a_listener_may_end_the_session_of_a_full_queue,
);

async fn queueing_and_sending_are_told(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.meta_connect_deliver_only = true);
    })
    .await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let log = Log::default();
    server.session(&client).add_listener(Arc::new(log.clone())).keep();
    server.session(&client).add_de_queue_listener(Arc::new(log.clone())).keep();
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    client.connect().await;
    assert_eq!(log.entries(), ["gets /a", "queued /a", "sends 1 messages, 1 replies"]);
}

async fn sending_is_told_also_when_there_is_nothing(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let log = Log::default();
    server.session(&client).add_de_queue_listener(Arc::new(log.clone())).keep();
    client.connect().await;
    assert_eq!(log.entries(), ["sends 0 messages, 1 replies"]);
}

/// Sends every second message only, and adds to each reply how many it left out.
#[derive(Debug)]
struct Thins;

impl DeQueueListener for Thins {
    fn de_queue(
        &self,
        _session: &Arc<dyn ServerSession>,
        queue: &mut Vec<Arc<Frozen>>,
        replies: &mut Vec<Message>,
    ) {
        let before = queue.len();
        let mut index = 0;
        queue.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        let left_out = before - queue.len();
        replies.iter_mut().for_each(|reply| reply.set_extra("leftOut", json!(left_out)));
    }
}

async fn a_listener_may_thin_out_what_is_sent(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.meta_connect_deliver_only = true);
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    session.add_de_queue_listener(Arc::new(Thins)).keep();
    for data in 0..5 {
        session.deliver(Message::with_data("/a", json!(data))).await;
    }
    client.connect().await;
    let sent: Vec<_> =
        client.received_on("/a").into_iter().map(|mut message| message["data"].take()).collect();
    assert_eq!(sent, [0, 2, 4]);
    assert_eq!(session.queue_depth(), Depth::default());
}

async fn a_listener_may_change_the_replies(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.meta_connect_deliver_only = true);
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    session.add_de_queue_listener(Arc::new(Thins)).keep();
    for data in 0..2 {
        session.deliver(Message::with_data("/a", json!(data))).await;
    }
    assert_eq!(client.connect().await["leftOut"], 1);
}

/// Does not let messages with this data through.
#[derive(Debug)]
struct Refuses(i64);

#[async_trait]
impl ServerSessionListener for Refuses {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        match message.data.as_ref().is_some_and(|data| *data == json!(self.0)) {
            true => Flow::Stop,
            false => Flow::Continue,
        }
    }
}

async fn a_listener_may_drop_a_message_for_its_session_alone(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut one = server.connected(transport).await;
    one.subscribe("/a").await;
    server.session(&one).add_listener(Arc::new(Refuses(1))).keep();
    let mut other = server.connected(transport).await;
    other.subscribe("/a").await;
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/a", json!(1)).await;
    publisher.publish("/a", json!(2)).await;
    assert_eq!(one.message_on("/a").await["data"], 2);
    assert_eq!(other.message_on("/a").await["data"], 1);
}

/// Drops each message the first time it is shown.
#[derive(Debug)]
struct SecondTry(Log);

#[async_trait]
impl ServerSessionListener for SecondTry {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        _message: &Frozen,
    ) -> Flow {
        self.0.add("shown");
        if self.0.count("shown") == 1 { Flow::Stop } else { Flow::Continue }
    }
}

async fn a_dropped_message_is_tried_again_by_another_channel(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    for channel in ["/**", "/a", "/*"] {
        client.subscribe(channel).await;
    }
    let log = Log::default();
    server.session(&client).add_listener(Arc::new(SecondTry(log.clone()))).keep();
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    client.message_on("/a").await;
    assert_eq!(log.count("shown"), 2);
}

/// Decides what a full queue does.
#[derive(Debug)]
struct Decides(Overflow, Log);

#[async_trait]
impl ServerSessionListener for Decides {
    fn queue_maxed(
        &self,
        _session: &Arc<dyn ServerSession>,
        depth: Depth,
        message: &Frozen,
    ) -> Option<Overflow> {
        self.1.add(format!("maxed at {} by {}", depth.messages, message.channel()));
        Some(self.0)
    }

    async fn removed(&self, _session: &Arc<dyn ServerSession>, removal: Removal) {
        self.1.add(format!("removed {removal:?}"));
    }
}

async fn a_full_queue_asks_its_listener(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.max_queue = 2;
            t.meta_connect_deliver_only = true;
        });
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    let log = Log::default();
    session.add_listener(Arc::new(Decides(Overflow::DropNewest, log.clone()))).keep();
    for data in 0..3 {
        let taken = session.deliver(Message::with_data("/a", json!(data))).await;
        assert_eq!(taken, data < 2);
    }
    assert_eq!(log.entries(), ["maxed at 2 by /a"]);
    client.connect().await;
    assert_eq!(client.received_on("/a").len(), 2);
}

async fn a_listener_may_end_the_session_of_a_full_queue(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.max_queue = 1;
            t.queue_overflow = Overflow::DropNewest;
            t.meta_connect_deliver_only = true;
        });
    })
    .await;
    let client = server.connected(transport).await;
    let session = server.session(&client);
    let log = Log::default();
    session.add_listener(Arc::new(Decides(Overflow::Disconnect, log.clone()))).keep();
    for data in 0..2 {
        session.deliver(Message::with_data("/a", json!(data))).await;
    }
    log.until("removed Overflowed").await;
    assert!(!session.is_handshook());
}

async fn a_listener_may_thin_out_lazy_messages_too(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let lazily =
        |channel: &bayeux_server::Channel| channel.set_lazy_timeout(Duration::from_millis(100));
    let channel = server.server.create_channel_if_absent_with("/a", lazily).unwrap().channel();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    session.add_de_queue_listener(Arc::new(Thins)).keep();
    client.hold().await;
    let batch = session.start_batch();
    for data in 0..5 {
        channel.publish(json!(data)).await.unwrap();
    }
    batch.end();
    let mut sent = Vec::new();
    while sent.last() != Some(&json!(4)) {
        sent.push(client.message_on("/a").await["data"].take());
    }
    assert_eq!(sent, [0, 2, 4]);
}
