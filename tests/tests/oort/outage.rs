//! Nodes that are cut off, lost, or started again.

use std::time::Duration;

use bayeux_oort::{MeshConfig, OortStringMap, mergers};
use serde_json::json;
use tests::{Transport, cluster::TestNode, eventually, scripted::Link};

/// Two nodes that reach each other by links, and have joined.
struct Pair {
    near: Link,
    far: Link,
    one: TestNode,
    other: TestNode,
}

impl Pair {
    async fn join(change: impl Fn(&mut MeshConfig)) -> Self {
        let nowhere = "127.0.0.1:1".parse().unwrap();
        let (near, far) = (Link::to(nowhere).await, Link::to(nowhere).await);
        let one = TestNode::behind(&near, &change).await;
        let other = TestNode::behind(&far, &change).await;
        one.mesh.observe_comet(&far.url()).unwrap();
        one.has_joined(1).await;
        other.has_joined(1).await;
        one.is_settled(1).await;
        other.is_settled(1).await;
        Self { near, far, one, other }
    }

    fn both(&self) -> [(&Link, &TestNode); 2] {
        [(&self.near, &self.one), (&self.far, &self.other)]
    }

    fn break_off(&self) {
        for (link, _) in self.both() {
            link.refuse(true);
            link.cut();
        }
    }

    fn heal(&self) {
        for (link, _) in self.both() {
            link.refuse(false);
        }
    }
}

/// Nodes are lost as soon as their connection is.
fn impatient(config: &mut MeshConfig) {
    config.max_interval = Duration::from_millis(100);
}

#[tokio::test]
async fn a_break_that_is_short_is_noticed_by_nobody_and_nothing_is_lost() {
    let pair = Pair::join(|_| {}).await;
    pair.one.oort.observe_channel("/chat").unwrap();
    pair.other.is_observed("/chat", 1).await;
    let mut reader = pair.one.server.connected(Transport::WebSocket).await;
    reader.subscribe("/chat").await;
    let mut writer = pair.other.server.connected(Transport::WebSocket).await;
    let before = pair.both().map(|(link, _)| link.connections());
    pair.break_off();
    for number in 0..10 {
        writer.publish("/chat", json!(number)).await;
    }
    pair.heal();
    for number in 0..10 {
        assert_eq!(reader.message_on("/chat").await["data"], json!(number));
    }
    for ((link, node), before) in pair.both().into_iter().zip(before) {
        eventually("another connection", || link.connections() > before).await;
        node.is_settled(1).await;
        assert_eq!(node.events.all().len(), 1);
        assert_eq!(node.oort.comets().len(), 1);
    }
}

#[tokio::test]
async fn a_break_that_is_long_ends_a_membership_until_it_is_healed() {
    let pair = Pair::join(impatient).await;
    for round in 1..=2 {
        pair.break_off();
        for (_, node) in pair.both() {
            node.was_told("left", round).await;
            assert!(node.mesh.known_comets().is_empty(), "no ghost is told of");
        }
        pair.heal();
        for (_, node) in pair.both() {
            node.has_joined(1).await;
            assert_eq!(node.events.all().len(), 2 * round + 1, "{:?}", node.events.all());
        }
    }
}

#[tokio::test]
async fn a_node_that_falls_silent_is_lost() {
    let pair = Pair::join(|config| {
        config.max_silence = Duration::from_secs(2);
        config.max_interval = Duration::from_millis(100);
    })
    .await;
    let counts = |what: &str| pair.both().map(|(_, node)| node.events.count(what));
    // On a busy machine each may have been silent for too long before.
    let left = counts("left");
    pair.near.silence(true);
    pair.far.silence(true);
    for ((_, node), left) in pair.both().into_iter().zip(left) {
        eventually("the other to be lost", || node.events.count("left") > left).await;
    }
    let joined = counts("joined");
    for (link, _) in pair.both() {
        link.cut();
        link.silence(false);
    }
    for ((_, node), joined) in pair.both().into_iter().zip(joined) {
        eventually("it joins again", || node.events.count("joined") > joined).await;
    }
}

#[tokio::test]
async fn of_a_break_in_one_direction_only_the_end_that_is_not_heard_hears() {
    let pair = Pair::join(impatient).await;
    // What the other node's client says reaches the one no more.
    pair.near.refuse(true);
    pair.near.cut();
    pair.one.was_told("left", 1).await;
    pair.near.refuse(false);
    pair.one.was_told("joined", 2).await;
    assert_eq!(pair.other.events.all().len(), 1, "{:?}", pair.other.events.all());
    pair.one.has_joined(1).await;
}

#[tokio::test]
async fn after_a_break_in_one_direction_only_both_have_all_of_a_map() {
    let pair = Pair::join(impatient).await;
    let mut maps = Vec::new();
    for (_, node) in pair.both() {
        maps.push(OortStringMap::<i64>::start(&node.oort, "half").await.unwrap());
    }
    eventually("both parts on both", || maps.iter().all(|map| map.infos().len() == 2)).await;
    pair.near.refuse(true);
    pair.near.cut();
    eventually("the part to go", || maps[0].infos().len() == 1).await;
    // Neither has this of the other, which has lost nobody.
    for (map, key) in maps.iter().zip(["a", "b"]) {
        map.put_and_share(key.to_owned(), 1).await.unwrap();
    }
    assert_eq!(maps[1].infos().len(), 2);
    pair.near.refuse(false);
    let keys = |map: &OortStringMap<i64>| map.merge(mergers::map_union::<String, i64>).len();
    eventually("all keys on both", || maps.iter().all(|map| keys(map) == 2)).await;
    assert_eq!(pair.other.events.all().len(), 1, "{:?}", pair.other.events.all());
}

#[tokio::test]
async fn a_node_that_crashed_and_starts_again_is_another_and_the_former_left_first() {
    for is_noticed in [true, false] {
        let Pair { near, far, one, other } = match is_noticed {
            true => Pair::join(impatient).await,
            false => Pair::join(|_| {}).await,
        };
        let former = one.oort.comets();
        far.refuse(true);
        far.cut();
        drop(other);
        near.cut();
        if is_noticed {
            one.was_told("left", 1).await;
        }
        far.refuse(false);
        let again = TestNode::behind(&far, |_| {}).await;
        // It was told of nobody: who was there before tries on.
        again.has_joined(1).await;
        one.has_joined(1).await;
        assert_ne!(one.oort.comets(), former);
        let url = far.url();
        let expected = [format!("joined {url}"), format!("left {url}"), format!("joined {url}")];
        assert_eq!(one.events.all(), expected);
    }
}

#[tokio::test]
async fn a_node_is_found_again_by_one_that_knows_it() {
    // Two nodes forget each other; the third knows both.
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let links = [Link::to(nowhere).await, Link::to(nowhere).await];
    let forgets = |config: &mut MeshConfig| {
        config.max_interval = Duration::from_millis(100);
        config.give_up = Duration::from_millis(500);
        config.advertise_interval = Duration::from_millis(300);
    };
    let third = TestNode::with(|_| {}, forgets).await;
    let mut nodes = Vec::new();
    for link in &links {
        let node = TestNode::behind(link, forgets).await;
        node.observe(&third);
        nodes.push(node);
    }
    for node in &nodes {
        node.has_joined(2).await;
    }
    assert!(nodes[0].mesh.deobserve_comet(nodes[1].url()));
    for node in &nodes {
        node.was_told("left", 1).await;
        node.was_told("joined", 3).await;
        node.has_joined(2).await;
    }
}

#[tokio::test]
async fn a_url_that_leads_to_another_node_after_a_break_leaves_nobody_half_a_member() {
    let link = Link::to("127.0.0.1:1".parse().unwrap()).await;
    let aliased = |config: &mut MeshConfig| {
        impatient(config);
        config.aliases = vec![link.url()];
    };
    let (first, second) =
        (TestNode::with(|_| {}, aliased).await, TestNode::with(|_| {}, aliased).await);
    link.lead_to(first.server.address);
    let node = TestNode::with(|_| {}, impatient).await;
    node.mesh.observe_comet(&link.url()).unwrap();
    node.has_joined(1).await;
    link.lead_to(second.server.address);
    link.cut();
    // The first one has not gone: it is found by its own URL.
    for node in [&node, &first, &second] {
        node.has_joined(2).await;
    }
}
