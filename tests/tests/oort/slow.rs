//! A node whose link is slow delays no other one, and what waits for it is bounded.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bayeux_oort::{MeshConfig, OortStringMap};
use bayeux_server::{
    Config,
    api::{
        Flow,
        server::{Overflow, QueueBounds, Removal, ServerSession, SessionKind, SessionListener},
    },
};
use serde_json::json;
use tests::{
    Client, TestServer, Transport,
    cluster::TestNode,
    eventually, every_transport,
    hooks::{Log, on_message},
    scripted::Link,
};

/// Three nodes, of which one reaches the publishing one by a link.
struct Three {
    link: Link,
    publishing: TestNode,
    slow: TestNode,
    other: TestNode,
    /// Of what is published, how much has come to the slow node.
    seen: Arc<AtomicUsize>,
    /// A client of the other one.
    reader: Client,
}

impl Three {
    async fn join(
        change_server: impl FnOnce(&mut Config),
        change: impl Fn(&mut MeshConfig),
    ) -> Self {
        let server = TestServer::start(change_server).await;
        let link = Link::to(server.address).await;
        let alias = link.url();
        let publishing = TestNode::on(server, |config| {
            config.aliases = vec![alias];
            change(config);
        });
        let publishing = publishing.await;
        let slow = TestNode::with(|_| {}, &change).await;
        let other = TestNode::start().await;
        slow.mesh.observe_comet(&link.url()).unwrap();
        slow.has_joined(1).await;
        other.observe(&publishing);
        for node in [&publishing, &slow, &other] {
            node.has_joined(2).await;
            node.is_settled(2).await;
        }
        let urls: Vec<_> = slow.mesh.oort_comets().into_iter().map(|comet| comet.url).collect();
        assert!(urls.contains(&link.url()), "{urls:?}");
        for node in [&slow, &other] {
            node.oort.observe_channel("/chat").unwrap();
        }
        publishing.is_observed("/chat", 2).await;
        let seen = Arc::new(AtomicUsize::new(0));
        let counted = seen.clone();
        let listener = on_message(move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Flow::Continue
        });
        let channel = slow.server.server.create_channel_if_absent("/chat").unwrap();
        channel.add_listener(listener).keep();
        let mut reader = other.server.connected(Transport::WebSocket).await;
        reader.subscribe("/chat").await;
        Self { link, publishing, slow, other, seen, reader }
    }

    /// Publishes so many messages, of which the other node gets each few before the next ones. Returns how many
    /// waited for a node at most.
    async fn publish(&mut self) -> usize {
        let server = &self.publishing.server.server;
        let channel = server.create_channel_if_absent("/chat").unwrap();
        let text = "x".repeat(SIZE);
        let mut deepest = 0;
        for first in (0..MANY).step_by(FEW) {
            for number in first..first + FEW {
                channel.publish(json!([number, text])).await.unwrap();
            }
            let nodes =
                channel.subscribers().into_iter().filter(|it| it.kind() == SessionKind::Node);
            let depths = nodes.map(|node| node.queue_depth().messages);
            deepest = depths.fold(deepest, usize::max);
            for number in first..first + FEW {
                assert_eq!(self.reader.message_on("/chat").await["data"][0], number);
            }
        }
        deepest
    }
}

const MANY: usize = 10_000;
const FEW: usize = 50;
/// In bytes: more in all than the buffers of connections take.
const SIZE: usize = 2_000;

#[tokio::test]
async fn while_one_nodes_link_is_slow_another_gets_everything() {
    // More waits than may for a client.
    let mut three = Three::join(|_| {}, |_| {}).await;
    three.link.silence(true);
    assert_eq!(three.publish().await, MANY);
    assert_eq!(three.seen.load(Ordering::Relaxed), 0);
    three.link.silence(false);
    // What has waited for it is not lost.
    eventually("all to come", || three.seen.load(Ordering::Relaxed) == MANY).await;
    for node in [&three.publishing, &three.slow, &three.other] {
        assert_eq!(node.events.all().len(), 2, "{:?}", node.events.all());
    }
}

#[tokio::test]
async fn a_node_for_which_too_much_waits_starts_anew() {
    starts_anew(true).await;
}

/// What the connection has taken does not wait in the queue any more.
#[tokio::test]
async fn a_node_that_acknowledges_nothing_and_for_which_too_much_waits_starts_anew() {
    starts_anew(false).await;
}

async fn starts_anew(acknowledgements: bool) {
    // Those of clients end nothing here.
    let large = |config: &mut Config| {
        every_transport(config, |transport| {
            (transport.max_queue, transport.max_queue_bytes) = (usize::MAX, usize::MAX);
        });
    };
    let small = |config: &mut MeshConfig| {
        config.acknowledgements = acknowledgements;
        config.queue = QueueBounds::new(100, 64 * 1024 * 1024, Overflow::Disconnect);
    };
    let mut three = Three::join(large, small).await;
    let mut maps = Vec::new();
    for node in [&three.publishing, &three.slow] {
        maps.push(OortStringMap::<i64>::start(&node.oort, "bounded").await.unwrap());
    }
    eventually("both parts on both", || maps.iter().all(|map| map.infos().len() == 2)).await;
    let removals = Log::default();
    let listener = Arc::new(Removals(removals.clone()));
    three.publishing.server.server.add_session_listener(listener).keep();
    three.link.silence(true);
    maps[0].put_and_share("a".to_owned(), 1).await.unwrap();
    let deepest = three.publish().await;
    assert!(deepest <= 100, "{deepest}");
    three.publishing.was_told("left", 1).await;
    assert_eq!(removals.entries(), ["Overflowed"]);
    maps[0].put_and_share("b".to_owned(), 2).await.unwrap();
    maps[1].put_and_share("c".to_owned(), 3).await.unwrap();
    assert_eq!(three.seen.load(Ordering::Relaxed), 0);
    three.link.silence(false);
    three.publishing.was_told("joined", 3).await;
    let parts = |map: &OortStringMap<i64>| {
        map.infos().iter().map(|info| info.object().to_map()).collect::<Vec<_>>()
    };
    let are_equal = || parts(&maps[0]) == parts(&maps[1]) && maps[0].find("c") == Some(3);
    eventually("the maps to be equal", are_equal).await;
    assert_eq!(maps[1].find("b"), Some(2));
    let events = three.publishing.events.all();
    assert_eq!(events.len(), 4, "lost once, and joined once more: {events:?}");
    assert_eq!(removals.entries().len(), 1, "{:?}", removals.entries());
    assert_eq!(three.other.events.all().len(), 2, "{:?}", three.other.events.all());
}

/// Writes down how sessions end.
#[derive(Debug)]
struct Removals(Log);

#[async_trait]
impl SessionListener for Removals {
    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, removal: Removal) {
        self.0.add(format!("{removal:?}"));
    }
}
