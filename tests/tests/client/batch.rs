//! Batches: what is asked for in one is sent in one request.

use bayeux_client::api::{ConnectionType, client::RequestError};
use serde_json::json;
use tests::{TestServer, over_every_client_transport, within};

use crate::scene::wire;

over_every_client_transport!(
    a_batch_is_one_request,
    only_the_outermost_batch_sends,
    a_batch_by_the_contract_tells_whether_it_was_the_outermost,
    what_is_in_a_batch_is_sent_before_the_disconnect,
    an_abort_fails_what_is_in_a_batch,
    an_empty_batch_sends_nothing,
);

async fn a_batch_is_one_request(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let chat = client.channel("/chat").unwrap();
    let (subscribed, first, second) =
        client.batch(|| (chat.subscribe(), chat.publish(json!(1)), chat.publish(json!(2))));
    let mut messages = within("subscribe", subscribed).await.unwrap();
    within("the first", first).await.unwrap();
    within("the second", second).await.unwrap();
    for data in [1, 2] {
        let message = within("message", messages.next()).await.unwrap();
        assert_eq!(message.data.unwrap(), json!(data));
    }
    assert_eq!(sent.count("/meta/subscribe /chat /chat"), 1);
}

async fn only_the_outermost_batch_sends(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let (outer, inner) = (client.start_batch(), client.start_batch());
    let first = client.channel("/a").unwrap().publish(json!(1));
    drop(outer);
    let second = client.batch(|| client.channel("/b").unwrap().publish(json!(2)));
    inner.end();
    within("the first", first).await.unwrap();
    within("the second", second).await.unwrap();
    let sent = sent.entries();
    let published: Vec<_> = sent.iter().filter(|entry| *entry != "/meta/connect").collect();
    assert_eq!(published, ["/a /b"]);
}

async fn a_batch_by_the_contract_tells_whether_it_was_the_outermost(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    drop(client.start_batch());
    let guard = client.start_batch();
    let session: &dyn bayeux_client::api::client::ClientSession = &client;
    let inner = session.start_batch();
    let first = client.channel("/a").unwrap().publish(json!(1));
    let second = client.channel("/b").unwrap().publish(json!(1));
    inner.end();
    assert_eq!(sent.count("/a /b"), 0);
    guard.end();
    within("the first", first).await.unwrap();
    within("the second", second).await.unwrap();
    assert_eq!(sent.count("/a /b"), 1);
}

async fn what_is_in_a_batch_is_sent_before_the_disconnect(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let batch = client.start_batch();
    let published = client.channel("/a").unwrap().publish(json!(1));
    let disconnected = client.disconnect();
    within("the publish", published).await.unwrap();
    within("the disconnect", disconnected).await.unwrap();
    drop(batch);
}

async fn an_abort_fails_what_is_in_a_batch(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let batch = client.start_batch();
    let published = client.channel("/a").unwrap().publish(json!(1));
    client.abort();
    let failed = within("the publish", published).await;
    assert!(matches!(failed, Err(RequestError::Failed(_))), "{failed:?}");
    // The batch belongs to the client, not to the next session.
    drop(batch);
    within("the handshake", client.handshake()).await.unwrap();
    within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
}

async fn an_empty_batch_sends_nothing(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    client.batch(|| {});
    within("publish", client.channel("/end").unwrap().publish(json!(1))).await.unwrap();
    let sent = sent.entries();
    assert!(sent.iter().all(|entry| entry == "/meta/connect" || entry == "/end"), "{sent:?}");
}
