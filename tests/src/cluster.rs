//! Nodes of a cloud: servers on ports of their own, joined by meshes over real sockets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_oort::{Comet, CometListener, Mesh, MeshConfig, Oort};
use bayeux_server::{Config, api::implement::lock};

use crate::{DEADLINE, TestServer, eventually};

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
        let url = url_of(&server);
        let mesh = Mesh::builder(&url).secret(SECRET).configure(|config| {
            config.max_interval = DEADLINE;
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

    /// Waits until so many others have joined, and that was told.
    pub async fn has_joined(&self, count: usize) {
        let what = format!("{count} to join {}", self.url());
        eventually(&what, || {
            let told = self.events.count("joined") - self.events.count("left");
            self.oort.comets().len() == count && told == count
        })
        .await;
    }
}

fn url_of(server: &TestServer) -> String {
    format!("http://{}/cometd", server.address)
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
