//! A session from its handshake to its end.

use bayeux_client::{
    State,
    api::{ConnectionType, client::ClientSession as _},
};
use serde_json::json;
use tests::{DEADLINE, TestServer, arrive, over_every_client_transport, within};

async fn a_session_from_its_handshake_to_its_end(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    assert!(client.is_connected());
    let channel = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", channel.subscribe()).await.unwrap();
    within("publish", channel.publish(json!("hello"))).await.unwrap();
    let message = within("message", messages.next()).await.unwrap();
    assert_eq!(message.data.unwrap(), json!("hello"));
    within("disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
    assert!(within("end", messages.next()).await.is_none());
}

async fn who_waits_for_the_end_does_not_get_the_beginning(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let reply = client.handshake();
    let either = client.wait_for(DEADLINE, &[State::Connected, State::Disconnected]).await;
    assert!(either && client.state() == State::Connected, "{}", client.state());
    reply.await.unwrap();
}

over_every_client_transport!(
    a_session_from_its_handshake_to_its_end,
    who_waits_for_the_end_does_not_get_the_beginning,
);
