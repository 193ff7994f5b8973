//! A cloud of some nodes, whatever joins them: what stands above the `Cloud` trait is tested over each kind.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_oort::{Cloud as _, Oort};
use bayeux_server::Server;

use crate::{
    cloud_hub::{CloudHub, HubCloud},
    cluster::TestNode,
    eventually,
};

/// What joins the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// Queues inside the program.
    InProcess,
    /// The mesh, over real sockets.
    Mesh,
}

/// A cloud, whose nodes have all joined each other.
#[derive(Debug)]
pub struct Scene {
    makes: Box<dyn Makes>,
    nodes: Vec<Box<dyn SceneNode>>,
}

impl Scene {
    /// Starts nodes.
    pub async fn start(joint: Joint, count: usize) -> Self {
        let makes: Box<dyn Makes> = match joint {
            Joint::InProcess => Box::new(Hub::default()),
            Joint::Mesh => Box::new(Meshes),
        };
        let mut scene = Self { makes, nodes: Vec::new() };
        for _ in 0..count {
            scene.add().await;
        }
        scene
    }

    /// Starts one more node, waits until it has joined all others, and returns its index.
    pub async fn add(&mut self) -> usize {
        let first = self.nodes.first().map(|node| node.oort().own().url().to_owned());
        let number = self.nodes.len();
        self.nodes.push(self.makes.node(number, first.as_deref()).await);
        let count = self.nodes.iter().filter(|node| node.is_there()).count();
        let are_joined = || {
            let mut there = self.nodes.iter().filter(|node| node.is_there());
            there.all(|node| node.oort().comets().len() == count - 1)
        };
        eventually("all to join each other", are_joined).await;
        number
    }

    /// Returns a node.
    pub fn oort(&self, index: usize) -> &Oort {
        self.nodes[index].oort()
    }

    /// Returns all nodes.
    pub fn oorts(&self) -> impl Iterator<Item = &Oort> {
        self.nodes.iter().map(|node| node.oort())
    }

    /// Returns the address of a node.
    pub fn url(&self, index: usize) -> &str {
        self.oort(index).own().url()
    }

    /// Waits until each node observes a channel, as far as all others know.
    pub async fn is_observed(&self, channel: &str) {
        let count = self.nodes.iter().filter(|node| node.is_there()).count();
        for node in self.nodes.iter().filter(|node| node.is_there()) {
            node.is_observed(channel, count - 1).await;
        }
    }

    /// Has a node leave.
    pub async fn stop(&mut self, index: usize) {
        self.nodes[index].stop().await;
    }
}

/// Makes nodes of one kind.
#[async_trait]
trait Makes: Send + Sync + fmt::Debug {
    /// Makes a node that joins that of a URL, if there is one, and whom that knows.
    async fn node(&self, number: usize, first: Option<&str>) -> Box<dyn SceneNode>;
}

#[async_trait]
trait SceneNode: Send + Sync + fmt::Debug {
    fn oort(&self) -> &Oort;
    fn is_there(&self) -> bool;
    async fn is_observed(&self, channel: &str, count: usize);
    async fn stop(&mut self);
}

#[derive(Debug, Default)]
struct Hub(CloudHub);

#[derive(Debug)]
struct HubNode {
    oort: Oort,
    cloud: Arc<HubCloud>,
    is_there: bool,
}

#[async_trait]
impl Makes for Hub {
    async fn node(&self, number: usize, _first: Option<&str>) -> Box<dyn SceneNode> {
        let cloud = self.0.cloud(&format!("id{number}"), &format!("http://node{number}"));
        let oort = Oort::start(&Server::new(), cloud.clone()).await.unwrap();
        Box::new(HubNode { oort, cloud, is_there: true })
    }
}

#[async_trait]
impl SceneNode for HubNode {
    fn oort(&self) -> &Oort {
        &self.oort
    }

    fn is_there(&self) -> bool {
        self.is_there
    }

    /// The hub knows at once.
    async fn is_observed(&self, _channel: &str, _count: usize) {}

    async fn stop(&mut self) {
        self.is_there = false;
        self.cloud.stop().await;
    }
}

#[derive(Debug)]
struct Meshes;

#[derive(Debug)]
struct MeshNode {
    node: TestNode,
    is_there: bool,
}

#[async_trait]
impl Makes for Meshes {
    async fn node(&self, _number: usize, first: Option<&str>) -> Box<dyn SceneNode> {
        let node = TestNode::start().await;
        if let Some(first) = first {
            node.mesh.observe_comet(first).unwrap();
        }
        Box::new(MeshNode { node, is_there: true })
    }
}

#[async_trait]
impl SceneNode for MeshNode {
    fn oort(&self) -> &Oort {
        &self.node.oort
    }

    fn is_there(&self) -> bool {
        self.is_there
    }

    async fn is_observed(&self, channel: &str, count: usize) {
        self.node.is_observed(channel, count).await;
    }

    async fn stop(&mut self) {
        self.is_there = false;
        self.node.oort.stop().await;
    }
}

/// Makes a test of each of the given functions for each kind of cloud.
#[macro_export]
macro_rules! over_every_cloud {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            #[tokio::test]
            async fn in_process() {
                super::$name($crate::cloud_scene::Joint::InProcess).await;
            }

            #[tokio::test]
            async fn mesh() {
                super::$name($crate::cloud_scene::Joint::Mesh).await;
            }
        })+
    };
}
