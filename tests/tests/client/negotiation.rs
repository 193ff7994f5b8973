//! Which transport the client comes to, and what it tells of its state.

use std::time::Duration;

use bayeux_client::{
    BayeuxClient, State,
    api::{ConnectionType, client::ClientSession as _},
};
use bayeux_server::Config;
use serde_json::json;
use tests::{TestServer, arrive, brisk_client, eventually, over_every_client_transport, within};

use crate::scene::refusal;

over_every_client_transport!(
    the_states_end_where_the_client_does,
    waiting_for_what_never_comes_ends,
    waiting_is_content_with_what_implies_it,
);

async fn both(change: impl FnOnce(&mut Config)) -> (TestServer, BayeuxClient) {
    let server = TestServer::start(change).await;
    let client = BayeuxClient::builder().url(&server.url()).config(brisk_client()).build().unwrap();
    (server, client)
}

#[tokio::test]
async fn websocket_is_the_first_choice() {
    let (server, client) = both(|_| {}).await;
    let names = client.allowed_transports();
    assert_eq!(names, [ConnectionType::WebSocket, ConnectionType::LongPolling]);
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), ConnectionType::WebSocket);
    let session = server.server.sessions().remove(0);
    assert_eq!(session.transport(), Some(ConnectionType::WebSocket));
}

#[tokio::test]
async fn without_websocket_on_the_server_it_is_long_polling() {
    let (server, client) =
        both(|config| config.allowed_transports = vec![ConnectionType::LongPolling]).await;
    // The refused upgrade is no failure of the handshake, though its status is 400.
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    assert_eq!(client.transport(), ConnectionType::LongPolling);
    assert_eq!(server.server.sessions().len(), 1);
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
}

#[tokio::test]
async fn with_nothing_in_common_the_error_names_both_sides() {
    let server = TestServer::start(|config| {
        config.allowed_transports =
            vec![ConnectionType::LongPolling, ConnectionType::CallbackPolling];
    })
    .await;
    // The handshake itself comes by long-polling, and the reply does not offer it.
    let stop = tests::hooks::outgoing(|_, message| {
        if message.is_handshake() {
            message.supported_connection_types = Some(vec!["callback-polling".to_owned()]);
        }
        bayeux_client::api::Flow::Continue
    });
    server.server.add_extension(stop).keep();
    let client = server.builder(ConnectionType::LongPolling).build().unwrap();
    let error = refusal(within("the handshake", client.handshake()).await);
    assert_eq!(error, "405:c[long-polling],s[callback-polling]:no_transport");
    arrive(&client, State::Disconnected).await;
    assert_eq!(client.id(), None);
}

async fn the_states_end_where_the_client_does(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    let mut states = client.states();
    assert_eq!(states.current(), State::Disconnected);
    states.mark_unchanged();
    let watching = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(state) = states.changed().await {
            seen.push(state);
            if state == State::Disconnected {
                break;
            }
        }
        seen
    });
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    within("the disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
    let seen = within("the states", watching).await.unwrap();
    assert_eq!(seen.last(), Some(&State::Disconnected));
    assert!(seen.contains(&State::Connected), "{seen:?}");
}

async fn waiting_for_what_never_comes_ends(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let wait = client.wait_for(Duration::from_millis(20), &[State::Disconnected]);
    assert!(!within("the wait's end", wait).await);
    eventually("it to be connected", || client.is_connected()).await;
}

async fn waiting_is_content_with_what_implies_it(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    for state in [State::Handshaking, State::Handshaken, State::Connecting] {
        arrive(&client, state).await;
    }
    within("the disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
    arrive(&client, State::Disconnecting).await;
    arrive(&client, State::Terminating).await;
}
