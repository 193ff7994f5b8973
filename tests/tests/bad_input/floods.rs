//! One client that does what it may, but without end: channels, subscriptions, messages.

use std::time::Duration;

use serde_json::{Value, json};

use tests::Cost;

use crate::scene::Scene;

async fn sweeping() -> Scene {
    Scene::with(|config, _| config.sweep_period = Duration::from_millis(20)).await
}

fn publishes(channels: impl Iterator<Item = String>) -> Vec<Value> {
    channels.map(|channel| json!({ "channel": channel, "data": 1 })).collect()
}

#[tokio::test]
async fn endless_new_channels_are_swept() {
    let mut scene = sweeping().await;
    let visitor = scene.visitor().await;
    for round in 0..20 {
        let names = (0..1_000).map(|n| format!("/flood/{round}/{n}"));
        let replies = visitor.send(&publishes(names)).await;
        assert!(replies.iter().all(|reply| reply["successful"] == true));
        scene.bystander.is_served().await;
    }
    scene.is_swept().await;
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn endless_new_service_channels_are_swept() {
    let mut scene = sweeping().await;
    let visitor = scene.visitor().await;
    visitor.send(&publishes((0..1_000).map(|n| format!("/service/flood/{n}")))).await;
    visitor.leave().await;
    scene.is_calm().await;
    scene.is_swept().await;
}

#[tokio::test]
async fn endless_subscriptions_end_at_the_limit() {
    let mut scene = Scene::with(|config, _| {
        config.max_subscriptions = 1_000;
        config.sweep_period = Duration::from_millis(20);
    })
    .await;
    let visitor = scene.visitor().await;
    let mut refused = 0;
    for round in 0..20 {
        let names: Vec<_> = (0..100).map(|n| format!("/flood/{round}/{n}")).collect();
        let reply =
            visitor.ask(json!({ "channel": "/meta/subscribe", "subscription": names })).await;
        if reply["successful"] == false {
            assert_eq!(reply["error"], "403:too_many_subscriptions:subscribe_denied");
            refused += 1;
        }
        scene.bystander.is_served().await;
    }
    assert_eq!(refused, 10);
    visitor.leave().await;
    scene.is_calm().await;
    scene.is_swept().await;
}

#[tokio::test]
async fn a_request_of_as_many_publishes_as_are_allowed_delays_nobody() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    let messages = publishes(std::iter::repeat_n("/flood".to_owned(), 10_000));
    let (replies, ()) =
        tokio::join!(visitor.send(&messages), async { scene.bystander.is_served().await });
    assert_eq!(replies.len(), 10_000);
    visitor.leave().await;
    scene.is_calm().await;
}

#[tokio::test]
async fn the_same_channels_over_and_over_delay_nobody() {
    let mut scene = Scene::new().await;
    let visitor = scene.visitor().await;
    let names: Vec<_> = (0..9_999).map(|n| format!("/f{n}")).collect();
    let count = names.len();
    let all = json!({ "channel": "/meta/subscribe", "subscription": names });
    let cost = Cost::start();
    assert_eq!(visitor.ask(all).await["successful"], true);
    let first = cost.spent();
    for channel in ["/meta/subscribe", "/meta/unsubscribe"] {
        let again = vec!["/f0"; 10 * count];
        let cost = Cost::start();
        let reply = visitor.ask(json!({ "channel": channel, "subscription": again })).await;
        assert_eq!(reply["successful"], true, "{}", reply["error"]);
        // Each costs no more than a new channel does, however many subscriptions there are.
        assert!(cost.spent() < 10 * first, "{channel} cost {:?} after {first:?}", cost.spent());
    }
    visitor.leave().await;
    scene.is_calm().await;
}
