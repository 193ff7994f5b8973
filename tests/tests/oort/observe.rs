//! Nodes find each other, join and leave.

use bayeux_oort::{MeshConfig, ObserveError};
use bayeux_server::api::ConnectionType::{LongPolling, WebSocket};
use serde_json::json;
use tests::{
    TestServer, Transport,
    cluster::{TestNode, cluster, join_all},
    eventually,
    scripted::Link,
};

#[tokio::test]
async fn two_nodes_join_though_only_one_was_told_of_the_other() {
    let (one, other) = (TestNode::start().await, TestNode::start().await);
    one.observe(&other);
    one.has_joined(1).await;
    other.has_joined(1).await;
    assert_eq!(one.mesh.known_comets(), [other.url()]);
    assert_eq!(other.mesh.known_comets(), [one.url()]);
    assert_eq!(one.events.all(), [format!("joined {}", other.url())]);
}

#[tokio::test]
async fn who_joins_one_joins_all() {
    let nodes = cluster(4).await;
    for node in &nodes {
        assert_eq!(node.mesh.oort_comets().len(), 3, "one link to each other");
        assert_eq!(node.events.all().len(), 3);
    }
}

#[tokio::test]
async fn nodes_join_over_long_polling() {
    let polls = |config: &mut MeshConfig| config.transports = vec![LongPolling];
    let one = TestNode::with(|_| {}, polls).await;
    // One that has no WebSocket is reached by what it has.
    let plain = |config: &mut bayeux_server::Config| config.allowed_transports = vec![LongPolling];
    let other = TestNode::with(plain, |_| {}).await;
    other.observe(&one);
    one.has_joined(1).await;
    other.has_joined(1).await;
    other.is_settled(1).await;
    assert_eq!(one.mesh.oort_comets()[0].transport, LongPolling);
    assert_eq!(other.mesh.oort_comets()[0].transport, WebSocket);
}

#[tokio::test]
async fn two_clouds_become_one_and_a_node_that_stops_leaves_all() {
    let (mut all, others) = (cluster(2).await, cluster(2).await);
    all[0].observe(&others[0]);
    all.extend(others);
    for node in &all {
        node.has_joined(3).await;
        assert_eq!(node.events.all().len(), 3, "everybody joined once");
    }
    all[2].oort.stop().await;
    for index in [0, 1, 3] {
        let node = &all[index];
        node.has_joined(2).await;
        assert_eq!(node.events.count("left"), 1);
        assert!(!node.mesh.known_comets().contains(&all[2].url().to_owned()));
    }
    assert!(all[2].oort.comets().is_empty() && all[2].mesh.oort_comets().is_empty());
    assert_eq!(all[2].events.count("left"), 0, "who leaves is not told that others did");
    let sessions = all[2].server.server.sessions();
    assert!(sessions.iter().all(|session| session.is_local_session()), "{sessions:?}");
}

#[tokio::test]
async fn two_that_observe_each_other_have_one_link_each() {
    let (one, other) = (TestNode::start().await, TestNode::start().await);
    assert_eq!(one.mesh.observe_comet(one.url()), Err(ObserveError::Own));
    one.observe(&other);
    other.observe(&one);
    for node in [&one, &other] {
        node.has_joined(1).await;
        node.is_settled(1).await;
        assert_eq!(node.mesh.oort_comets().len(), 1);
        assert_eq!(node.events.all().len(), 1);
    }
}

#[tokio::test]
async fn a_node_that_is_not_there_joins_when_it_comes() {
    let link = Link::to("127.0.0.1:1".parse().unwrap()).await;
    let one = TestNode::start().await;
    one.mesh.observe_comet(&link.url()).unwrap();
    eventually("a failure", || {
        let comets = one.mesh.oort_comets();
        comets.iter().any(|comet| comet.state == bayeux_client::State::Rehandshaking)
    })
    .await;
    let other = TestNode::behind(&link, |_| {}).await;
    one.has_joined(1).await;
    other.has_joined(1).await;
}

#[tokio::test]
async fn a_server_that_is_no_node_yet_is_asked_again() {
    let server = TestServer::start(|_| {}).await;
    let url = server.url();
    let one = TestNode::start().await;
    one.mesh.observe_comet(&url).unwrap();
    eventually("the first answer", || server.server.statistics().handshakes > 0).await;
    assert_eq!(one.oort.comets(), []);
    let other = TestNode::at(server, &url, |_| {}).await;
    one.has_joined(1).await;
    other.has_joined(1).await;
}

#[tokio::test]
async fn a_node_that_stops_and_starts_again_leaves_and_joins_once() {
    let link = Link::to("127.0.0.1:1".parse().unwrap()).await;
    let one = TestNode::start().await;
    let first = TestNode::behind(&link, |_| {}).await;
    one.mesh.observe_comet(&link.url()).unwrap();
    one.has_joined(1).await;
    first.has_joined(1).await;
    let before = one.oort.comets();
    first.oort.stop().await;
    one.was_told("left", 1).await;
    drop(first);
    let second = TestNode::behind(&link, |_| {}).await;
    one.has_joined(1).await;
    second.has_joined(1).await;
    assert_ne!(one.oort.comets(), before, "it is another, at the same URL");
    let url = link.url();
    let expected = [format!("joined {url}"), format!("left {url}"), format!("joined {url}")];
    assert_eq!(one.events.all(), expected);
}

#[tokio::test]
async fn a_node_that_is_observed_no_more_leaves_and_others_stay() {
    let nodes: Vec<_> = cluster(3).await;
    assert!(nodes[0].mesh.deobserve_comet(nodes[1].url()));
    for index in [0, 1] {
        nodes[index].has_joined(1).await;
        assert_eq!(nodes[index].events.count("left"), 1);
        assert_eq!(nodes[index].mesh.known_comets(), [nodes[2].url()]);
    }
    assert_eq!(nodes[2].events.all().len(), 2, "nothing happened to the third");
    assert!(!nodes[0].mesh.deobserve_comet("http://nobody.invalid/"));
}

#[tokio::test]
async fn a_client_that_leaves_disturbs_no_node() {
    let nodes = cluster(2).await;
    for node in &nodes {
        node.oort.observe_channel("/fence").unwrap();
    }
    let mut readers = Vec::new();
    for node in &nodes {
        node.is_observed("/fence", 1).await;
        let mut reader = node.server.connected(Transport::WebSocket).await;
        reader.subscribe("/fence").await;
        readers.push(reader);
        let mut client = node.server.connected(Transport::WebSocket).await;
        client.disconnect().await;
    }
    // What is told of a node is told before what it says then.
    let [one, other] = &mut readers[..] else { unreachable!() };
    one.publish("/fence", json!(1)).await;
    other.message_on("/fence").await;
    other.publish("/fence", json!(2)).await;
    for expected in [1, 2] {
        assert_eq!(one.message_on("/fence").await["data"], expected);
    }
    for node in &nodes {
        assert_eq!(node.oort.comets().len(), 1);
        assert_eq!(node.events.all().len(), 1, "{:?}", node.events.all());
    }
}

#[tokio::test]
async fn a_node_finds_out_its_own_other_names() {
    let one = TestNode::start().await;
    let port = one.server.address.port();
    let alias = format!("http://localhost:{port}/cometd");
    one.mesh.observe_comet(&alias).unwrap();
    eventually("the answer", || one.mesh.observe_comet(&alias) == Err(ObserveError::Own)).await;
    assert_eq!((one.mesh.oort_comets(), one.oort.comets()), (vec![], vec![]));
}

#[tokio::test]
async fn a_node_is_known_by_all_its_names_and_the_newest_link_stays() {
    let other = TestNode::start().await;
    let (near, far) = (Link::to(other.server.address).await, Link::to(other.server.address).await);
    let aliases = vec![near.url(), far.url()];
    drop(other);
    let server = TestServer::start(|_| {}).await;
    near.lead_to(server.address);
    far.lead_to(server.address);
    let other = TestNode::on(server, |config| config.aliases = aliases).await;
    let one = TestNode::start().await;
    one.mesh.observe_comet(&near.url()).unwrap();
    one.has_joined(1).await;
    other.has_joined(1).await;
    assert_eq!(one.mesh.known_comets(), [other.url()], "it is called by its own name");
    one.observe(&other);
    assert_eq!(one.mesh.oort_comets().len(), 1, "its own name leads to the link that is there");
    one.mesh.observe_comet(&far.url()).unwrap();
    eventually("the link by the third name", || {
        let comets = one.mesh.oort_comets();
        comets.len() == 1 && comets[0].url == far.url() && comets[0].comet.is_some()
    })
    .await;
    one.is_settled(1).await;
    assert_eq!((one.events.all().len(), other.events.all().len()), (1, 1), "nobody heard of it");
    assert!(one.mesh.deobserve_comet(other.url()));
    one.was_told("left", 1).await;
    other.was_told("left", 1).await;
}

#[tokio::test]
async fn nodes_that_know_the_same_one_find_each_other() {
    let mut nodes = cluster(2).await;
    for _ in 0..2 {
        let new = TestNode::start().await;
        new.observe(&nodes[1]);
        nodes.push(new);
        for node in &nodes {
            node.has_joined(nodes.len() - 1).await;
        }
    }
    for node in &nodes {
        assert_eq!(node.events.all().len(), 3);
    }
}

#[tokio::test]
async fn thirty_nodes_become_one_cloud() {
    let mut nodes = Vec::new();
    for _ in 0..30 {
        nodes.push(TestNode::start().await);
    }
    join_all(&nodes).await;
    for node in &nodes {
        assert_eq!(node.events.all().len(), 29, "{:?}", node.events.all());
        node.is_settled(29).await;
        assert_eq!(node.mesh.oort_comets().len(), 29);
    }
}

#[tokio::test]
async fn a_node_that_is_dropped_has_no_connections_any_more() {
    let mut nodes = cluster(2).await;
    let other = nodes.remove(1);
    let websockets = || other.server.server.statistics().websockets;
    eventually("one of the node's", || websockets() == 1).await;
    let TestNode { server: _server, mesh, oort, .. } = nodes.remove(0);
    drop((mesh, oort));
    eventually("its connections to end", || websockets() == 0).await;
}

#[test]
fn channels_are_observed_from_any_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let nodes = runtime.block_on(cluster(2));
    // Here is no runtime.
    nodes[0].oort.observe_channel("/chat").unwrap();
    runtime.block_on(nodes[1].is_observed("/chat", 1));
    nodes[0].oort.deobserve_channel("/chat");
    runtime.block_on(nodes[1].is_observed("/chat", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_said_last_of_a_channel_holds_however_often_it_was_said() {
    let nodes = cluster(2).await;
    for round in 0..30 {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let oort = nodes[0].oort.clone();
            tasks.spawn(async move {
                for step in 0..round {
                    oort.observe_channel("/chat").unwrap();
                    if step % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    oort.deobserve_channel("/chat");
                }
            });
        }
        tasks.join_all().await;
        nodes[1].is_observed("/chat", 0).await;
        nodes[0].oort.observe_channel("/chat").unwrap();
        nodes[1].is_observed("/chat", 1).await;
        nodes[0].oort.deobserve_channel("/chat");
    }
}

#[tokio::test]
async fn many_channels_are_observed_by_a_node_that_joins() {
    let (one, other) = (TestNode::start().await, TestNode::start().await);
    let name = |n: usize| format!("/many/{n}/{}", "x".repeat(150));
    (0..1_000).for_each(|n| one.oort.observe_channel(&name(n)).unwrap());
    one.observe(&other);
    other.has_joined(1).await;
    // By then it is subscribed to all: nothing is missed from here on.
    for n in 0..1_000 {
        let channel = other.server.server.channel(&name(n)).expect("it is subscribed to");
        assert_eq!(channel.subscribers().len(), 1);
    }
}
