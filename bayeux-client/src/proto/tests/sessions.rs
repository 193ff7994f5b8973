//! Every answer belongs to the session of its request.

use bayeux_api::{
    ConnectionType::{LongPolling, WebSocket},
    Message, Reconnect,
    client::{FailureKind, RequestError},
};
use serde_json::json;

use super::scene::{SECOND, Scene, good, handshaken, unknown};
use crate::State;

#[test]
fn a_grant_for_a_session_that_is_over_says_nothing_of_the_next() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
        assert_eq!(scene.on_its_way(), [["/meta/connect"], ["/meta/subscribe"]]);
        let subscribe = scene.sent[1].messages[0].clone();
        scene.answer(unknown);
        let mut late = subscribe.reply();
        good(&mut late);
        scene.arrive(late);
        assert!(!scene.is_answered(1));
        assert_eq!(scene.on_its_way(), [["/meta/handshake"]]);
        scene.answer(handshaken);
        assert_eq!(scene.on_its_way(), [["/meta/subscribe"], ["/meta/connect"]]);
        scene.answer(good);
        assert!(scene.outcome(1).is_ok());
    }
}

#[test]
fn a_connect_that_ends_the_session_makes_nothing_again_in_it() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
    scene.sent.rotate_left(1);
    scene.answer(good);
    scene.answer(unknown);
    scene.answer(handshaken);
    scene.fail(FailureKind::Closed, None);
    scene.answer(|reply| {
        good(reply);
        reply.advice_mut().reconnect = Some(Reconnect::Handshake);
    });
    scene.pass(SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/handshake"]]);
    scene.answer(handshaken);
    assert_eq!(scene.on_its_way(), [["/meta/subscribe"], ["/meta/connect"]]);
}

#[test]
fn who_joins_a_subscription_that_is_made_again_takes_nothing_from_the_others() {
    for fails in [true, false] {
        let mut scene = Scene::connected(LongPolling, |_| {});
        scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
        scene.sent.rotate_left(1);
        scene.answer(good);
        scene.answer(unknown);
        scene.answer(handshaken);
        scene.input(|machine, now| machine.subscribe("/a", 2, 2, now));
        if fails {
            scene.fail(FailureKind::Closed, None);
            assert!(matches!(scene.outcome(2), Err(RequestError::Failed(_))));
        } else {
            scene.answer(unknown);
            assert!(!scene.is_answered(2));
        }
        scene.answer(good);
        assert_eq!(scene.on_its_way(), [["/meta/subscribe"], ["/meta/connect"]]);
        assert!(scene.unsubscribed.is_empty());
        scene.answer(good);
        assert_eq!(scene.outcome(2).is_ok(), !fails);
    }
}

#[test]
fn without_keep_subscriptions_one_under_way_ends_with_its_session() {
    let mut scene = Scene::connected(LongPolling, |config| config.keep_subscriptions = false);
    scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
    scene.answer(unknown);
    scene.sent.rotate_left(1);
    scene.answer(handshaken);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
    assert_eq!(*scene.outcome(1), Err(RequestError::NotHandshaken));
    assert_eq!(scene.unsubscribed, ["/a"]);
}

#[test]
fn a_publish_of_a_session_that_is_over_holds_up_nothing_and_may_still_be_answered() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    let message = Message::with_data("/a", json!(1));
    scene.input(|machine, now| machine.publish(message.clone(), 1, now));
    scene.answer(unknown);
    scene.sent.rotate_left(1);
    scene.answer(handshaken);
    scene.input(|machine, now| machine.publish(message, 2, now));
    assert_eq!(scene.on_its_way(), [["/a"], ["/meta/connect"], ["/a"]]);
    scene.answer(good);
    assert!(scene.outcome(1).is_ok());
}

#[test]
fn an_answer_that_a_lost_session_owes_does_not_end_the_connection() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    let message = Message::with_data("/a", json!(1));
    scene.input(|machine, now| machine.publish(message, 1, now));
    scene.answer(unknown);
    scene.sent.rotate_left(1);
    scene.answer(handshaken);
    scene.sent.rotate_left(1);
    scene.answer(good);
    scene.pass(15 * SECOND);
    let Err(RequestError::Failed(failure)) = scene.outcome(1) else { panic!() };
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(scene.machine.state(), State::Connected);
}

#[test]
fn a_call_that_waits_to_be_sent_outlives_the_session() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    let call = Message::with_data("/service/a", json!(1));
    scene.input(|machine, now| machine.remote_call(call.clone(), 1, now));
    scene.input(|machine, now| machine.remote_call(call, 2, now));
    scene.answer(unknown);
    assert_eq!(*scene.outcome(1), Err(RequestError::NotHandshaken));
    assert!(!scene.is_answered(2));
    scene.sent.rotate_left(1);
    scene.answer(handshaken);
    assert_eq!(scene.on_its_way()[1], ["/service/a"]);
}

#[test]
fn connects_that_bring_nothing_keep_a_distance_and_others_do_not() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |_| {});
        let answer_for_a_second = |scene: &mut Scene, brings: bool| {
            let (end, mut count) = (scene.now + SECOND, 0);
            while scene.now < end && count < 1000 {
                while !scene.sent.is_empty() && count < 1000 {
                    count += 1;
                    if brings {
                        scene.arrive(Message::with_data("/a", json!(count)));
                    }
                    scene.answer(good);
                }
                scene.pass(SECOND / 1000);
            }
            count
        };
        let count = answer_for_a_second(&mut scene, false);
        assert!((90..=110).contains(&count), "{count} connects in a second");
        assert_eq!(answer_for_a_second(&mut scene, true), 1000);
    }
}

#[test]
fn sessions_that_end_at_once_keep_a_distance() {
    let mut scene = Scene::connected(LongPolling, |config| {
        config.backoff = crate::Backoff::Constant(std::time::Duration::ZERO);
    });
    let (end, mut count) = (scene.now + SECOND, 0);
    while scene.now < end {
        while let Some(sent) = scene.sent.front() {
            count += 1;
            assert!(count < 1000, "there is no end of it");
            let message = &sent.messages[0];
            let is_first = message.advice.is_some();
            match message.is_handshake() {
                true => scene.answer(handshaken),
                false if is_first => scene.answer(good),
                false => scene.answer(unknown),
            }
        }
        scene.pass(SECOND / 1000);
    }
    assert!((50..=200).contains(&count), "{count} requests in a second");
}

#[test]
fn who_joins_in_a_batch_does_not_hold_back_what_is_made_again() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
    scene.sent.rotate_left(1);
    scene.answer(good);
    scene.answer(unknown);
    scene.answer(handshaken);
    scene.fail(FailureKind::Closed, None);
    scene.input(|machine, _| machine.start_batch());
    scene.input(|machine, now| machine.subscribe("/a", 2, 2, now));
    assert_eq!(scene.on_its_way(), [["/meta/connect"], ["/meta/subscribe"]]);
}

/// A client in a new session that makes 200 subscriptions again.
fn renewing(change: impl FnOnce(&mut crate::Config)) -> Scene {
    let mut scene = Scene::connected(LongPolling, change);
    for number in 0..200 {
        let channel = format!("/some/where/channel/{number:08}");
        scene.input(|machine, now| machine.subscribe(&channel, number.into(), number, now));
    }
    scene.sent.rotate_left(1);
    while scene.sent.len() > 1 {
        assert!(!scene.sent[0].messages[0].is_connect());
        scene.answer(good);
        scene.sent.rotate_left(1);
    }
    scene.answer(unknown);
    scene.answer(handshaken);
    scene
}

/// Answers what makes subscriptions again unless it has more messages than `most`, and returns how many
/// were in each request that was taken.
fn take(scene: &mut Scene, most: usize, refuse: fn(&mut Scene)) -> Vec<usize> {
    let mut taken = Vec::new();
    for _ in 0..1000 {
        let Some(at) = scene.sent.iter().position(|sent| !sent.messages[0].is_connect()) else {
            return taken;
        };
        scene.sent.swap(0, at);
        let count = scene.sent[0].messages.len();
        if count > most {
            refuse(scene);
        } else {
            taken.push(count);
            scene.answer(good);
        }
    }
    panic!("there is no end of it");
}

#[test]
fn what_is_too_large_goes_in_halves() {
    for refuse in [
        |scene: &mut Scene| scene.fail(FailureKind::Status, Some(413)),
        |scene: &mut Scene| scene.fail(FailureKind::TooLarge, None),
    ] {
        let mut scene = renewing(|_| {});
        let taken = take(&mut scene, 20, refuse);
        assert_eq!(taken.iter().sum::<usize>(), 200);
        assert!(taken.len() <= 20, "{taken:?}");
        assert!(scene.unsubscribed.is_empty());
    }
    let mut scene = renewing(|_| {});
    let taken = take(&mut scene, 200, |_| panic!());
    assert!(taken.len() <= 3, "{taken:?}");
}

#[test]
fn what_is_too_large_by_itself_is_given_up_if_it_is_the_servers_limit() {
    let mut scene = renewing(|_| {});
    assert!(take(&mut scene, 0, |scene| scene.fail(FailureKind::Status, Some(413))).is_empty());
    assert_eq!(scene.unsubscribed.len(), 200);

    let mut scene = renewing(|_| {});
    take(&mut scene, 0, |scene| scene.fail(FailureKind::TooLarge, None));
    assert!(scene.unsubscribed.is_empty());
}

#[test]
fn what_may_not_be_sent_is_not_tried_again() {
    let mut scene = renewing(|_| {});
    let sent = scene.sent[0].messages[0].clone();
    let id = sent.id.clone().unwrap();
    scene.input(|machine, now| machine.too_large(&id, 100, now));
    assert_eq!(scene.unsubscribed, sent.subscription.unwrap().channels());
}

#[test]
fn sessions_that_bring_something_and_end_at_once_keep_a_distance_too() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |config| {
            config.backoff = crate::Backoff::Constant(std::time::Duration::ZERO);
        });
        let (end, mut count) = (scene.now + SECOND, 0);
        while scene.now < end {
            while let Some(sent) = scene.sent.front() {
                count += 1;
                assert!(count < 1000, "there is no end of it");
                let message = &sent.messages[0];
                let is_first = message.advice.is_some();
                match message.is_handshake() {
                    true => scene.answer(handshaken),
                    false if is_first => {
                        scene.arrive(Message::with_data("/a", json!("welcome")));
                        scene.answer(good);
                    }
                    false => scene.answer(unknown),
                }
            }
            scene.pass(SECOND / 1000);
        }
        assert!((50..=400).contains(&count), "{count} requests in a second");
    }
}
