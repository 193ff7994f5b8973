//! What is published on one node reaches the subscribers of all.

use serde_json::json;
use tests::{Transport, cluster::cluster, eventually};

#[tokio::test]
async fn what_is_published_on_one_node_reaches_the_subscribers_of_all_once() {
    let nodes = cluster(3).await;
    let mut clients = Vec::new();
    for node in &nodes {
        node.oort.observe_channel("/chat/**").unwrap();
        let mut client = node.server.connected(Transport::WebSocket).await;
        client.subscribe("/chat/room").await;
        clients.push(client);
    }
    for node in &nodes {
        let is_observed = || {
            let channel = node.server.server.channel("/chat/**");
            channel.is_some_and(|channel| channel.subscribers().len() == 2)
        };
        eventually("the others observe the channel", is_observed).await;
    }
    for (index, client) in clients.iter_mut().enumerate() {
        client.publish("/chat/room", json!(index)).await;
    }
    for client in &mut clients {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(client.message_on("/chat/room").await["data"].as_u64().unwrap());
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    }
}
