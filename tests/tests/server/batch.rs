//! Several messages at once: in one request, and held back by the server.

use bayeux_server::api::Message;
use serde_json::json;
use tests::{TestServer, Transport, over_every_transport, over_transports};

over_every_transport!(
    messages_are_processed_in_order,
    replies_come_together_in_the_order_of_their_messages,
    a_single_message_needs_no_array,
    the_servers_batch_holds_deliveries_back,
    batches_may_be_nested,
    a_panic_ends_a_batch_too,
    a_refused_message_does_not_disturb_the_others,
);

async fn messages_are_processed_in_order(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let batch = [
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
        client.message("/a", &json!({ "data": 1 })),
        client.message("/a", &json!({ "data": 2 })),
        client.message("/meta/unsubscribe", &json!({ "subscription": "/a" })),
        client.message("/a", &json!({ "data": 3 })),
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
        client.message("/a", &json!({ "data": 4 })),
    ];
    client.batch(&batch).await;
    for data in [1, 2, 4] {
        assert_eq!(client.message_on("/a").await["data"], data);
    }
}

async fn replies_come_together_in_the_order_of_their_messages(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let batch = [
        client.message("/a", &json!({ "data": 1 })),
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
        client.message("/meta/other", &json!({})),
        client.message("/service/a", &json!({ "data": 1 })),
        client.message("/b", &json!({ "data": 1 })),
    ];
    client.send(&batch);
    let replies = client.messages().await;
    let ids = |messages: &[serde_json::Value]| {
        messages.iter().map(|message| message["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&replies), ids(&batch));
}

async fn a_single_message_needs_no_array(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.client(transport).await;
    let handshake = client.message("/meta/handshake", &json!({}));
    client.send_text(handshake.to_string());
    assert_eq!(client.messages().await[0]["successful"], true);
}

async fn the_servers_batch_holds_deliveries_back(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let session = server.session(&client);
    let batch = session.start_batch();
    for data in [1, 2] {
        assert!(session.deliver(Message::with_data("/a", json!(data))).await);
    }
    assert_eq!(session.queue_depth().messages, 2);
    // A reply to something else passes them by.
    if transport.pushes() {
        client.publish("/b", json!(1)).await;
        assert!(client.received_on("/a").is_empty());
    }
    assert_eq!(server.server.statistics().held_connects, 1);
    assert_eq!(session.queue_depth().messages, 2);
    batch.end();
    let arrived = client.messages().await;
    if !transport.pushes() {
        assert_eq!(arrived.len(), 3);
    }
    assert_eq!(arrived[0], json!({ "channel": "/a", "data": 1 }));
}

async fn batches_may_be_nested(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let session = server.session(&client);
    let (outer, inner) = (session.start_batch(), session.start_batch());
    session.deliver(Message::with_data("/a", json!(1))).await;
    inner.end();
    assert_eq!(session.queue_depth().messages, 1);
    outer.end();
    assert_eq!(client.message_on("/a").await["data"], 1);
}

async fn a_panic_ends_a_batch_too(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.hold().await;
    let session = server.session(&client);
    let batched = session.clone();
    let work = tokio::spawn(async move {
        let _batch = batched.start_batch();
        batched.deliver(Message::with_data("/a", json!(1))).await;
        assert!(batched.queue_depth().messages == 0, "the application fails");
    });
    assert!(work.await.unwrap_err().is_panic());
    assert_eq!(client.message_on("/a").await["data"], 1);
}

async fn a_refused_message_does_not_disturb_the_others(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let batch = [
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
        client.message("/a", &json!({ "id": "<b>", "data": 1 })),
        client.message("/a", &json!({ "data": 2 })),
    ];
    let replies = client.batch(&batch).await;
    assert_eq!(replies[1]["successful"], false);
    assert_eq!(client.message_on("/a").await["data"], 2);
}

over_transports!([
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    in_process: InProcess,
] own_messages_travel_with_the_response_and_the_connect_stays_held);

async fn own_messages_travel_with_the_response_and_the_connect_stays_held(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.hold().await;
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send(&[publish]);
    let arrived = client.messages().await;
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[0], json!({ "channel": "/a", "data": 1 }));
    assert_eq!(server.server.statistics().held_connects, 1);
}
