//! Those who are sent a lot and read nothing of it.

use std::time::Duration;

use bayeux_server::Config;
use serde_json::{Value, json};
use tests::{eventually, raw::Raw};

use crate::{
    frames::{self, handshake, messages},
    memory::{growth, is_given_back, used},
    scene::Scene,
};

const SHORT: Duration = Duration::from_millis(300);

/// A server whose queues hold so many bytes.
async fn queueing(bytes: usize) -> Scene {
    Scene::alone(|config, _| queues_hold(config, bytes)).await
}

/// The same, but one that does not bear those who take nothing.
async fn hasty(bytes: usize) -> Scene {
    Scene::alone(|config, serve| {
        queues_hold(config, bytes);
        config.ws.write_timeout = SHORT;
        serve.write_timeout = SHORT;
    })
    .await
}

fn queues_hold(config: &mut Config, bytes: usize) {
    config.websocket.max_queue_bytes = bytes;
    config.long_polling.max_queue_bytes = bytes;
}

/// Publishes messages of 100 kB, and proves that nobody waits for those who do not read them.
async fn flood(scene: &mut Scene, count: usize) {
    let data = Value::from("x".repeat(100_000));
    for _ in 0..count {
        scene.bystander.publish("/flood", &data).await;
    }
}

#[tokio::test]
async fn a_websocket_that_is_not_read_costs_a_bounded_queue() {
    let mut scene = queueing(1 << 20).await;
    let before = used();
    let mut readers = Vec::new();
    for _ in 0..4 {
        let mut raw = frames::upgrade(Raw::narrow(scene.address).await).await;
        let id = handshake(&mut raw).await;
        let subscribe =
            json!([{ "channel": "/meta/subscribe", "subscription": "/flood", "clientId": id }]);
        raw.write(frames::text(subscribe.to_string())).await;
        assert_eq!(messages(&mut raw).await[0]["successful"], true);
        readers.push(raw);
    }
    let ((), grown) = growth(flood(&mut scene, 400)).await;
    // What each has in its queue and as much again on its way, of 160 MiB.
    assert!(grown < 16, "{grown} MiB were used");
    eventually("the sessions to end", || scene.server.statistics().sessions_overflowed == 4).await;
    scene.is_calm().await;
    drop(readers);
    is_given_back(before).await;
}

#[tokio::test]
async fn a_websocket_whose_replies_are_not_read_is_given_up() {
    let mut scene = hasty(1 << 20).await;
    let before = used();
    let mut raw = frames::upgrade(Raw::narrow(scene.address).await).await;
    let request = frames::text(format!("[{}{{}}]", "{\"id\":\"1\"},".repeat(9_000)));
    let ((), grown) = growth(async {
        // Until nothing is taken any more, and then until the connection is closed.
        while raw.write(&request).await {
            scene.bystander.is_served().await;
        }
    })
    .await;
    assert!(grown < 16, "{grown} MiB were used");
    drop(raw);
    scene.is_calm().await;
    is_given_back(before).await;
}

#[tokio::test]
async fn a_response_that_is_not_read_goes_back_to_the_queue_and_ends_with_its_session() {
    let mut scene = hasty(32 << 20).await;
    let before = used();
    let visitor = scene.visitor().await;
    visitor.ask(json!({ "channel": "/meta/subscribe", "subscription": "/flood" })).await;
    flood(&mut scene, 200).await;
    let connect = visitor.text(&[json!({ "channel": "/meta/connect" })]);
    let mut raw = Raw::narrow(scene.address).await;
    raw.post(&visitor.cookie(), connect).await;
    scene.hurry(&visitor.id).await;
    let statistics = || scene.server.statistics();
    eventually("the response to be given up", || statistics().messages_requeued > 0).await;
    eventually("the session to end", || statistics().sessions_expired == 1).await;
    scene.is_calm().await;
    drop(raw);
    is_given_back(before).await;
}

#[tokio::test]
async fn a_session_that_never_connects_costs_a_bounded_queue() {
    let mut scene = queueing(1 << 20).await;
    let before = used();
    let visitor = scene.visitor().await;
    visitor.ask(json!({ "channel": "/meta/subscribe", "subscription": "/flood" })).await;
    let ((), grown) = growth(flood(&mut scene, 200)).await;
    assert!(grown < 4, "{grown} MiB were used");
    assert_eq!(scene.server.statistics().sessions_overflowed, 1);
    scene.is_calm().await;
    is_given_back(before).await;
}

/// With acknowledgements each connect is answered with all that is not acknowledged.
#[tokio::test]
async fn responses_that_are_not_read_share_their_messages() {
    let mut scene = Scene::alone(|config, _| {
        config.acknowledgements = true;
        config.http.response_timeout = SHORT;
    })
    .await;
    let before = used();
    let visitor = scene.visitor_with(&json!({ "ack": true })).await;
    visitor.ask(json!({ "channel": "/meta/subscribe", "subscription": "/flood" })).await;
    flood(&mut scene, 36).await;
    let connect = json!({
        "channel": "/meta/connect", "ext": { "ack": 0 }, "advice": { "timeout": 0 },
    });
    let connect = visitor.text(&[connect]);
    let (raws, grown) = growth(async {
        let mut raws = Vec::new();
        for _ in 0..50 {
            let mut raw = Raw::narrow(scene.address).await;
            raw.post(&visitor.cookie(), &connect).await;
            raw.read_until("HTTP/1.1").await;
            raws.push(raw);
        }
        raws
    })
    .await;
    // 3.6 MB each, of one queue.
    assert!(grown < 32, "{grown} MiB were used");
    drop(raws);
    assert!(scene.server.remove_session(&visitor.id).await);
    scene.is_calm().await;
    is_given_back(before).await;
}

#[tokio::test]
async fn pings_of_a_peer_that_reads_nothing_are_not_answered_without_end() {
    let mut scene = Scene::alone(|config, _| config.ws.write_timeout = SHORT).await;
    let before = used();
    let mut raw = frames::upgrade(Raw::narrow(scene.address).await).await;
    let mut ping = vec![0x89, 0x80 | 125, 0, 0, 0, 0];
    ping.extend([b'x'; 125]);
    let pings = ping.repeat(1_000);
    let ((), grown) = growth(async { while raw.write(&pings).await {} }).await;
    assert!(grown < 8, "{grown} MiB were used");
    drop(raw);
    scene.is_calm().await;
    is_given_back(before).await;
}
