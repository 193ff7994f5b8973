//! Listeners that never come back hold up the others until they are removed, and no longer.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, CometListener, Info, OortStringMap,
    object::{Entries, Entry, EntryListener, OortObjectListener},
};
use bayeux_server::api::{
    Flow,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::json;
use tests::{
    cluster::{Events, TestNode, cluster},
    eventually,
};

use crate::{start::start_again, told::Told};

/// Never comes back.
#[derive(Debug, Default)]
struct Stuck(AtomicBool);

impl Stuck {
    async fn hear(&self) {
        self.0.store(true, Ordering::Relaxed);
        std::future::pending().await
    }

    /// Waits until it is told something.
    async fn is_stuck(&self) {
        eventually("the listener to be told", || self.0.load(Ordering::Relaxed)).await;
    }
}

#[async_trait]
impl CometListener for Stuck {
    async fn comet_joined(&self, _comet: &Comet) {
        self.hear().await;
    }
}

#[async_trait]
impl<T: Send + Sync> OortObjectListener<T> for Stuck {
    async fn updated(&self, _old: Option<&Info<T>>, _new: &Info<T>) {
        self.hear().await;
    }
}

#[async_trait]
impl EntryListener<String, u64> for Stuck {
    async fn put(&self, _info: &Info<Entries<String, u64>>, _entry: &Entry<String, u64>) {
        self.hear().await;
    }
}

#[async_trait]
impl ServerChannelListener for Stuck {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        self.hear().await;
        Flow::Continue
    }
}

#[tokio::test]
async fn one_of_nodes_is_let_go_of_when_it_is_removed() {
    let (one, other) = (TestNode::start().await, TestNode::start().await);
    let (stuck, events) = (Arc::new(Stuck::default()), Arc::new(Events::default()));
    let registration = one.oort.add_comet_listener(stuck.clone());
    one.oort.add_comet_listener(events.clone()).keep();
    one.observe(&other);
    stuck.is_stuck().await;
    assert_eq!(events.joined(), 0);
    drop(registration);
    eventually("the other to be told", || events.joined() == 1).await;
}

#[tokio::test]
async fn one_of_an_object_is_let_go_of_when_it_is_removed() {
    let nodes = cluster(2).await;
    let near = OortStringMap::<u64>::start(&nodes[0].oort, "map").await.unwrap();
    let far = OortStringMap::<u64>::start(&nodes[1].oort, "map").await.unwrap();
    eventually("each to have all parts", || far.infos().len() == 2).await;
    let told = Told::new();
    let (of_entries, of_parts) = (Arc::new(Stuck::default()), Arc::new(Stuck::default()));
    let entries = far.add_entry_listener(of_entries.clone());
    far.add_entry_listener(told.clone()).keep();
    near.put_and_share("a".to_owned(), 1).await.unwrap();
    of_entries.is_stuck().await;
    assert_eq!(told.all(), [] as [String; 0]);
    let parts = far.add_listener(of_parts.clone());
    drop(entries);
    told.count(1).await;
    near.set_and_share([("b".to_owned(), 2)]).await.unwrap();
    of_parts.is_stuck().await;
    drop(parts);
    near.put_and_share("c".to_owned(), 3).await.unwrap();
    told.until("other put \"c\" None Some(3)").await;
}

#[tokio::test]
async fn a_node_whose_listener_is_stuck_ends_when_it_is_dropped() {
    let (one, hub) = (TestNode::start().await, TestNode::start().await);
    let stuck = Arc::new(Stuck::default());
    one.oort.add_comet_listener(stuck.clone()).keep();
    one.observe(&hub);
    hub.has_joined(1).await;
    stuck.is_stuck().await;
    let TestNode { server, mesh, oort, events } = one;
    drop((mesh, oort, events));
    start_again(&server).await;
    hub.was_told("left", 1).await;
}

#[tokio::test]
async fn a_node_whose_broadcast_is_stuck_ends_when_it_is_dropped() {
    let nodes = cluster(2).await;
    let mut nodes = nodes.into_iter();
    let (hub, one) = (nodes.next().unwrap(), nodes.next().unwrap());
    let stuck = Arc::new(Stuck::default());
    let news = one.server.server.create_channel_if_absent("/news").unwrap();
    news.set_persistent(true);
    news.add_listener(stuck.clone()).keep();
    one.oort.observe_channel("/news").unwrap();
    hub.is_observed("/news", 1).await;
    let there = hub.server.server.create_channel_if_absent("/news").unwrap();
    there.publish(json!(1)).await.unwrap();
    stuck.is_stuck().await;
    let TestNode { server, mesh, oort, events } = one;
    drop((mesh, oort, events));
    start_again(&server).await;
    hub.was_told("left", 1).await;
}
