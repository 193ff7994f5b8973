//! Those who use the session ids of others, or make some up.

use serde_json::{Value, json};
use tests::within;

use crate::{
    frames::{handshake, messages, open, text},
    scene::Scene,
};

/// Everything that one may try with the session of `id`.
fn attempts(id: &str) -> [Value; 6] {
    [
        json!({ "channel": "/meta/connect", "clientId": id }),
        json!({ "channel": "/meta/subscribe", "subscription": "/stolen", "clientId": id }),
        json!({ "channel": "/meta/unsubscribe", "subscription": "/own", "clientId": id }),
        json!({ "channel": "/own", "data": "forged", "clientId": id }),
        json!({ "channel": "/service/own", "data": "forged", "clientId": id }),
        json!({ "channel": "/meta/disconnect", "clientId": id }),
    ]
}

#[tokio::test]
async fn a_session_of_somebody_else_is_not_disturbed() {
    let mut scene = Scene::new().await;
    let (victim, thief) = (scene.visitor().await, scene.visitor().await);
    victim.ask(json!({ "channel": "/meta/subscribe", "subscription": "/own" })).await;
    victim.connect().await;
    let held = async {
        let replies = victim.connect().await;
        assert_eq!(replies[0]["data"], "from a friend", "{replies:?}");
    };
    let tried = async {
        tests::eventually("the connect to be held", || {
            scene.server.statistics().held_connects == 2
        })
        .await;
        // Alone, behind a message of one's own, and over a WebSocket that has a session.
        let mut raw = open(&scene).await;
        let id = handshake(&mut raw).await;
        for attempt in attempts(&victim.id) {
            let reply = thief.ask(attempt.clone()).await;
            assert_eq!(reply["error"], "402::session_unknown", "{attempt}");
            let own = json!({ "channel": "/a", "data": 1 });
            let replies = thief.send(&[own, attempt.clone()]).await;
            assert_eq!(replies[0]["successful"], true);
            assert_eq!(replies[1]["error"], "402::session_unknown", "{attempt}");
            raw.write(text(json!([attempt]).to_string())).await;
            let reply = &messages(&mut raw).await[0];
            assert_eq!(reply["error"], "402::session_unknown", "{attempt}");
        }
        raw.write(text(json!([{ "channel": "/meta/disconnect", "clientId": id }]).to_string()))
            .await;
        messages(&mut raw).await;
        thief.ask(json!({ "channel": "/own", "data": "from a friend" })).await;
    };
    within("the victim's message", async { tokio::join!(held, tried) }).await;
    let session = scene.server.session(&victim.id).unwrap();
    assert_eq!(session.subscriptions().len(), 1);
    victim.leave().await;
    thief.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn ids_that_nobody_has_are_unknown() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    let almost = format!("{}0", &visitor.id[..visitor.id.len() - 1]);
    let upper = visitor.id.to_uppercase();
    let (long, zeros) = ("f".repeat(500_000), "0".repeat(40));
    for id in ["", "x", "é", "../..", "\0", &almost[..20], &zeros, &long, &format!("{upper}x")] {
        for attempt in attempts(id) {
            let reply = visitor.ask(attempt).await;
            assert_eq!(reply["error"], "402::session_unknown");
            assert_eq!(reply["advice"]["reconnect"], "handshake");
        }
    }
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn a_session_that_has_ended_is_nobodys() {
    let mut scene = Scene::new().await;
    let (visitor, id) = (scene.visitor().await, scene.visitor().await.id);
    let leaver = scene.visitor().await;
    let gone = leaver.id.clone();
    leaver.leave().await;
    for attempt in attempts(&gone) {
        assert_eq!(visitor.ask(attempt).await["error"], "402::session_unknown");
    }
    assert!(scene.server.remove_session(&id).await);
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn a_stolen_id_opens_no_websocket_if_each_has_to_handshake() {
    let mut scene =
        Scene::with(|config, _| config.ws.require_handshake_per_connection = true).await;
    let mut victim = open(&scene).await;
    let id = handshake(&mut victim).await;
    let mut raw = open(&scene).await;
    for attempt in attempts(&id) {
        raw.write(text(json!([attempt]).to_string())).await;
        let reply = &messages(&mut raw).await[0];
        assert_eq!(reply["error"], "402::session_unknown", "{attempt}");
    }
    victim
        .write(text(json!([{ "channel": "/meta/disconnect", "clientId": id }]).to_string()))
        .await;
    assert_eq!(messages(&mut victim).await[0]["successful"], true);
    drop((raw, victim));
    scene.is_calm().await;
}
