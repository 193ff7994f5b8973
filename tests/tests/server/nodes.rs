//! Sessions of other nodes: what one publishes is sent to no other, and who is one is the server's decision.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::{
    Server,
    api::{
        Flow, Message,
        server::{
            BayeuxServer, SecurityPolicy, ServerMessage, ServerSession, SessionKind,
            SessionListener,
        },
    },
};
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, hooks::incoming, over_every_transport};

over_every_transport!(
    what_a_node_publishes_is_sent_to_all_but_nodes,
    a_session_becomes_a_node_by_whichever_hook_sees_its_handshake,
);

/// Takes for a node whoever says so to it.
#[derive(Debug)]
struct Trusts;

fn says(message: &Message, to: &str) -> bool {
    message.ext_field("node") == Some(json!(to))
}

#[async_trait]
impl SecurityPolicy for Trusts {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> bool {
        if says(message, "policy") {
            session.set_node();
        }
        true
    }
}

#[async_trait]
impl SessionListener for Trusts {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, message: &ServerMessage) {
        if says(message, "listener") {
            session.set_node();
        }
    }
}

async fn a_session_becomes_a_node_by_whichever_hook_sees_its_handshake(transport: Transport) {
    let server = TestServer::serve(Server::builder().policy(Trusts).build()).await;
    server.server.add_session_listener(Arc::new(Trusts)).keep();
    let extension = incoming(|session, message| {
        if says(message, "extension") {
            session.unwrap().set_node();
        }
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    for (to, kind) in [
        ("policy", SessionKind::Node),
        ("extension", SessionKind::Node),
        ("listener", SessionKind::Node),
        ("nobody", SessionKind::Client),
    ] {
        let mut client = server.client(transport).await;
        client.try_handshake(json!({ "ext": { "node": to } })).await;
        let session = server.session(&client);
        assert_eq!((session.kind(), session.is_local_session()), (kind, false), "{to}");
    }
}

/// Returns what the client got on `/a`, up to the message on `/end`.
async fn heard(client: &mut Client) -> Vec<Value> {
    client.message_on("/end").await;
    client.received_on("/a").into_iter().map(|mut message| message["data"].take()).collect()
}

async fn what_a_node_publishes_is_sent_to_all_but_nodes(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut plain = server.connected(transport).await;
    let mut node = server.connected(transport).await;
    let mut other = server.connected(transport).await;
    server.session(&node).set_node();
    server.session(&other).set_node();
    for (client, channel) in [(&mut plain, "/a"), (&mut node, "/a"), (&mut other, "/**")] {
        client.subscribe(channel).await;
        client.subscribe("/end").await;
    }
    let (relay, service) = (local(&server, "relay").await, local(&server, "service").await);
    relay.set_node();
    assert!(relay.is_local_session());
    assert_eq!((relay.kind(), service.kind()), (SessionKind::Node, SessionKind::Local));

    plain.publish("/a", json!("a client's")).await;
    node.publish("/a", json!("a node's")).await;
    let channel = server.server.channel("/a").unwrap();
    for (from, text) in [
        (Some(&relay), "another node's, relayed"),
        (Some(&service), "a service's"),
        (None, "nobody's"),
    ] {
        let published = match from {
            Some(from) => channel.publish_from(&**from, json!(text)).await,
            None => channel.publish(json!(text)).await,
        };
        published.unwrap();
    }
    let end = server.server.channel("/end").unwrap();
    end.publish(json!(1)).await.unwrap();

    let own = ["a client's", "a service's", "nobody's"];
    assert_eq!(heard(&mut node).await, own);
    assert_eq!(heard(&mut other).await, own);
    assert_eq!(
        heard(&mut plain).await,
        ["a client's", "a node's", "another node's, relayed", "a service's", "nobody's"]
    );
}

async fn local(server: &TestServer, name: &str) -> Arc<bayeux_server::Session> {
    let local = server.server.new_local_session(name);
    local.handshake(Message::default()).await.unwrap();
    let session = server.server.session(&local.id().unwrap()).unwrap();
    // It lives as long as the session does.
    session.set_attribute("local", Arc::new(local));
    session
}
