//! How a session ends: by the client, by the server, by an abort and by nobody holding it.

use bayeux_client::{
    State,
    api::{
        ConnectionType,
        client::{ClientSession as _, FailureKind, RequestError},
    },
};
use serde_json::json;
use tests::{
    TestServer, arrive, brisk, brisk_client, eventually, over_every_client_transport, within,
};

use crate::scene::wire;

over_every_client_transport!(
    a_disconnect_is_answered_and_ends_streams,
    a_disconnect_of_the_server_ends_the_session_and_streams,
    an_abort_fails_what_waits_and_ends_streams,
    a_disconnect_without_a_session_fails,
    a_disconnect_during_the_handshake_ends_it,
    what_was_published_before_the_disconnect_arrives,
    a_client_that_nobody_holds_goes,
    a_stream_keeps_its_client,
);

async fn a_disconnect_is_answered_and_ends_streams(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let mut messages = within("it", client.channel("/chat").unwrap().subscribe()).await.unwrap();
    let reply = within("the disconnect", client.disconnect()).await.unwrap();
    assert_eq!((reply.channel(), reply.successful), ("/meta/disconnect", Some(true)));
    arrive(&client, State::Disconnected).await;
    assert!(within("the stream's end", messages.next()).await.is_none());
    assert!(client.is_disconnected() && !client.is_handshook() && !client.is_connected());
    assert_eq!(client.id(), None);
    assert!(server.server.sessions().is_empty());
}

async fn a_disconnect_of_the_server_ends_the_session_and_streams(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    let sent = wire(&client);
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let mut messages = within("it", client.channel("/chat").unwrap().subscribe()).await.unwrap();
    let call = client.remote_call("nobody", json!(1)).unwrap();
    server.server.sessions().remove(0).disconnect().await;
    arrive(&client, State::Disconnected).await;
    assert!(within("the stream's end", messages.next()).await.is_none());
    within("the call", call).await.unwrap_err();
    assert_eq!([sent.count("/meta/handshake"), sent.count("/meta/disconnect")], [1, 0]);
}

async fn an_abort_fails_what_waits_and_ends_streams(transport: ConnectionType) {
    let server = TestServer::start(brisk).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    let published = chat.publish(json!(1));
    client.abort();
    let Err(RequestError::Failed(failure)) = within("the publish", published).await else {
        panic!("it was answered")
    };
    assert_eq!(failure.kind, FailureKind::Aborted);
    assert!(within("the stream's end", messages.next()).await.is_none());
    arrive(&client, State::Disconnected).await;
    eventually("the server to forget it", || server.server.sessions().is_empty()).await;
    assert_eq!(sent.count("/meta/disconnect"), 0);
}

async fn a_disconnect_without_a_session_fails(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let before = within("the disconnect", client.disconnect()).await;
    assert_eq!(before.unwrap_err(), RequestError::NotHandshaken);
    within("the handshake", client.handshake()).await.unwrap();
    let (first, second) = (client.disconnect(), client.disconnect());
    within("the first", first).await.unwrap();
    assert_eq!(within("second", second).await.unwrap_err(), RequestError::NotHandshaken);
}

async fn a_disconnect_during_the_handshake_ends_it(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let (handshake, disconnect) = (client.handshake(), client.disconnect());
    within("the handshake", handshake).await.unwrap_err();
    within("the disconnect", disconnect).await.unwrap_err();
    arrive(&client, State::Disconnected).await;
    within("the next handshake", client.handshake()).await.unwrap();
}

async fn what_was_published_before_the_disconnect_arrives(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let other = server.bayeux_client(transport).await;
    let mut messages = within("it", other.channel("/chat").unwrap().subscribe()).await.unwrap();
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let replies: Vec<_> = (0..20).map(|number| chat.publish(json!(number))).collect();
    let disconnect = client.disconnect();
    for reply in replies {
        assert!(within("a reply", reply).await.unwrap().is_successful());
    }
    within("the disconnect", disconnect).await.unwrap();
    for number in 0..20 {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(number));
    }
}

async fn a_client_that_nobody_holds_goes(transport: ConnectionType) {
    let server = TestServer::start(brisk).await;
    let client = server.bayeux_client(transport).await;
    let (clone, states) = (client.clone(), client.states());
    drop(client);
    assert!(clone.is_connected());
    drop(clone);
    // The sender of the states is the client's own.
    eventually("its task to end", || states.is_over()).await;
    eventually("the server to forget it", || server.server.sessions().is_empty()).await;
}

async fn a_stream_keeps_its_client(transport: ConnectionType) {
    let server = TestServer::start(brisk).await;
    let client = server.bayeux_client(transport).await;
    let mut messages = within("it", client.channel("/chat").unwrap().subscribe()).await.unwrap();
    let states = client.states();
    drop(client);
    let other = server.bayeux_client(transport).await;
    within("publish", other.channel("/chat").unwrap().publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
    drop(messages);
    eventually("its task to end", || states.is_over()).await;
}
