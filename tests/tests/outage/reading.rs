//! A stream that is not read: the client reads no more, and has lost nothing when it goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bayeux_client::{
    BayeuxClient, Channel, Messages, NetworkConfig, State, TransportListener, api::ConnectionType,
};
use bayeux_server::api::Message;
use serde_json::json;
use tests::{
    TestServer, Transport, arrive, brisk_client, every_transport, over_both, scripted::WHILE,
    within,
};

const COUNT: usize = 3000;

/// Counts what the client has read.
#[derive(Debug, Default)]
struct Read(AtomicUsize);

impl Read {
    fn by(client: &BayeuxClient) -> Arc<Self> {
        let read = Arc::new(Self::default());
        client.add_transport_listener(read.clone()).keep();
        read
    }

    /// Waits until the client reads no more, though there is more.
    async fn stops(&self) {
        let (mut before, mut same) = (0, 0);
        while before == 0 || same < 10 {
            tokio::time::sleep(WHILE / 2).await;
            let now = self.0.load(Ordering::SeqCst);
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
        assert!(before < COUNT, "all {before} messages were read");
    }
}

impl TransportListener for Read {
    fn messages(&self, messages: &[Message]) {
        self.0.fetch_add(messages.len(), Ordering::SeqCst);
    }
}

async fn nothing_is_lost_of_a_stream_that_is_read_late(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).network(roomy()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let read = Read::by(&client);
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    publish_much(&server).await;
    read.stops().await;
    all_arrives(&channel, &mut messages).await;
    arrive(&client, State::Connected).await;
    assert_eq!(server.server.sessions().len(), 2);
}

/// A stream that is not read for longer than a server may be silent, with 6 MiB waiting.
async fn a_client_that_reads_nothing_does_not_take_the_server_for_dead(transport: ConnectionType) {
    let server = TestServer::start(|config| {
        every_transport(config, |transport| {
            transport.timeout = Duration::from_millis(500);
            transport.max_interval = Duration::from_secs(60);
        });
        config.websocket.max_queue_bytes = 64 * 1024 * 1024;
        config.long_polling.max_queue_bytes = 64 * 1024 * 1024;
    })
    .await;
    let mut config = brisk_client();
    config.max_network_delay = Some(Duration::from_millis(200));
    let builder = server.builder(transport).config(config).network(roomy());
    let client = builder.build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let mut states = client.states();
    states.mark_unchanged();
    let channel = client.channel("/a").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    publish_much(&server).await;
    // Longer than the connect is held, and than the network may take.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!states.has_changed(), "the client is {}", client.state());
    all_arrives(&channel, &mut messages).await;
    assert_eq!(server.server.sessions().len(), 2);
}

/// All that waits on the server is to fit into one answer.
fn roomy() -> NetworkConfig {
    let mut network = NetworkConfig::default();
    network.max_message_size = 64 * 1024 * 1024;
    network
}

/// Publishes 6 MiB in many messages, and so that they come in many parts.
async fn publish_much(server: &TestServer) {
    let publisher = server.connected(Transport::InProcess).await;
    let from = server.session(&publisher);
    let padding = "x".repeat(2000);
    for number in 0..COUNT {
        let data = json!({ "number": number, "padding": padding });
        let message = Message::with_data("/a", data);
        server.server.channel("/a").unwrap().publish_from(&*from, message).await.unwrap();
        if number % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Reads all, and what is published then.
async fn all_arrives(channel: &Channel, messages: &mut Messages) {
    for number in 0..COUNT {
        let message = within("a message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap().value()["number"], number);
    }
    assert!(messages.try_next().is_none());
    within("publish", channel.publish(json!("last"))).await.unwrap();
    assert_eq!(within("the last", messages.next()).await.unwrap().data.unwrap(), json!("last"));
}

over_both!(
    nothing_is_lost_of_a_stream_that_is_read_late,
    a_client_that_reads_nothing_does_not_take_the_server_for_dead,
);
