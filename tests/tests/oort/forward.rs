//! What is published on one node reaches the subscribers of all.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_oort::{
    Answer, Comet, CometListener, MeshConfig, ObserveChannelError, Oort, OortService,
    OortStringMap, Request,
};
use bayeux_server::{
    Config,
    api::{
        Flow,
        server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
    },
};
use serde_json::{Value, json};
use tests::{
    Client, TestNode, Transport,
    cluster::{cluster, join_all},
    eventually,
    hooks::Log,
    within,
};

/// Returns a client of each node, which is subscribed to `channel`.
async fn readers(nodes: &[TestNode], channel: &str) -> Vec<Client> {
    let mut clients = Vec::new();
    for node in nodes {
        let mut client = node.server.connected(Transport::WebSocket).await;
        client.subscribe(channel).await;
        clients.push(client);
    }
    clients
}

/// Has all nodes observe `channel`.
async fn observe(nodes: &[TestNode], channel: &str) {
    for node in nodes {
        node.oort.observe_channel(channel).unwrap();
    }
    for node in nodes {
        node.is_observed(channel, nodes.len() - 1).await;
    }
}

/// Returns all that came on `channel` before the message `end` did.
async fn until_end(client: &mut Client, channel: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    loop {
        let message = client.message_on(channel).await;
        if message["data"] == "end" {
            return seen;
        }
        seen.push(message);
    }
}

#[tokio::test]
async fn what_is_published_on_one_node_reaches_the_subscribers_of_all_once() {
    let nodes = cluster(3).await;
    observe(&nodes, "/chat/**").await;
    let mut clients = readers(&nodes, "/chat/room").await;
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

#[tokio::test]
async fn only_a_node_that_observes_a_channel_gets_what_others_publish() {
    let nodes = cluster(2).await;
    nodes[0].oort.observe_channel("/chat").unwrap();
    nodes[1].is_observed("/chat", 1).await;
    let mut clients = readers(&nodes, "/chat").await;
    for (client, text) in clients.iter_mut().zip(["of the first", "of the second"]) {
        client.publish("/chat", json!(text)).await;
        client.publish("/chat", json!("end")).await;
    }
    let seen = until_end(&mut clients[1], "/chat").await;
    assert_eq!(seen.iter().map(|it| &it["data"]).collect::<Vec<_>>(), ["of the second"]);
    let mut seen = until_end(&mut clients[0], "/chat").await;
    seen.extend(until_end(&mut clients[0], "/chat").await);
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test]
async fn what_is_observed_no_more_does_not_come_any_more() {
    let nodes = cluster(2).await;
    observe(&nodes, "/a").await;
    observe(&nodes, "/fence").await;
    let mut reader = readers(&nodes[..1], "/a").await.remove(0);
    reader.subscribe("/fence").await;
    assert!(nodes[0].oort.deobserve_channel("/a") && !nodes[0].oort.deobserve_channel("/a"));
    nodes[1].is_observed("/a", 0).await;
    let mut writer = nodes[1].server.connected(Transport::WebSocket).await;
    writer.publish("/a", json!(1)).await;
    writer.publish("/fence", json!(1)).await;
    assert_eq!(reader.channels_until("/fence").await, ["/fence"]);
}

#[tokio::test]
async fn channels_that_overlap_bring_each_message_once() {
    let nodes = cluster(2).await;
    for channel in ["/d/one", "/d/*", "/d/**", "/**"] {
        observe(&nodes, channel).await;
    }
    let mut reader = readers(&nodes[..1], "/d/one").await.remove(0);
    let mut writer = nodes[1].server.connected(Transport::WebSocket).await;
    for number in 0..20 {
        writer.publish("/d/one", json!(number)).await;
    }
    writer.publish("/d/one", json!("end")).await;
    let seen = until_end(&mut reader, "/d/one").await;
    let numbers: Vec<_> = seen.iter().map(|message| message["data"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_message_comes_as_it_was_published() {
    let nodes = cluster(2).await;
    observe(&nodes, "/chat").await;
    let mut reader = readers(&nodes[..1], "/chat").await.remove(0);
    let mut writer = nodes[1].server.connected(Transport::WebSocket).await;
    let fields = [
        json!({ "data": { "a": 1.0, "b": [null, 9_007_199_254_740_993_i64] }, "ext": { "x": 1 } }),
        json!({ "data": null, "custom": "z", "and": { "more": [] } }),
        // As CometD's binary extension sends bytes.
        json!({ "data": { "data": "HelloWorld", "last": true, "meta": {} }, "ext": { "binary": {} } }),
    ];
    for fields in fields {
        writer.request("/chat", fields.clone()).await;
        let mut message = reader.message_on("/chat").await;
        let channel = message.as_object_mut().unwrap().remove("channel");
        assert_eq!(channel, Some(json!("/chat")));
        assert_eq!(message, fields);
    }
}

#[tokio::test]
async fn what_the_server_itself_publishes_crosses_too() {
    let nodes = cluster(2).await;
    observe(&nodes, "/news").await;
    let mut reader = readers(&nodes[..1], "/news").await.remove(0);
    let server = &nodes[1].server.server;
    let news = server.create_channel_if_absent("/news").unwrap();
    news.publish(json!("of nobody")).await.unwrap();
    let session = server.new_local_session("of a service");
    session.handshake(Default::default()).await.unwrap();
    let channel = session.channel("/news").unwrap();
    let message = bayeux_server::api::Message::with_data("/news", json!("of a service"));
    channel.publish(message).await.unwrap();
    for text in ["of nobody", "of a service"] {
        assert_eq!(reader.message_on("/news").await["data"], text);
    }
}

#[tokio::test]
async fn only_broadcast_channels_are_observed() {
    let node = TestNode::start().await;
    for channel in ["/service/x", "/meta/connect", "/service/**"] {
        let refused = node.oort.observe_channel(channel).unwrap_err();
        assert!(matches!(&refused, ObserveChannelError::NotBroadcast(_)), "{refused}");
    }
    assert!(matches!(node.oort.observe_channel("chat"), Err(ObserveChannelError::Name(_))));
    node.oort.observe_channel("/a").unwrap();
    node.oort.observe_channel("/a").unwrap();
    assert_eq!(node.oort.observed_channels().len(), 1);
}

/// Publishes when a node joins.
#[derive(Debug)]
struct Greets(Oort);

#[async_trait]
impl CometListener for Greets {
    async fn comet_joined(&self, _comet: &Comet) {
        let channel = self.0.server().create_channel_if_absent("/hello").unwrap();
        channel.publish(json!(self.0.own().url())).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_published_when_a_node_joined_reaches_it() {
    for _ in 0..5 {
        let nodes = [TestNode::start().await, TestNode::start().await];
        nodes[1].oort.observe_channel("/hello").unwrap();
        let mut reader = readers(&nodes[1..], "/hello").await.remove(0);
        let greets = Greets(nodes[0].oort.clone());
        nodes[0].oort.add_comet_listener(Arc::new(greets)).keep();
        join_all(&nodes).await;
        assert_eq!(reader.message_on("/hello").await["data"], nodes[0].url());
    }
}

const MEBIBYTE: usize = 1024 * 1024;

/// Starts two nodes, which send each other what has 2 MiB, and what a client of the second one may send is larger.
async fn with_limits() -> [TestNode; 2] {
    let clients = |config: &mut Config| config.websocket.max_message_size = 8 * MEBIBYTE;
    let between = |config: &mut MeshConfig| config.max_message_size = 2 * MEBIBYTE;
    let nodes = [TestNode::with(|_| {}, between).await, TestNode::with(clients, between).await];
    join_all(&nodes).await;
    observe(&nodes, "/chat").await;
    nodes
}

#[tokio::test]
async fn a_message_may_be_as_large_as_nodes_were_told() {
    let nodes = with_limits().await;
    let mut reader = readers(&nodes[..1], "/chat").await.remove(0);
    let mut writer = nodes[1].server.connected(Transport::WebSocket).await;
    // The server of the reader's node takes less than that of its own clients.
    for size in [90_000, 3 * MEBIBYTE / 2] {
        writer.publish("/chat", json!("x".repeat(size))).await;
        let data = reader.message_on("/chat").await["data"].take();
        assert_eq!(data.as_str().map(str::len), Some(size));
    }
    // What is for one node alone comes by the connection that the sender has made.
    let echo = async |request: Request| Answer::success(request.parameter);
    let services = nodes.each_ref().map(|node| OortService::start(&node.oort, "echo", echo));
    let [_other, service] = services.map(Result::unwrap);
    let text = "x".repeat(3 * MEBIBYTE / 2);
    let result = service.forward_json(Some(nodes[0].url()), text.as_str());
    assert_eq!(within("the result", result).await, Ok(text.as_str().into()));
}

/// Asks the node that it hears, and waits for the answer.
#[derive(Debug)]
struct Asks(OortService, Log);

#[async_trait]
impl ServerChannelListener for Asks {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        let url = message.data.as_ref().unwrap().to::<String>().unwrap();
        let answer = self.0.forward::<u64>(Some(&url), 1).await;
        self.1.add(format!("{answer:?}"));
        Flow::Continue
    }
}

#[tokio::test]
async fn a_listener_may_wait_for_the_very_node_that_it_hears() {
    let nodes = cluster(2).await;
    observe(&nodes, "/chat").await;
    let mut services = Vec::new();
    for node in &nodes {
        let answer = async |request: Request| Answer::success(request.parameter);
        services.push(OortService::start(&node.oort, "echo", answer).unwrap());
    }
    let log = Log::default();
    let channel = nodes[0].server.server.create_channel_if_absent("/chat").unwrap();
    channel.add_listener(Arc::new(Asks(services[0].clone(), log.clone()))).keep();
    let mut writer = nodes[1].server.connected(Transport::WebSocket).await;
    writer.publish("/chat", json!(nodes[1].url())).await;
    log.until("Ok(1)").await;
}

#[derive(Debug)]
struct Never;

#[async_trait]
impl ServerChannelListener for Never {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_listener_that_never_returns_holds_up_no_object_however_much_waits_for_it() {
    let nodes = cluster(2).await;
    observe(&nodes, "/chat").await;
    let near = OortStringMap::<u64>::start(&nodes[0].oort, "map").await.unwrap();
    let far = OortStringMap::<u64>::start(&nodes[1].oort, "map").await.unwrap();
    let channel = nodes[1].server.server.create_channel_if_absent("/chat").unwrap();
    channel.add_listener(Arc::new(Never)).keep();
    let channel = nodes[0].server.server.create_channel_if_absent("/chat").unwrap();
    // 16 MiB may wait, and one message for ten seconds.
    let text = "x".repeat(1024 * 1024);
    for number in 0..24_u64 {
        channel.publish(json!([number, text])).await.unwrap();
    }
    near.put_and_share("after".to_owned(), 1).await.unwrap();
    eventually("what is put afterwards", || far.find("after") == Some(1)).await;
    assert!(nodes[1].oort.broadcasts_dropped() > 0);
}

#[tokio::test]
async fn what_is_too_large_for_a_node_keeps_nothing_else_from_it() {
    let one = TestNode::start().await;
    let other = TestNode::with(|_| {}, |config| config.max_message_size = 20_000).await;
    other.observe(&one);
    one.has_joined(1).await;
    other.has_joined(1).await;
    other.oort.observe_channel("/chat").unwrap();
    one.is_observed("/chat", 1).await;
    let mut reader = other.server.connected(Transport::WebSocket).await;
    reader.subscribe("/chat").await;
    let mut writer = one.server.connected(Transport::WebSocket).await;
    writer.publish("/chat", json!("x".repeat(40_000))).await;
    // It is told that the other has missed something.
    one.was_told("left", 1).await;
    one.has_joined(1).await;
    one.is_observed("/chat", 1).await;
    writer.publish("/chat", json!("small")).await;
    assert_eq!(reader.message_on("/chat").await["data"], "small");
}
