//! How sessions end that nothing is heard of.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_server::api::Message;
use serde_json::json;
use tests::{
    TestServer, Transport, brisk, eventually, every_transport, hooks::Log, over_every_transport,
    over_websocket,
};

over_every_transport!(
    a_session_that_never_connects_expires,
    a_session_that_connects_no_more_expires_with_all_it_had,
    publishing_prolongs_the_life_of_a_session_and_silence_ends_it,
    a_held_connect_keeps_the_session,
    an_expired_session_is_told_to_handshake_and_never_to_stay_away,
    a_session_may_have_its_own_max_interval,
    what_is_dropped_with_an_expired_session_is_counted,
    nothing_is_delivered_to_an_expired_session,
    reconnecting_in_time_keeps_the_session_and_its_messages,
);

async fn a_session_that_never_connects_expires(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let log = Log::default();
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let start = Instant::now();
    let _client = server.handshaken(transport).await;
    log.until("Expired session, 0 subscriptions").await;
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(server.server.statistics().sessions_expired, 1);
    assert!(server.server.sessions().is_empty());
}

async fn a_session_that_connects_no_more_expires_with_all_it_had(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let (log, own) = (Log::default(), Log::default());
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.session(&client).add_listener(Arc::new(own.clone())).keep();
    let channel = server.server.channel("/a").unwrap();
    log.until("Expired session, 1 subscriptions").await;
    own.until("removed Expired").await;
    assert!(channel.subscribers().is_empty());
}

async fn publishing_prolongs_the_life_of_a_session_and_silence_ends_it(transport: Transport) {
    const SILENCE: Duration = Duration::from_secs(1);
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_interval = SILENCE);
    })
    .await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    let start = Instant::now();
    let mut last = start;
    while start.elapsed() < SILENCE + SILENCE / 4 {
        last = Instant::now();
        client.publish("/a", json!(1)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("the session to expire", || !session.is_handshook()).await;
    assert!(last.elapsed() >= SILENCE);
}

async fn a_held_connect_keeps_the_session(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.timeout = Duration::from_millis(1200);
            t.max_interval = Duration::from_secs(1);
        });
    })
    .await;
    let mut client = server.connected(transport).await;
    let start = Instant::now();
    client.connect().await;
    assert!(start.elapsed() >= Duration::from_millis(1200));
    client.publish("/a", json!(1)).await;
}

async fn an_expired_session_is_told_to_handshake_and_never_to_stay_away(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    server.leaves_in_silence(&mut client).await;
    eventually("the session to expire", || server.server.sessions().is_empty()).await;
    if !transport.pushes() {
        let reply = client.try_connect(json!({})).await;
        assert_eq!(reply["error"], "402::session_unknown");
        assert_eq!(reply["advice"]["reconnect"], "handshake");
        assert_eq!(server.server.statistics().unknown_expired, 1);
    }
}

async fn a_session_may_have_its_own_max_interval(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.connected(transport).await;
    let session = server.session(&client);
    session.set_max_interval(Some(Duration::from_millis(100)));
    assert_eq!(session.max_interval(), Some(Duration::from_millis(100)));
    eventually("the session to expire", || !session.is_handshook()).await;
}

async fn what_is_dropped_with_an_expired_session_is_counted(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let client = server.connected(transport).await;
    let session = server.session(&client);
    session.set_meta_connect_delivery_only(true);
    for number in 0..3 {
        assert!(session.deliver(Message::with_data("/a", json!(number))).await);
    }
    // Of a silence that has begun already.
    session.set_max_interval(Some(Duration::ZERO));
    let statistics = || server.server.statistics();
    eventually("the session to expire", || statistics().messages_dropped == 3).await;
    assert_eq!((statistics().sessions_expired, session.queue_depth().messages), (1, 0));
}

async fn nothing_is_delivered_to_an_expired_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    let session = server.session(&client);
    server.leaves_in_silence(&mut client).await;
    eventually("the session to expire", || !session.is_handshook()).await;
    assert!(!session.deliver(Message::with_data("/a", json!(1))).await);
    assert_eq!(session.queue_depth().messages, 0);
}

async fn reconnecting_in_time_keeps_the_session_and_its_messages(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.hold().await;
    if transport == Transport::InProcess {
        client.abort().await;
        eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
        server.handshaken(transport).await.publish("/a", json!(1)).await;
        assert_eq!(client.message_on("/a").await["data"], 1);
        return;
    }
    let browser = client.browser.clone();
    let id = client.id().to_owned();
    drop(client);
    eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    let mut client = server.tab(transport, &browser).await;
    client.set_id(id);
    assert_eq!(client.message_on("/a").await["data"], 1);
}

over_websocket!(the_connection_of_an_expired_session_is_closed);

async fn the_connection_of_an_expired_session_is_closed(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    server.leaves_in_silence(&mut client).await;
    let arrival = client.arrival().await;
    let tests::Arrival::Closed { code, reason } = arrival else { panic!("{arrival:?}") };
    assert_eq!((code, reason.as_str()), (1000, "Destroy"));
}
