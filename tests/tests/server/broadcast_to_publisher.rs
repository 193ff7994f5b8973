//! Whether a publisher hears itself: the server, the channel and the session all have to agree.

use std::sync::Arc;

use bayeux_server::{Server, api::Message};
use serde_json::json;
use tests::{Client, TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    a_session_that_does_not_want_to_does_not_hear_itself,
    a_server_that_does_not_want_it_sets_it_for_new_sessions,
    a_channel_that_does_not_want_it_lets_others_hear,
    a_wild_subscription_hears_what_the_exact_channel_keeps_back,
    the_exact_and_the_wild_channel_may_both_keep_it_back,
    answers_and_farewells_still_arrive,
);

/// Publishes on `/a`, then lets another client publish; returns what the first got.
async fn heard(server: &TestServer, client: &mut Client) -> Vec<serde_json::Value> {
    client.subscribe("/end").await;
    client.publish("/a", json!("own")).await;
    let mut other = server.handshaken(client.transport).await;
    other.publish("/a", json!("other's")).await;
    other.publish("/end", json!(1)).await;
    client.message_on("/end").await;
    client.received_on("/a").into_iter().map(|mut message| message["data"].take()).collect()
}

async fn a_session_that_does_not_want_to_does_not_hear_itself(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    assert!(session.is_broadcast_to_publisher());
    session.set_broadcast_to_publisher(false);
    assert_eq!(heard(&server, &mut client).await, ["other's"]);
    session.set_broadcast_to_publisher(true);
    assert_eq!(heard(&server, &mut client).await, ["own", "other's"]);
}

async fn a_server_that_does_not_want_it_sets_it_for_new_sessions(transport: Transport) {
    let server = TestServer::start(|config| config.broadcast_to_publisher = false).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    assert_eq!(heard(&server, &mut client).await, ["other's"]);
    server.session(&client).set_broadcast_to_publisher(true);
    assert_eq!(heard(&server, &mut client).await, ["own", "other's"]);
}

async fn a_channel_that_does_not_want_it_lets_others_hear(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    channel.set_broadcast_to_publisher(false);
    assert!(!channel.is_broadcast_to_publisher());
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    assert_eq!(heard(&server, &mut client).await, ["other's"]);
}

async fn a_wild_subscription_hears_what_the_exact_channel_keeps_back(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    channel.set_broadcast_to_publisher(false);
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.subscribe("/**").await;
    assert_eq!(heard(&server, &mut client).await, ["own", "other's"]);
}

async fn the_exact_and_the_wild_channel_may_both_keep_it_back(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    for id in ["/a", "/*"] {
        let channel = server.server.create_channel_if_absent(id).unwrap().channel();
        channel.set_broadcast_to_publisher(false);
        client.subscribe(id).await;
    }
    assert_eq!(heard(&server, &mut client).await, ["other's"]);
}

async fn answers_and_farewells_still_arrive(transport: Transport) {
    let server = TestServer::start(|config| config.broadcast_to_publisher = false).await;
    let mut service = server.server.new_service("echo").await.unwrap();
    service.on_message("/service/echo", async |request| request.message.data).unwrap();
    let mut client = server.connected(transport).await;
    client.publish("/service/echo", json!(1)).await;
    assert_eq!(client.message_on("/service/echo").await["data"], 1);
    let session = server.session(&client);
    session.deliver_from(&*session, Message::with_data("/service/a", json!(2))).await;
    assert_eq!(client.message_on("/service/a").await["data"], 2);
    client.hold().await;
    session.disconnect().await;
    client.expect("the farewell", |message| message["channel"] == "/meta/disconnect").await;
}

#[tokio::test]
async fn local_sessions_are_no_exception() {
    let server = Server::new();
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    let log = Log::default();
    let channel = local.channel("/a").unwrap();
    let _subscription = channel.subscribe(Arc::new(log.clone())).await.unwrap();
    local.server_session().unwrap().set_broadcast_to_publisher(false);
    channel.publish(Message::with_data("", json!("own"))).await.unwrap();
    let published = server.channel("/a").unwrap();
    published.publish(json!("other's")).await.unwrap();
    log.until("/a \"other's\"").await;
    assert_eq!(log.entries(), ["/a \"other's\""]);
}
