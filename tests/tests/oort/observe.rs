//! Nodes find each other, join and leave.

use tests::cluster::{TestNode, cluster};

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
async fn a_node_that_stops_left_at_once() {
    let nodes = cluster(3).await;
    nodes[2].oort.stop().await;
    for node in &nodes[..2] {
        node.has_joined(1).await;
        assert_eq!(node.events.count("left"), 1);
    }
    assert!(nodes[2].oort.comets().is_empty());
    assert_eq!(nodes[2].events.count("left"), 0, "who leaves is not told that others did");
}
