//! The log says why a node is not reached.

use std::sync::Mutex;

use bayeux_oort::MeshConfig;
use tests::{Errors, TestServer, cluster::TestNode, eventually};
use tokio::net::TcpListener;

/// Waits until a warning of `url` says `what`.
async fn is_said(log: &Errors, url: &str, what: &str) {
    let lines = Mutex::new(Vec::new());
    eventually(&format!("of {url}: {what}"), || {
        let mut lines = lines.lock().unwrap();
        lines.append(&mut log.take());
        lines.iter().any(|line: &String| line.contains(url) && line.contains(what))
    })
    .await;
}

#[tokio::test]
async fn nobody_is_there() {
    let (log, node) = (Errors::and_warnings(), TestNode::start().await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/cometd");
    node.mesh.observe_comet(&url).unwrap();
    is_said(&log, &url, "refused by").await;
}

#[tokio::test]
async fn who_is_there_is_no_node() {
    let (log, node) = (Errors::and_warnings(), TestNode::start().await);
    let server = TestServer::start(|_| {}).await;
    node.mesh.observe_comet(&server.url()).unwrap();
    is_said(&log, &server.url(), "is no node").await;
}

#[tokio::test]
async fn the_secret_is_another() {
    let (log, node) = (Errors::and_warnings(), TestNode::start().await);
    let change = |config: &mut MeshConfig| config.secret = Some("another".to_owned());
    let stranger = TestNode::with(|_| {}, change).await;
    stranger.observe(&node);
    // One says what it refuses, and the other that it is refused.
    is_said(&log, stranger.url(), "its secret is not the cloud's").await;
    is_said(&log, node.url(), "refuses this one").await;
}

#[tokio::test]
async fn who_answers_cannot_come_back() {
    let (log, node) = (Errors::and_warnings(), TestNode::start().await);
    let server = TestServer::start(|_| {}).await;
    let unreachable = TestNode::at(server, "http://127.0.0.1:1/cometd", |_| {}).await;
    unreachable.observe(&node);
    is_said(&log, node.url(), "does it reach this one at http://127.0.0.1:1/cometd?").await;
}
