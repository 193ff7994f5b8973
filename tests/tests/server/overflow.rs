//! Full queues: what each policy does, and that a slow client harms nobody else.

use std::sync::Arc;

use bayeux_server::{
    Config,
    api::{
        Message,
        server::{Overflow, QueueBounds},
    },
};
use futures_util::{FutureExt as _, SinkExt as _};
use http::Version;
use serde_json::{Value, json};
use tests::{
    TestServer, Transport, eventually, every_transport, hooks::Log, open_websocket,
    over_every_transport, upgrade_request, within,
};

over_every_transport!(
    by_default_the_session_is_ended_and_may_handshake_again,
    the_oldest_make_place,
    the_newest_find_none,
    the_last_of_each_channel_stays,
    bytes_count_too,
    queues_have_a_bound_by_default,
    a_session_may_have_bounds_of_its_own,
    a_session_may_overflow_where_no_runtime_is,
);

fn bounded(config: &mut Config, overflow: Overflow) {
    every_transport(config, |t| {
        t.max_queue = 3;
        t.queue_overflow = overflow;
        t.meta_connect_deliver_only = true;
    });
}

/// Delivers five messages by turns on two channels, and returns those that arrive.
async fn arriving(overflow: Overflow, transport: Transport) -> Vec<Value> {
    let server = TestServer::start(|config| bounded(config, overflow)).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    for data in 0..5 {
        let channel = if data % 2 == 0 { "/even" } else { "/odd" };
        session.deliver(Message::with_data(channel, json!(data))).await;
    }
    let statistics = server.server.statistics();
    assert_eq!(statistics.messages_dropped, 2);
    assert_eq!(session.queue_depth().messages, 3);
    client.connect().await;
    client.received().into_iter().map(|mut message| message["data"].take()).collect()
}

async fn a_session_may_have_bounds_of_its_own(transport: Transport) {
    let server = TestServer::start(|config| bounded(config, Overflow::DropNewest)).await;
    let (mut wide, other) = (server.connected(transport).await, server.connected(transport).await);
    let sessions = [server.session(&wide), server.session(&other)];
    let bounds = QueueBounds::new(2, 1 << 20, Overflow::DropOldest);
    sessions[0].set_queue_bounds(bounds);
    assert_eq!(sessions[0].queue_bounds(), bounds);
    assert_eq!(sessions[1].queue_bounds().messages, 3);
    for session in &sessions {
        for data in 0..5 {
            session.deliver(Message::with_data("/a", json!(data))).await;
        }
    }
    assert_eq!(sessions.map(|session| session.queue_depth().messages), [2, 3]);
    wide.connect().await;
    let arrived: Vec<_> = wide.received().iter().map(|message| message["data"].clone()).collect();
    assert_eq!(arrived, [3, 4]);
}

async fn a_session_may_overflow_where_no_runtime_is(transport: Transport) {
    let server = TestServer::start(|config| bounded(config, Overflow::Disconnect)).await;
    let log = Log::default();
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let client = server.connected(transport).await;
    let session = server.session(&client);
    let deliver = move || -> Vec<_> {
        let message = |data| Message::with_data("/a", json!(data));
        (0..4).map(|data| session.deliver(message(data)).now_or_never()).collect()
    };
    let delivered = std::thread::spawn(deliver).join().expect("nothing panics");
    assert_eq!(delivered, [Some(true), Some(true), Some(true), Some(false)]);
    log.until("Overflowed session, 0 subscriptions").await;
    assert!(server.server.sessions().is_empty());
}

async fn by_default_the_session_is_ended_and_may_handshake_again(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.max_queue = 3;
            t.meta_connect_deliver_only = true;
        });
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    for data in 0..4 {
        let taken = session.deliver(Message::with_data("/a", json!(data))).await;
        assert_eq!(taken, data < 3);
    }
    eventually("the session to end", || server.server.sessions().is_empty()).await;
    assert_eq!(server.server.statistics().sessions_overflowed, 1);
    assert_eq!(session.queue_depth().messages, 0);
    if !transport.pushes() {
        let reply = client.try_connect(json!({})).await;
        assert_eq!(reply["error"], "402::session_unknown");
        assert_eq!(reply["advice"]["reconnect"], "handshake");
        client.handshake().await;
        client.connect().await;
    }
}

async fn the_oldest_make_place(transport: Transport) {
    assert_eq!(arriving(Overflow::DropOldest, transport).await, [2, 3, 4]);
}

async fn the_newest_find_none(transport: Transport) {
    assert_eq!(arriving(Overflow::DropNewest, transport).await, [0, 1, 2]);
}

async fn the_last_of_each_channel_stays(transport: Transport) {
    // 0, 1, 2 fill it; 3 takes the place of 1, the other odd one; 4 that of 0 and 2.
    let server = TestServer::start(|config| bounded(config, Overflow::KeepLast)).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    for data in 0..5 {
        let channel = if data % 2 == 0 { "/even" } else { "/odd" };
        session.deliver(Message::with_data(channel, json!(data))).await;
    }
    client.connect().await;
    let data: Vec<_> =
        client.received().into_iter().map(|mut message| message["data"].take()).collect();
    assert_eq!(data, [3, 4]);
}

async fn bytes_count_too(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.max_queue_bytes = 2500;
            t.queue_overflow = Overflow::DropOldest;
            t.meta_connect_deliver_only = true;
        });
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    for data in 0..5 {
        let text = format!("{data}{}", "x".repeat(1000));
        session.deliver(Message::with_data("/a", json!(text))).await;
        assert!(session.queue_depth().bytes <= 2500);
    }
    // One that would not fit even alone is dropped, and takes nothing along.
    let taken = session.deliver(Message::with_data("/a", json!("x".repeat(3000)))).await;
    assert!(!taken);
    client.connect().await;
    let received = client.received_on("/a");
    let first = |message: &Value| message["data"].as_str().unwrap()[..1].to_owned();
    assert_eq!(received.iter().map(first).collect::<Vec<_>>(), ["3", "4"]);
}

async fn queues_have_a_bound_by_default(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.meta_connect_deliver_only = true);
    })
    .await;
    let client = server.connected(transport).await;
    let session = server.session(&client);
    let large = "x".repeat(100 * 1024);
    let mut taken = 0;
    while session.deliver(Message::with_data("/a", json!(large))).await {
        taken += 1;
        assert!(session.queue_depth().bytes <= 4 * 1024 * 1024);
    }
    assert_eq!(taken, 40);
}

#[tokio::test]
async fn a_client_that_does_not_read_delays_nobody_and_is_ended() {
    let server = TestServer::start(|config| {
        config.websocket.max_queue_bytes = 1024 * 1024;
    })
    .await;
    // A client that takes nothing after its handshake, connect and subscription.
    let request = upgrade_request(server.address, Version::HTTP_11, "/");
    let (mut slow, _) = open_websocket(server.address, request).await.unwrap();
    slow.send(r#"[{"channel":"/meta/handshake"}]"#.into()).await.unwrap();
    eventually("the session to be there", || !server.server.sessions().is_empty()).await;
    let session = server.server.sessions()[0].clone();
    let id = session.id();
    let subscribe =
        format!(r#"[{{"channel":"/meta/subscribe","clientId":"{id}","subscription":"/a"}}]"#);
    slow.send(subscribe.into()).await.unwrap();
    eventually("the subscription", || !session.subscriptions().is_empty()).await;

    let mut quick = server.connected(Transport::WebSocket).await;
    quick.subscribe("/a").await;
    let channel = server.server.channel("/a").unwrap();
    let large = "x".repeat(100 * 1024);
    let mut count = 0;
    within("the slow session to end", async {
        while session.is_handshook() {
            channel.publish(json!(large)).await.unwrap();
            count += 1;
            let depth = session.queue_depth();
            assert!(depth.bytes <= 1024 * 1024, "{depth:?}");
            // The quick one has each message before the next is published.
            quick.message_on("/a").await;
        }
    })
    .await;
    assert!(count > 10);
    assert_eq!(server.server.statistics().sessions_overflowed, 1);
    eventually("the connection to be given up", || server.server.statistics().websockets == 1)
        .await;
    // And the quick one goes on.
    channel.publish(json!(1)).await.unwrap();
    quick.message_on("/a").await;
}
