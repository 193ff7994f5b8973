//! Nodes of a cloud: servers on ports of their own, joined by meshes over real sockets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_client::State;
use bayeux_oort::{Comet, CometListener, Mesh, MeshConfig, Oort, OortComet};
use bayeux_server::{
    Config,
    api::{implement::lock, server::SessionKind},
};

use crate::{AGES, TestServer, eventually, scripted::Link};

/// A node, until it is dropped: then it is gone without a word, as one that was killed.
#[derive(Debug)]
pub struct TestNode {
    /// Its server.
    pub server: TestServer,
    /// What joins it to others.
    pub mesh: Mesh,
    /// The node.
    pub oort: Oort,
    /// Who joined and left, in order: `joined URL`, `left URL`.
    pub events: Arc<Events>,
}

/// Who joined and left.
#[derive(Debug, Default)]
pub struct Events(Mutex<Vec<String>>);

impl Events {
    /// Returns what was told so far.
    pub fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    /// Returns how often something was told.
    pub fn count(&self, what: &str) -> usize {
        lock(&self.0).iter().filter(|event| event.starts_with(what)).count()
    }

    /// Returns how many nodes have joined, as far as that was told, and not left.
    pub fn joined(&self) -> usize {
        let events = lock(&self.0);
        let joined = events.iter().filter(|event| event.starts_with("joined")).count();
        joined - (events.len() - joined)
    }
}

#[async_trait]
impl CometListener for Events {
    async fn comet_joined(&self, comet: &Comet) {
        lock(&self.0).push(format!("joined {}", comet.url()));
    }

    async fn comet_left(&self, comet: &Comet) {
        lock(&self.0).push(format!("left {}", comet.url()));
    }
}

/// The secret of nodes that are made without another one.
pub const SECRET: &str = "sesame";

impl TestNode {
    /// Starts a node that is patient with others: on a busy machine none is lost that is there.
    pub async fn start() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    /// Starts a node, whose server and mesh are changed before.
    pub async fn with(
        change_server: impl FnOnce(&mut Config),
        change: impl FnOnce(&mut MeshConfig),
    ) -> Self {
        Self::on(TestServer::start(change_server).await, change).await
    }

    /// Starts a node on a server that runs.
    pub async fn on(server: TestServer, change: impl FnOnce(&mut MeshConfig)) -> Self {
        let url = server.url();
        Self::at(server, &url, change).await
    }

    /// Starts a node that others reach by a link, and only by that.
    pub async fn behind(link: &Link, change: impl FnOnce(&mut MeshConfig)) -> Self {
        let server = TestServer::start(|_| {}).await;
        link.lead_to(server.address);
        Self::at(server, &link.url(), change).await
    }

    /// Starts a node that others reach at `url`.
    pub async fn at(server: TestServer, url: &str, change: impl FnOnce(&mut MeshConfig)) -> Self {
        let mesh = Mesh::builder(url).secret(SECRET).configure(|config| {
            config.max_silence = AGES;
            config.max_interval = AGES;
            config.backoff = (Duration::from_millis(50), Duration::from_millis(200));
            change(config);
        });
        let mesh = mesh.build().unwrap();
        let oort = Oort::start(&server.server, Arc::new(mesh.clone())).await.unwrap();
        let events = Arc::new(Events::default());
        oort.add_comet_listener(events.clone()).keep();
        Self { server, mesh, oort, events }
    }

    /// Returns where other nodes reach it.
    pub fn url(&self) -> &str {
        self.oort.own().url()
    }

    /// Joins another node.
    pub fn observe(&self, other: &Self) {
        self.mesh.observe_comet(other.url()).unwrap();
    }

    /// Waits until something was told so often, and to the end of the deadline if it was told too often.
    pub async fn was_told(&self, what: &str, count: usize) {
        eventually(&format!("{what}, {count} times"), || self.events.count(what) == count).await;
    }

    /// Waits until the links to so many other nodes are connected, and each of these has said who it is. What is
    /// under way over them may still be so.
    pub async fn is_settled(&self, others: usize) {
        let is_connected =
            |comet: &OortComet| comet.state == State::Connected && comet.comet.is_some();
        eventually("all links to be connected", || {
            self.mesh.oort_comets().iter().filter(|comet| is_connected(comet)).count() == others
        })
        .await;
    }

    /// Waits until so many other nodes observe a channel here.
    pub async fn is_observed(&self, channel: &str, count: usize) {
        eventually("the others observe the channel", || {
            let channel = self.server.server.channel(channel);
            let subscribers = channel.map(|channel| channel.subscribers()).unwrap_or_default();
            subscribers.iter().filter(|it| it.kind() == SessionKind::Node).count() == count
        })
        .await;
    }

    /// Waits until so many others have joined, and that was told.
    pub async fn has_joined(&self, count: usize) {
        let what = format!("{count} to join {}", self.url());
        eventually(&what, || self.oort.comets().len() == count && self.events.joined() == count)
            .await;
    }
}

/// Starts nodes that have all joined each other.
pub async fn cluster(count: usize) -> Vec<TestNode> {
    let mut nodes = Vec::new();
    for _ in 0..count {
        nodes.push(TestNode::start().await);
    }
    join_all(&nodes).await;
    nodes
}

/// Has nodes join each other by the first of them.
pub async fn join_all(nodes: &[TestNode]) {
    for node in &nodes[1..] {
        node.observe(&nodes[0]);
    }
    for node in nodes {
        node.has_joined(nodes.len() - 1).await;
    }
}
