//! What is started twice, not stopped, or added again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, Mesh, Oort, OortStringMap, Participant, StartError,
    discovery::{Discovery, DiscoveryError, Running, Seeds},
};
use bayeux_server::api::{ChannelId, Message};
use serde_json::json;
use tests::{
    HangsAtEnds, TestServer,
    cluster::{SECRET, TestNode, cluster},
    eventually,
    hooks::Log,
    within,
};

pub(crate) async fn start(server: &TestServer) -> Result<Oort, StartError> {
    let mesh = Mesh::builder(&server.url()).secret(SECRET).build().unwrap();
    Oort::start(&server.server, Arc::new(mesh)).await
}

/// Starts a node where one was dropped. A start waits a second for that to go, which on a busy machine is not long.
pub(crate) async fn start_again(server: &TestServer) -> Oort {
    within("the one before to go", async {
        loop {
            if let Ok(oort) = start(server).await {
                return oort;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_server_is_of_one_mesh_at_a_time() {
    let server = TestServer::start(|_| {}).await;
    let oort = start(&server).await.unwrap();
    let refused = start(&server).await.unwrap_err();
    assert!(refused.to_string().contains("a node already"), "{refused}");
    oort.stop().await;
    let again = start(&server).await.unwrap();
    drop(again);
    start_again(&server).await;
}

#[tokio::test]
async fn a_server_is_of_another_mesh_as_soon_as_one_with_objects_was_dropped() {
    let server = TestServer::start(|_| {}).await;
    for _ in 0..10 {
        let oort = start_again(&server).await;
        let map = OortStringMap::<u64>::start(&oort, "map").await.unwrap();
        map.put_and_share("a".to_owned(), 1).await.unwrap();
        drop((map, oort));
    }
    start_again(&server).await;
}

#[tokio::test]
async fn a_node_that_is_dropped_is_gone_for_the_others_and_leaves_no_session() {
    let (hub, node) = (TestNode::start().await, TestNode::start().await);
    node.observe(&hub);
    hub.has_joined(1).await;
    node.has_joined(1).await;
    let TestNode { server, mesh, oort, events } = node;
    drop((mesh, oort, events));
    hub.was_told("left", 1).await;
    eventually("all sessions of the node to end", || server.server.statistics().sessions == 0)
        .await;
}

#[tokio::test]
async fn nodes_that_stop_and_start_at_one_url_end_as_one_member() {
    let hub = TestNode::start().await;
    let mut server = TestServer::start(|_| {}).await;
    let url = server.url();
    for round in 0..20_u8 {
        let node = TestNode::at(server, &url, |_| {}).await;
        node.observe(&hub);
        match round % 3 {
            0 => {}
            1 => tokio::task::yield_now().await,
            _ => hub.has_joined(1).await,
        }
        let TestNode { server: own, mesh, oort, events } = node;
        if round % 2 == 0 {
            oort.stop().await;
        }
        drop((mesh, oort, events));
        server = own;
    }
    let node = TestNode::at(server, &url, |_| {}).await;
    node.observe(&hub);
    node.has_joined(1).await;
    eventually("the last one to be the member", || hub.oort.comets() == [node.oort.own().clone()])
        .await;
    hub.has_joined(1).await;
}

#[derive(Debug)]
struct Notes(Log);

#[async_trait]
impl Participant for Notes {
    fn joined(&self, _comet: &Comet) {}

    fn left(&self, _comet: &Comet) {}

    async fn received(&self, _from: &Comet, message: Message) {
        self.0.add(message.channel());
    }
}

#[tokio::test]
async fn a_participant_that_is_added_twice_is_removed_once() {
    let nodes = cluster(2).await;
    let notes = Arc::new(Notes(Log::default()));
    let id = |name| ChannelId::new(name).unwrap();
    let first = nodes[0].oort.add_participant(&[id("/service/oort/x")], notes.clone()).unwrap();
    let _second = nodes[0].oort.add_participant(&[id("/service/oort/y")], notes.clone()).unwrap();
    drop(first);
    let to = nodes[1].oort.comet(nodes[0].url()).unwrap();
    let message = Message::with_data("/service/oort/y", json!(1));
    nodes[1].oort.send(&to, message).await.unwrap();
    notes.0.until("/service/oort/y").await;
}

fn mesh(server: &TestServer) -> Arc<Mesh> {
    Arc::new(Mesh::builder(&server.url()).secret(SECRET).build().unwrap())
}

#[tokio::test]
async fn a_start_in_vain_leaves_the_server_to_others_and_the_mesh_to_another() {
    let (busy, free) = (TestServer::start(|_| {}).await, TestServer::start(|_| {}).await);
    let former = start(&busy).await.unwrap();
    let twice = mesh(&free);
    let (first, second) = tokio::join!(
        Oort::start(&busy.server, twice.clone()),
        Oort::start(&free.server, twice.clone()),
    );
    assert!(first.unwrap_err().to_string().contains("a node already"));
    assert!(matches!(second.unwrap_err(), StartError::Started));
    Oort::start(&free.server, twice).await.unwrap();
    drop(former);
    start_again(&busy).await;
}

/// Cannot start at first: there is no network yet, say.
#[derive(Debug, Default)]
struct Unready(AtomicBool);

impl Discovery for Unready {
    fn start(&self, _seeds: Seeds) -> Result<Running, DiscoveryError> {
        match self.0.load(Ordering::SeqCst) {
            true => Ok(Box::pin(std::future::pending())),
            false => Err(DiscoveryError::Config("there is no network".to_owned())),
        }
    }
}

#[tokio::test]
async fn a_mesh_whose_discovery_fails_lets_no_node_in_and_may_start_later_if_the_server_is_free() {
    let server = TestServer::start(|_| {}).await;
    let unready = Arc::new(Unready::default());
    let builder = Mesh::builder(&server.url()).secret(SECRET).discovery(unready.clone());
    let mesh = Arc::new(builder.build().unwrap());
    let failed = Oort::start(&server.server, mesh.clone()).await.unwrap_err();
    assert!(failed.to_string().contains("there is no network"), "{failed}");
    let node = TestNode::start().await;
    node.mesh.observe_comet(&server.url()).unwrap();
    let seen = || server.server.statistics();
    let is_sent_away = || seen().handshakes > 0 && seen().sessions == 0;
    eventually("the node to find that there is none", is_sent_away).await;
    let other = start(&server).await.unwrap();
    assert!(Oort::start(&server.server, mesh.clone()).await.is_err());
    other.stop().await;
    unready.0.store(true, Ordering::SeqCst);
    let _oort = Oort::start(&server.server, mesh).await.unwrap();
    node.has_joined(1).await;
}

#[tokio::test]
async fn a_stop_is_over_though_a_listener_of_sessions_never_comes_back() {
    let node = TestNode::start().await;
    node.server.server.add_session_listener(Arc::new(HangsAtEnds)).keep();
    within("the stop", node.oort.stop()).await;
}

#[tokio::test]
async fn a_mesh_that_could_not_start_may_start_later() {
    let server = TestServer::start(|_| {}).await;
    let first = start(&server).await.unwrap();
    let mesh = Arc::new(Mesh::builder(&server.url()).secret(SECRET).build().unwrap());
    Oort::start(&server.server, mesh.clone()).await.unwrap_err();
    first.stop().await;
    Oort::start(&server.server, mesh).await.unwrap();
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let server = TestServer::start(|_| {}).await;
    let first = start(&server).await.unwrap();
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::from_millis(7), start(&server)).await;
    }
    drop(first);
    for _ in 0..3 {
        drop(start_again(&server).await);
    }
    eventually("no session to be left", || server.server.statistics().sessions == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_start_at_once_on_a_server_one_has_it() {
    for _ in 0..2 {
        let server = Arc::new(TestServer::start(|_| {}).await);
        let mut tasks = Vec::new();
        for _ in 0..64 {
            let server = server.clone();
            tasks.push(tokio::spawn(async move { start(&server).await }));
        }
        let mut started = Vec::new();
        for task in tasks {
            started.extend(task.await.unwrap());
        }
        assert_eq!(started.len(), 1);
        drop(started);
        start_again(&server).await;
    }
}

/// Never comes back once it hears a message.
#[derive(Debug)]
struct NeverReturns(Log);

#[async_trait]
impl Participant for NeverReturns {
    fn joined(&self, _comet: &Comet) {}

    fn left(&self, _comet: &Comet) {}

    async fn received(&self, _from: &Comet, message: Message) {
        self.0.add(message.channel());
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_participant_that_never_returns_keeps_no_node_that_is_dropped() {
    let [hub, node] = cluster(2).await.try_into().unwrap();
    let log = Log::default();
    let channel = ChannelId::new("/service/oort/x").unwrap();
    let never = Arc::new(NeverReturns(log.clone()));
    let participant = node.oort.add_participant(&[channel], never).unwrap();
    let to = hub.oort.comet(node.url()).unwrap();
    let message = Message::with_data("/service/oort/x", json!(1));
    hub.oort.send(&to, message).await.unwrap();
    log.until("/service/oort/x").await;
    let TestNode { server: _server, mesh, oort, events } = node;
    drop((participant, mesh, oort, events));
    hub.was_told("left", 1).await;
}
