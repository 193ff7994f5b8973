//! Thousands of handshakes from one address, with and without a limit.

use std::time::{Duration, Instant};

use bayeux_server::HandshakeLimit;
use serde_json::{Value, json};

use crate::{
    frames::{messages, open, text},
    scene::{SOON, Scene},
    visitor::Visitor,
};

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;

/// Handshakes over one connection as long-polling and WebSocket do; returns the replies.
async fn handshakes(scene: &Scene, count: usize) -> (Vec<Value>, Vec<Value>) {
    let (mut polling, mut pushed) = (Vec::new(), Vec::new());
    let mut raw = scene.raw().await;
    for _ in 0..count {
        raw.post("", HANDSHAKE).await;
        let answer = raw.read_until("}]").await;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        polling.append(&mut serde_json::from_str::<Vec<Value>>(body).unwrap());
    }
    let mut raw = open(scene).await;
    for _ in 0..count {
        raw.write(text(HANDSHAKE)).await;
        pushed.append(&mut messages(&mut raw).await);
    }
    (polling, pushed)
}

#[tokio::test]
async fn sessions_that_nobody_connects_end_by_themselves() {
    let mut scene = Scene::with(|config, _| {
        config.long_polling.max_interval = SOON;
        config.websocket.max_interval = SOON;
    })
    .await;
    let (polling, pushed) = handshakes(&scene, 1_500).await;
    assert!(polling.iter().chain(&pushed).all(|reply| reply["successful"] == true));
    scene.is_calm().await;
    assert_eq!(scene.server.statistics().sessions_expired, 3_000);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_again() {
    const LIMIT: HandshakeLimit = HandshakeLimit::new(3, Duration::from_secs(6));
    let mut scene = Scene::with(|config, _| {
        config.handshake_limit = LIMIT;
        config.long_polling.max_interval = SOON;
        config.websocket.max_interval = SOON;
    })
    .await;
    let start = Instant::now();
    let (polling, pushed) = handshakes(&scene, 100).await;
    let refused: Vec<_> =
        polling.iter().chain(&pushed).filter(|reply| reply["successful"] == false).collect();
    let granted = 200.0 - refused.len() as f64;
    let refilled = start.elapsed().div_duration_f64(LIMIT.period / LIMIT.count);
    assert!(granted <= f64::from(LIMIT.count) + refilled, "{granted} with {refilled} more");
    let limited = scene.server.statistics().handshakes_limited;
    assert_eq!(limited, refused.len() as u64);
    for reply in &refused {
        assert_eq!(reply["error"], "429::handshake_limited");
        assert_eq!(reply["advice"]["reconnect"], "handshake");
        assert!((1..=2_000).contains(&reply["advice"]["interval"].as_u64().unwrap()), "{reply}");
        assert_eq!(reply.get("clientId"), None);
    }
    scene.bystander.is_served().await;
    let interval = refused.last().unwrap()["advice"]["interval"].as_u64().unwrap();
    tokio::time::sleep(Duration::from_millis(interval)).await;
    Visitor::arrive(scene.address).await.leave().await;
    scene.is_left_clean().await;
}

#[tokio::test]
async fn a_limit_cannot_be_passed_by_batches_or_headers() {
    let mut scene = Scene::with(|config, _| {
        config.handshake_limit = HandshakeLimit::new(1, Duration::from_secs(60));
    })
    .await;
    let two = r#"[{"channel":"/meta/handshake"},{"channel":"/meta/handshake"}]"#;
    for forwarded in ["1.1.1.1", "2.2.2.2", "::1"] {
        let mut raw = scene.raw().await;
        let head = format!(
            "x-forwarded-for: {forwarded}\r\nforwarded: for={forwarded}\r\nconnection: close\r\n"
        );
        raw.post(&head, two).await;
        let answer = raw.read_to_end().await;
        assert_eq!(answer.matches("429::handshake_limited").count(), 1, "{answer}");
        assert_eq!(answer.matches("400::not_with_handshake").count(), 1, "{answer}");
        assert!(!answer.contains("set-cookie"), "{answer}");
    }
    scene.bystander.is_served().await;
    scene.is_left_clean().await;
}

#[tokio::test]
async fn handshakes_of_every_shape_start_one_session_each() {
    let mut scene = Scene::new().await;
    for handshake in [
        json!({ "version": [], "minimumVersion": 7, "supportedConnectionTypes": "x" }),
        json!({ "version": "99", "supportedConnectionTypes": ["carrier-pigeon"] }),
        json!({ "clientId": "mine", "id": "0", "data": { "a": 1 } }),
        json!({ "ext": { "ack": "perhaps" }, "advice": { "timeout": -1, "interval": 1e300 } }),
    ] {
        let mut visitor = scene.visitor().await;
        let mut message = handshake.clone();
        message["channel"] = json!("/meta/handshake");
        let reply = visitor.ask(message).await;
        assert_eq!(reply["successful"], true, "{handshake}");
        let own =
            std::mem::replace(&mut visitor.id, reply["clientId"].as_str().unwrap().to_owned());
        assert_ne!(own, visitor.id);
        visitor.ask(json!({ "channel": "/meta/disconnect", "clientId": own })).await;
        visitor.leave().await;
    }
    scene.is_calm().await;
}
