//! A session from its handshake to its end.

use bayeux_client::{
    BayeuxClient, State,
    api::{ConnectionType, client::ClientSession as _},
};
use serde_json::json;
use tests::{DEADLINE, TestServer, arrive, over_every_client_transport, within};
use tokio::sync::oneshot;

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

/// What changes the configuration is the application's, which may use the client meanwhile.
#[tokio::test]
async fn the_configuration_is_changed_by_code_that_uses_the_client() {
    let client = BayeuxClient::new("http://localhost/cometd").unwrap();
    let (done, finished) = oneshot::channel();
    // A thread of its own, which would wait for itself for ever.
    std::thread::spawn(move || {
        client.configure(|config| {
            assert_eq!(client.state(), State::Disconnected);
            config.acknowledgements = true;
        });
        let _ = done.send(());
    });
    within("the configuration to be changed", finished).await.unwrap();
}

over_every_client_transport!(
    a_session_from_its_handshake_to_its_end,
    who_waits_for_the_end_does_not_get_the_beginning,
);
