//! Subscriptions: who asks, who waits, and what is kept.

use bayeux_api::{
    BayeuxError,
    ConnectionType::{LongPolling, WebSocket},
    client::{FailureKind, RequestError},
};

use super::scene::{SECOND, Scene, good, handshaken, unknown};

fn subscribed(transport: bayeux_api::ConnectionType, keep: bool) -> Scene {
    let mut scene = Scene::connected(transport, |config| config.keep_subscriptions = keep);
    scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
    scene.sent.rotate_left(1);
    scene.answer(good);
    assert!(scene.outcome(1).is_ok());
    scene
}

#[test]
fn the_first_asks_and_the_last_tells() {
    let mut scene = subscribed(WebSocket, true);
    scene.input(|machine, now| machine.subscribe("/a", 2, 2, now));
    assert!(scene.outcome(2).is_ok());
    scene.input(|machine, now| machine.unsubscribe("/a", 1, Some(3), now));
    assert!(scene.outcome(3).is_ok());
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
    scene.input(|machine, now| machine.unsubscribe("/a", 2, None, now));
    assert_eq!(scene.on_its_way(), [["/meta/connect"], ["/meta/unsubscribe"]]);
}

#[test]
fn a_refusal_is_for_all_who_wait() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    for member in 1..=2 {
        scene.input(|machine, now| machine.subscribe("/a", member.into(), member, now));
    }
    scene.sent.rotate_left(1);
    scene.answer(|reply| reply.fail(&BayeuxError::SubscribeFailed));
    assert!(matches!(scene.outcome(1), Err(RequestError::Refused(_))));
    assert!(matches!(scene.outcome(2), Err(RequestError::Refused(_))));
    assert_eq!(scene.unsubscribed, ["/a"]);
    scene.input(|machine, now| machine.subscribe("/a", 3, 3, now));
    assert_eq!(scene.on_its_way(), [["/meta/connect"], ["/meta/subscribe"]]);
}

#[test]
fn a_new_session_is_subscribed_to_what_the_old_one_was() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = subscribed(transport, true);
        scene.answer(unknown);
        scene.answer(handshaken);
        assert_eq!(scene.on_its_way(), [["/meta/subscribe"], ["/meta/connect"]]);
        scene.answer(good);
        assert!(scene.unsubscribed.is_empty());
    }
}

#[test]
fn as_with_cometd_a_new_session_can_be_subscribed_to_nothing() {
    let mut scene = subscribed(WebSocket, false);
    scene.answer(unknown);
    scene.answer(handshaken);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
    assert_eq!(scene.unsubscribed, ["/a"]);
}

#[test]
fn a_subscription_whose_renewal_was_lost_is_renewed_once_more() {
    let mut scene = subscribed(WebSocket, true);
    scene.answer(unknown);
    scene.answer(handshaken);
    scene.fail(FailureKind::Closed, None);
    scene.pass(SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
    scene.answer(good);
    assert_eq!(scene.on_its_way(), [["/meta/subscribe"], ["/meta/connect"]]);
    assert!(scene.unsubscribed.is_empty());
}

#[test]
fn a_renewal_that_is_refused_ends_the_subscription() {
    let mut scene = subscribed(WebSocket, true);
    scene.answer(unknown);
    scene.answer(handshaken);
    scene.answer(|reply| reply.fail(&BayeuxError::SubscribeDenied("no".to_owned())));
    assert_eq!(scene.unsubscribed, ["/a"]);
}
