//! What the server counts.

use std::{sync::Arc, time::Duration};

use bayeux_server::{
    HandshakeLimit,
    api::{Message, server::Statistics},
};
use serde_json::json;
use tests::{TestServer, Transport, brisk, eventually, over_every_transport, over_transports};

over_every_transport!(
    a_clients_life_is_counted_step_by_step,
    what_is_wrong_is_counted_by_its_kind,
    what_expires_and_is_swept_is_counted,
);

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
] handshakes_over_the_limit_of_an_address_are_refused);

/// The five meta channels are there from the start.
const META: u64 = 5;

async fn a_clients_life_is_counted_step_by_step(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let statistics = || server.server.statistics();
    let mut expected = Statistics::default();
    expected.channels = META;
    assert_eq!(statistics(), expected);

    let mut client = server.client(transport).await;
    client.handshake().await;
    expected.handshakes = 1;
    expected.sessions = 1;
    expected.messages_received = 1;
    expected.websockets = transport.pushes().into();
    assert_eq!(statistics(), expected);

    client.connect().await;
    client.subscribe("/a").await;
    expected.messages_received += 2;
    expected.channels += 1;
    assert_eq!(statistics(), expected);

    client.hold().await;
    expected.messages_received += 1;
    expected.held_connects = 1;
    assert_eq!(statistics(), expected);

    let channel = server.server.channel("/a").unwrap();
    channel.publish(json!(1)).await.unwrap();
    client.message_on("/a").await;
    expected.messages_queued += 1;
    expected.messages_sent += 1;
    // Over a WebSocket the connect stays held.
    expected.held_connects = transport.pushes().into();
    eventually("the message to count as sent", || statistics() == expected).await;

    client.publish("/b", json!(2)).await;
    expected.messages_received += 1;
    expected.messages_published += 1;
    expected.channels += 1;
    assert_eq!(statistics(), expected);

    client.disconnect().await;
    expected.messages_received += 1;
    expected.sessions = 0;
    expected.held_connects = 0;
    eventually("the connect to be answered", || statistics() == expected).await;

    drop(client);
    expected.websockets = 0;
    eventually("the connection to be gone", || statistics() == expected).await;
}

async fn what_is_wrong_is_counted_by_its_kind(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let own = client.id().to_owned();
    client.disconnect().await;
    client.try_connect(json!({})).await;
    client.set_id("nobody");
    client.try_connect(json!({})).await;
    let other = server.handshaken(transport).await;
    client.set_id(other.id());
    // A WebSocket that is of no session may speak for one it has the id of.
    let mut batch = vec![client.message("/a", &json!({ "data": 1, "clientId": own }))];
    batch.push(client.message("/a", &json!({ "data": 1 })));
    client.batch(&batch).await;
    let statistics = server.server.statistics();
    let unknown = (
        statistics.unknown_expired,
        statistics.unknown_never_seen,
        statistics.unknown_other_browser,
    );
    assert_eq!(unknown, (2, 1, 1));
    client.send_text("not json");
    client.arrival().await;
    let malformed = u64::from(transport.is_http());
    assert_eq!(server.server.statistics().malformed, malformed);
}

async fn what_expires_and_is_swept_is_counted(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.publish("/b", json!(1)).await;
    server.leaves_in_silence(&mut client).await;
    let statistics = || server.server.statistics();
    eventually("the session to expire", || statistics().sessions_expired == 1).await;
    eventually("both channels to go", || statistics().channels == META).await;
    assert_eq!(statistics().channels_swept, 2);
    assert_eq!(statistics().sessions, 0);
}

async fn handshakes_over_the_limit_of_an_address_are_refused(transport: Transport) {
    let server = TestServer::start(|config| {
        config.handshake_limit = HandshakeLimit::new(2, Duration::from_secs(3600));
    })
    .await;
    for expected in [true, true, false] {
        let mut client = server.tab(transport, &Arc::default()).await;
        let reply = client.try_handshake(json!({})).await;
        assert_eq!(reply["successful"], expected, "{reply}");
    }
    let statistics = server.server.statistics();
    assert_eq!((statistics.handshakes, statistics.handshakes_refused), (2, 1));
    assert_eq!(statistics.handshakes_limited, 1);
}

#[tokio::test]
async fn what_is_sent_within_the_work_of_another_server_is_counted_where_it_is_sent() {
    let (one, other) = (TestServer::start(|_| {}).await, TestServer::start(|_| {}).await);
    let mut client = other.connected(Transport::WebSocket).await;
    client.hold().await;
    let session = other.session(&client);
    let sent = || [&one, &other].map(|server| server.server.statistics().messages_sent);
    let before = sent();
    let work = async {
        for n in 0..10 {
            let message = Message::with_data("/a", json!(n)).freeze();
            assert!(session.deliver_frozen_together(&*session, &message).await);
        }
    };
    one.server.together(work).await;
    for n in 0..10 {
        assert_eq!(client.message_on("/a").await["data"], n);
    }
    eventually("them to be counted", || sent() != before).await;
    assert_eq!(sent(), [before[0], before[1] + 10]);
}
