//! What nodes observe of each other, where the connection breaks over it and the session lives on, and however much
//! it is.

use bayeux_server::api::server::{Overflow, QueueBounds};
use tests::{AGES, TestServer, cluster::TestNode, eventually, scripted::Link};

/// Two nodes, of which one reaches the other by a link that breaks.
struct Brittle {
    link: Link,
    node: TestNode,
    observer: TestNode,
}

impl Brittle {
    /// Nothing is said again only because time has passed.
    async fn join() -> Self {
        let server = TestServer::start(|_| {}).await;
        let link = Link::to(server.address).await;
        let node = TestNode::at(server, &link.url(), |_| {}).await;
        let change = |config: &mut bayeux_oort::MeshConfig| config.advertise_interval = AGES;
        let observer = TestNode::with(|_| {}, change).await;
        observer.mesh.observe_comet(&link.url()).unwrap();
        node.has_joined(1).await;
        observer.has_joined(1).await;
        observer.is_settled(1).await;
        Self { link, node, observer }
    }

    /// Breaks the link before what is said reaches the node.
    async fn loses_the_request(&self, say: impl FnOnce()) {
        self.link.silence(true);
        let held = self.link.held();
        say();
        eventually("it is said", || self.link.held() > held).await;
        self.link.cut();
        self.link.silence(false);
    }

    /// Breaks the link before the answer to what is said comes.
    async fn loses_the_answer(&self, say: impl FnOnce()) {
        self.link.cut_after(0);
        say();
        self.link.was_cut().await;
    }
}

#[tokio::test]
async fn what_is_observed_as_the_connection_breaks_is_observed_afterwards() {
    let nodes = Brittle::join().await;
    nodes.loses_the_request(|| nodes.observer.oort.observe_channel("/request").unwrap()).await;
    nodes.node.is_observed("/request", 1).await;
    nodes.loses_the_answer(|| nodes.observer.oort.observe_channel("/answer").unwrap()).await;
    nodes.node.is_observed("/answer", 1).await;
    assert_eq!(nodes.node.events.all().len(), 1, "the session lives on");
}

#[tokio::test]
async fn what_is_deobserved_as_the_connection_breaks_is_not_observed_afterwards() {
    let nodes = Brittle::join().await;
    let observe = async |channel: &str| {
        nodes.observer.oort.observe_channel(channel).unwrap();
        nodes.node.is_observed(channel, 1).await;
    };
    observe("/request").await;
    nodes.loses_the_request(|| assert!(nodes.observer.oort.deobserve_channel("/request"))).await;
    nodes.node.is_observed("/request", 0).await;
    observe("/answer").await;
    nodes.loses_the_answer(|| assert!(nodes.observer.oort.deobserve_channel("/answer"))).await;
    nodes.node.is_observed("/answer", 0).await;
    assert_eq!(nodes.node.events.all().len(), 1, "the session lives on");
}

#[tokio::test]
async fn what_is_deobserved_before_it_is_known_to_be_observed_is_not_observed() {
    let nodes = Brittle::join().await;
    nodes.loses_the_answer(|| nodes.observer.oort.observe_channel("/chat").unwrap()).await;
    nodes.observer.oort.deobserve_channel("/chat");
    // What comes after it is said after it.
    nodes.observer.oort.observe_channel("/marker").unwrap();
    nodes.node.is_observed("/marker", 1).await;
    nodes.node.is_observed("/chat", 0).await;
}

#[tokio::test]
async fn much_is_observed_though_few_messages_may_wait() {
    let few = |config: &mut bayeux_oort::MeshConfig| {
        config.queue = QueueBounds::new(8, 64 * 1024, Overflow::Disconnect);
    };
    let (node, observer) = (TestNode::with(|_| {}, few).await, TestNode::with(|_| {}, few).await);
    // With the cloud's own channel these are as many as are asked for at once, three times.
    for number in 0..299 {
        observer.oort.observe_channel(&format!("/channel/{number}")).unwrap();
    }
    observer.observe(&node);
    node.has_joined(1).await;
    observer.has_joined(1).await;
    for number in 0..299 {
        node.is_observed(&format!("/channel/{number}"), 1).await;
    }
    assert_eq!(node.events.all().len(), 1, "{:?}", node.events.all());
}
