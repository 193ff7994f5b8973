//! Whom the messages of a part of the channels reach, and who may use it.

use std::sync::Arc;

use bayeux_server::api::{
    Message,
    server::{Access, GrantAuthorizer, LocalSession, Reach},
};
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, brisk, eventually, hooks::Log, over_every_transport};

over_every_transport!(
    clients_of_wider_channels_get_nothing_of_an_exact_part,
    the_servers_own_code_and_nodes_get_all_of_it,
    the_narrowest_of_several_counts,
    a_part_for_the_cluster_is_denied_to_clients,
    a_part_for_the_cluster_is_open_to_nodes_and_to_the_servers_own_code,
    what_is_set_for_a_part_stays,
);

fn channel(server: &TestServer, id: &str) -> Arc<bayeux_server::Channel> {
    server.server.create_channel_if_absent(id).unwrap().channel()
}

/// A client that is subscribed to these channels.
async fn subscribed(server: &TestServer, transport: Transport, channels: &[&str]) -> Client {
    let mut client = server.connected(transport).await;
    for channel in channels {
        client.subscribe(channel).await;
    }
    client
}

/// Publishes on these channels, and returns on which of them each client got something, and how often.
async fn heard(server: &TestServer, ids: &[&str], clients: &mut [Client]) -> Vec<Vec<String>> {
    for id in ids {
        publish(server, id).await;
    }
    let mut heard = Vec::new();
    for client in clients {
        client.subscribe("/end").await;
        publish(server, "/end").await;
        let mut channels = client.channels_until("/end").await;
        channels.retain(|channel| channel != "/end");
        heard.push(channels);
    }
    heard
}

async fn publish(server: &TestServer, id: &str) {
    channel(server, id).publish(json!(id)).await.unwrap();
}

async fn clients_of_wider_channels_get_nothing_of_an_exact_part(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let part = channel(&server, "/part/**");
    assert_eq!(part.reach(), Reach::All);
    part.set_reach(Reach::Exact);
    assert_eq!(part.reach(), Reach::Exact);
    let mut clients = Vec::new();
    for channels in
        [&["/**"][..], &["/part/a"], &["/part/*"], &["/part/**"], &["/**", "/part/a"], &["/*"]]
    {
        clients.push(subscribed(&server, transport, channels).await);
    }
    let [all, below, both] = [&["/part/a", "/b"][..], &["/part/a"], &["/b"]];
    let expected = [both, below, below, below, all, both];
    assert_eq!(heard(&server, &["/part/a", "/b"], &mut clients).await, expected);
    part.set_reach(Reach::All);
    let heard = heard(&server, &["/part/a"], &mut clients[..1]).await;
    assert_eq!(heard, [below]);
}

async fn the_servers_own_code_and_nodes_get_all_of_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    channel(&server, "/part/**").set_reach(Reach::Exact);
    let node = subscribed(&server, transport, &["/**"]).await;
    server.session(&node).set_node();
    let (local, log) = (local(&server).await, Log::default());
    let everything = local.channel("/**").unwrap();
    everything.subscribe(Arc::new(log.clone())).await.unwrap().keep();
    assert_eq!(heard(&server, &["/part/a"], &mut [node]).await, [["/part/a"]]);
    log.until(r#"/** "/part/a""#).await;
}

async fn the_narrowest_of_several_counts(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    for part in ["/part/deep/*", "/part/**"] {
        channel(&server, part).set_reach(Reach::Exact);
    }
    let mut clients = Vec::new();
    for channel in ["/**", "/part/**", "/part/deep/*"] {
        clients.push(subscribed(&server, transport, &[channel]).await);
    }
    let expected = [&[][..], &["/part/a"], &["/part/deep/a"]];
    assert_eq!(heard(&server, &["/part/a", "/part/deep/a"], &mut clients).await, expected);
}

async fn publishes(client: &mut Client, channel: &str) -> Value {
    client.request(channel, json!({ "data": 1 })).await["error"].take()
}

async fn subscribes(client: &mut Client, channel: &str) -> Value {
    let fields = json!({ "subscription": channel });
    client.request("/meta/subscribe", fields).await["error"].take()
}

async fn a_part_for_the_cluster_is_denied_to_clients(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    for part in ["/part/**", "/service/part"] {
        let part = channel(&server, part);
        assert_eq!(part.access(), Access::Everybody);
        part.set_access(Access::Cluster);
        assert_eq!(part.access(), Access::Cluster);
    }
    // Whoever grants it.
    channel(&server, "/**").add_authorizer(Arc::new(GrantAuthorizer::ALL)).keep();
    channel(&server, "/part/there").set_persistent(true);
    let mut client = server.connected(transport).await;
    let denied = |what: &str| json!(format!("403:denied_by_not_granting:{what}_denied"));
    assert_eq!(publishes(&mut client, "/part/new").await, denied("channel_create"));
    assert_eq!(publishes(&mut client, "/part/there").await, denied("publish"));
    assert_eq!(publishes(&mut client, "/service/part").await, denied("publish"));
    for new in ["/part/new", "/part/*", "/part/deep/**"] {
        assert_eq!(subscribes(&mut client, new).await, denied("create"), "{new}");
    }
    for there in ["/part/there", "/part/**"] {
        assert_eq!(subscribes(&mut client, there).await, denied("subscribe"), "{there}");
    }
    for open in ["/**", "/*", "/part", "/b"] {
        assert_eq!(subscribes(&mut client, open).await, Value::Null, "{open}");
    }
    channel(&server, "/part/**").set_access(Access::Everybody);
    assert_eq!(publishes(&mut client, "/part/new").await, Value::Null);
}

async fn a_part_for_the_cluster_is_open_to_nodes_and_to_the_servers_own_code(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    channel(&server, "/part/**").set_access(Access::Cluster);
    let mut node = server.connected(transport).await;
    server.session(&node).set_node();
    node.subscribe("/part/*").await;
    let local = local(&server).await;
    let own = local.channel("/part/local").unwrap();
    own.subscribe(Arc::new(Log::default())).await.unwrap().keep();
    own.publish(Message::with_data("/part/local", json!(1))).await.unwrap();
    assert_eq!(node.message_on("/part/local").await["data"], 1);
    node.publish("/part/new", json!(1)).await;
}

async fn local(server: &TestServer) -> Arc<dyn LocalSession> {
    let local = server.server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    local
}

async fn what_is_set_for_a_part_stays(transport: Transport) {
    let server = TestServer::start(brisk).await;
    channel(&server, "/exact/**").set_reach(Reach::Exact);
    channel(&server, "/closed/**").set_access(Access::Cluster);
    assert!(!channel(&server, "/exact/**").is_persistent());
    let is_there = |id: &str| server.server.channel(id).is_some();
    for _ in 0..3 {
        server.handshaken(transport).await.publish("/b", json!(1)).await;
        eventually("a channel that nobody uses to go", || !is_there("/b")).await;
    }
    assert!(is_there("/exact/**") && is_there("/closed/**"));
    channel(&server, "/exact/**").set_reach(Reach::All);
    channel(&server, "/closed/**").set_access(Access::Everybody);
    eventually("both to go", || !is_there("/exact/**") && !is_there("/closed/**")).await;
}
