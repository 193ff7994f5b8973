//! The log says why a node is not reached.

use std::sync::Mutex;

use bayeux_oort::MeshConfig;
use tests::{Errors, TestServer, cluster::TestNode, eventually};
use tokio::net::TcpListener;

/// What a log has said.
struct Said {
    log: Errors,
    lines: Mutex<Vec<String>>,
}

impl Said {
    fn listen() -> Self {
        Self { log: Errors::and_warnings(), lines: Mutex::default() }
    }

    /// Waits until a warning of `url` says `what`.
    async fn is_said(&self, url: &str, what: &str) {
        eventually(&format!("of {url}: {what}"), || {
            let mut lines = self.lines.lock().unwrap();
            lines.append(&mut self.log.take());
            lines.iter().any(|line| line.contains(url) && line.contains(what))
        })
        .await;
    }
}

#[tokio::test]
async fn nobody_is_there() {
    let (log, node) = (Said::listen(), TestNode::start().await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/cometd");
    node.mesh.observe_comet(&url).unwrap();
    log.is_said(&url, "refused by").await;
}

#[tokio::test]
async fn who_is_there_is_no_node() {
    let (log, node) = (Said::listen(), TestNode::start().await);
    let server = TestServer::start(|_| {}).await;
    node.mesh.observe_comet(&server.url()).unwrap();
    log.is_said(&server.url(), "is no node").await;
}

#[tokio::test]
async fn the_secret_is_another() {
    let (log, node) = (Said::listen(), TestNode::start().await);
    let change = |config: &mut MeshConfig| config.secret = Some("another".to_owned());
    let stranger = TestNode::with(|_| {}, change).await;
    stranger.observe(&node);
    // One says what it refuses, and the other that it is refused.
    log.is_said(stranger.url(), "its secret is not the cloud's").await;
    log.is_said(node.url(), "refuses this one").await;
}

#[tokio::test]
async fn who_answers_cannot_come_back() {
    let (log, node) = (Said::listen(), TestNode::start().await);
    let server = TestServer::start(|_| {}).await;
    let unreachable = TestNode::at(server, "http://127.0.0.1:1/cometd", |_| {}).await;
    unreachable.observe(&node);
    log.is_said(node.url(), "does it reach this one at http://127.0.0.1:1/cometd?").await;
}
