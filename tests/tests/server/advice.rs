//! `advice`: when replies have it, and what the client's own does.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::{TestServer, Transport, brisk, every_transport, over_every_transport};

over_every_transport!(
    it_is_given_once_and_again_when_it_changes,
    what_changes_while_a_connect_is_held_comes_with_its_reply,
    the_clients_own_makes_the_server_repeat_its,
    the_clients_interval_is_repeated_and_forgotten_by_the_next_connect,
    the_clients_interval_lets_the_session_live_longer,
    every_reply_to_an_unknown_session_has_complete_advice,
    intervals_and_timeouts_are_those_of_the_configuration,
);

async fn it_is_given_once_and_again_when_it_changes(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.client(transport).await;
    let reply = client.handshake().await;
    assert_eq!(reply["advice"]["timeout"], 1000);
    assert!(client.connect().await.get("advice").is_none());

    let session = server.session(&client);
    session.set_timeout(Some(Duration::from_millis(20)));
    session.set_interval(Some(Duration::from_millis(10)));
    let reply = client.connect().await;
    assert_eq!(reply["advice"], json!({ "reconnect": "retry", "interval": 10, "timeout": 20 }));
    assert!(client.connect().await.get("advice").is_none());

    session.set_timeout(None);
    let reply = client.connect().await;
    assert_eq!(reply["advice"]["timeout"], 1000);
}

async fn what_changes_while_a_connect_is_held_comes_with_its_reply(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    let session = server.session(&client);
    session.set_timeout(Some(Duration::from_millis(200)));
    session.set_interval(Some(Duration::from_millis(10)));
    let reply = client.reply_to(&id).await;
    assert_eq!(reply["advice"], json!({ "reconnect": "retry", "interval": 10, "timeout": 200 }));
}

async fn the_clients_own_makes_the_server_repeat_its(transport: Transport) {
    let server = TestServer::ordinary().await;
    let mut client = server.connected(transport).await;
    let reply = client.try_connect(json!({ "advice": { "timeout": 0 } })).await;
    let advice = json!({ "reconnect": "retry", "interval": 0, "timeout": 20_000 });
    assert_eq!(reply["advice"], advice);
}

async fn the_clients_interval_is_repeated_and_forgotten_by_the_next_connect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let reply = client.try_connect(json!({ "advice": { "timeout": 0, "interval": 1234 } })).await;
    assert_eq!(reply["advice"]["interval"], 1234);
    let reply = client.try_connect(json!({ "advice": { "timeout": 0 } })).await;
    assert_eq!(reply["advice"]["interval"], 0);
}

async fn the_clients_interval_lets_the_session_live_longer(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| t.max_interval = Duration::from_millis(500));
    })
    .await;
    let mut patient = server.connected(transport).await;
    let mut other = server.connected(transport).await;
    let sessions = (server.session(&patient), server.session(&other));
    let start = Instant::now();
    patient.try_connect(json!({ "advice": { "timeout": 0, "interval": 1000 } })).await;
    other.try_connect(json!({ "advice": { "timeout": 0 } })).await;
    tests::eventually("the other session to end", || !sessions.1.is_handshook()).await;
    assert!(sessions.0.is_handshook());
    tests::eventually("the session to end too", || !sessions.0.is_handshook()).await;
    assert!(start.elapsed() >= Duration::from_millis(1500));
}

async fn every_reply_to_an_unknown_session_has_complete_advice(transport: Transport) {
    let server = TestServer::ordinary().await;
    let mut client = server.client(transport).await;
    client.set_id("nobody");
    for (channel, fields) in [
        ("/meta/connect", json!({})),
        ("/meta/subscribe", json!({ "subscription": "/a" })),
        ("/meta/unsubscribe", json!({ "subscription": "/a" })),
        ("/meta/disconnect", json!({})),
        ("/a", json!({ "data": 1 })),
        ("/service/a", json!({ "data": 1 })),
    ] {
        let reply = client.request(channel, fields).await;
        assert_eq!(reply["error"], "402::session_unknown");
        let advice = json!({ "reconnect": "handshake", "interval": 0, "timeout": 20_000 });
        assert_eq!(reply["advice"], advice, "{channel}");
    }
}

async fn intervals_and_timeouts_are_those_of_the_configuration(transport: Transport) {
    let server = TestServer::start(|config| {
        every_transport(config, |t| {
            t.timeout = Duration::from_millis(70);
            t.interval = Duration::from_millis(30);
        });
    })
    .await;
    let reply = server.client(transport).await.handshake().await;
    assert_eq!(reply["advice"], json!({ "reconnect": "retry", "interval": 30, "timeout": 70 }));
}
