//! Failures of the network and of servers.

use std::time::Duration;

use bayeux_api::{
    ConnectionType::{LongPolling, WebSocket},
    Message,
    client::{FailureKind, RequestError},
};
use serde_json::json;

use super::scene::{SECOND, Scene, good, handshaken, unknown};
use crate::{Backoff, State};

#[test]
fn a_connect_that_fails_is_sent_again_with_the_same_session() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.fail(FailureKind::Closed, None);
        assert_eq!(scene.states, [State::Unconnected]);
        assert!(scene.sent.is_empty());
        scene.pass(SECOND);
        let connect = &scene.sent[0].messages[0];
        assert_eq!(connect.client_id.as_deref(), Some("c1"));
        assert_eq!(connect.advice.as_ref().unwrap().timeout, Some(0));
        scene.answer(good);
        assert_eq!(scene.states, [State::Unconnected, State::Connected]);
    }
}

#[test]
fn a_session_that_the_server_forgot_is_started_anew() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.answer(unknown);
    assert_eq!(scene.states, [State::Rehandshaking]);
    assert_eq!(scene.on_its_way(), [["/meta/handshake"]]);
    assert_eq!(scene.sent[0].messages[0].client_id, None);
}

#[test]
fn a_server_that_forgets_every_session_is_not_flooded() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.answer(unknown);
    let mut handshakes = 0;
    for _ in 0..20 {
        while !scene.sent.is_empty() {
            let is_handshake = scene.sent[0].messages[0].is_handshake();
            handshakes += u32::from(is_handshake);
            if is_handshake { scene.answer(handshaken) } else { scene.answer(unknown) }
        }
        scene.pass(SECOND / 10);
    }
    assert!((2..=4).contains(&handshakes), "{handshakes} in two seconds");
}

#[test]
fn a_session_that_is_gone_by_now_is_not_tried_again() {
    let mut scene = Scene::connected(LongPolling, |config| {
        config.backoff = Backoff::Constant(10 * SECOND);
    });
    scene.answer(|reply| {
        good(reply);
        let advice = reply.advice_mut();
        (advice.timeout, advice.max_interval) = (Some(1000), Some(12_000));
    });
    scene.fail(FailureKind::Unreachable, None);
    scene.pass(10 * SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
    scene.fail(FailureKind::Unreachable, None);
    assert_eq!(scene.machine.state(), State::Rehandshaking);
}

#[test]
fn silence_is_a_failure_once_the_connect_is_overdue() {
    for (transport, delay) in [(WebSocket, 15), (LongPolling, 10)] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.pass(Duration::from_secs(20 + delay - 1));
        assert_eq!(scene.machine.state(), State::Connected);
        scene.pass(SECOND);
        assert_eq!(scene.machine.state(), State::Unconnected);
        let reply = scene.notified.last().unwrap();
        assert_eq!(reply.channel(), "/meta/connect");
        assert!(reply.extra("failure").is_some());
    }
}

#[test]
fn after_a_jump_of_time_the_client_connects_again() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    scene.now += 3600 * SECOND;
    scene.input(|machine, now| machine.tick(now));
    assert_eq!(scene.machine.state(), State::Unconnected);
    scene.pass(SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
}

#[test]
fn a_request_that_fails_is_not_sent_again() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    let message = Message::with_data("/a", json!(1));
    scene.input(|machine, now| machine.publish(message, 1, now));
    scene.sent.rotate_left(1);
    scene.fail(FailureKind::Closed, None);
    let Err(RequestError::Failed(failure)) = scene.outcome(1) else { panic!() };
    assert_eq!(failure.kind, FailureKind::Closed);
    scene.pass(SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
}

#[test]
fn an_answer_without_the_reply_is_a_failure_of_that_request() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    let message = Message::with_data("/a", json!(1));
    scene.input(|machine, now| machine.publish(message, 1, now));
    let exchange = scene.sent[1].exchange;
    let mut other = Message::new("/a");
    other.id = Some("999999".to_owned());
    other.successful = Some(true);
    scene.arrive(other);
    assert!(!scene.is_answered(1));
    scene.input(|machine, now| machine.exchange_ended(exchange, Ok(()), now));
    let Err(RequestError::Failed(failure)) = scene.outcome(1) else { panic!() };
    assert_eq!(failure.kind, FailureKind::Unanswered);
}

#[test]
fn the_client_gives_up_when_it_has_tried_often_enough() {
    let mut scene = Scene::new(&[LongPolling], |config| config.max_attempts = Some(3));
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.input(|machine, now| machine.publish(Message::with_data("/a", json!(1)), 2, now));
    for _ in 0..3 {
        scene.fail(FailureKind::Unreachable, None);
        scene.pass(SECOND);
    }
    assert_eq!(scene.machine.state(), State::Disconnected);
    assert!(scene.outcome(1).is_err() && scene.outcome(2).is_err());
}

#[test]
fn the_client_gives_up_when_it_has_tried_long_enough() {
    let mut scene = Scene::connected(LongPolling, |config| {
        config.max_reconnect_time = Some(5 * SECOND);
    });
    for _ in 0..5 {
        scene.fail(FailureKind::Unreachable, None);
        scene.pass(SECOND);
    }
    assert_eq!(scene.machine.state(), State::Unconnected);
    scene.fail(FailureKind::Unreachable, None);
    assert_eq!(scene.machine.state(), State::Disconnected);
}

/// Waits that may be none: the second is CometD's for handshakes.
const NONE: [Backoff; 3] = [
    Backoff::Constant(Duration::ZERO),
    Backoff::Linear { increment: SECOND, maximum: SECOND },
    Backoff::Exponential { first: Duration::ZERO, maximum: Duration::ZERO },
];

#[test]
fn a_retry_without_a_wait_is_another_attempt_all_the_same() {
    for backoff in NONE {
        let mut scene = Scene::new(&[LongPolling], |config| config.backoff = backoff);
        scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
        scene.fail(FailureKind::Unreachable, None);
        assert!(matches!(scene.outcome(1), Err(RequestError::Failed(_))), "{backoff:?}");
        assert_eq!(scene.on_its_way(), [["/meta/handshake"]], "{backoff:?}");
    }
}

#[test]
fn without_a_wait_a_server_is_not_tried_without_pause() {
    let mut scene = Scene::new(&[LongPolling], |config| {
        config.backoff = Backoff::Constant(Duration::ZERO);
    });
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    let mut tries = 0;
    for _ in 0..100 {
        while !scene.sent.is_empty() {
            tries += 1;
            assert!(tries <= 1000, "there is no end of it");
            scene.fail(FailureKind::Unreachable, None);
        }
        scene.pass(SECOND / 100);
    }
    assert!((50..=102).contains(&tries), "{tries} within a second");
}

#[test]
fn what_cannot_get_better_by_itself_ends_the_handshake() {
    let mut scene = Scene::new(&[LongPolling], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.fail(FailureKind::Status, Some(401));
    assert_eq!(scene.machine.state(), State::Disconnected);

    let mut scene = Scene::with(&[LongPolling], &["http://server/"], true, |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.input(|machine, now| machine.credentials(Ok(Message::default()), now));
    scene.fail(FailureKind::Status, Some(401));
    assert_eq!(scene.machine.state(), State::Rehandshaking, "the next token may be better");
}

#[test]
fn a_server_that_cannot_be_reached_does_not_speak_against_the_websocket() {
    let mut scene = Scene::new(&[WebSocket, LongPolling], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.fail(FailureKind::Unreachable, None);
    assert!(scene.outcome(1).is_err());
    scene.pass(SECOND);
    assert_eq!(scene.sent[0].transport, WebSocket);
}

#[test]
fn the_only_transport_is_not_given_up_for_what_passes() {
    let mut scene = Scene::new(&[WebSocket], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.fail(FailureKind::Status, Some(503));
    scene.pass(SECOND);
    assert_eq!(scene.sent[0].transport, WebSocket);
}

#[test]
fn the_next_server_is_tried_at_once_and_the_first_again_after_a_while() {
    let urls = ["http://a/", "http://b/"];
    let mut scene = Scene::with(&[LongPolling], &urls, false, |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.fail(FailureKind::Unreachable, None);
    assert_eq!(scene.sent[0].url.as_str(), "http://b/");
    scene.fail(FailureKind::Unreachable, None);
    assert!(scene.sent.is_empty());
    scene.pass(SECOND);
    assert_eq!(scene.sent[0].url.as_str(), "http://a/");
}

#[test]
fn advised_hosts_are_where_the_next_session_is() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.answer(|reply| {
        unknown(reply);
        reply.advice_mut().hosts = Some(vec!["other".to_owned()]);
    });
    assert_eq!(scene.sent[0].url.as_str(), "http://other/cometd");
}

#[test]
fn advice_without_reason_makes_no_endless_wait_and_no_panic() {
    for number in [i64::MIN, -1, i64::MAX] {
        let mut scene = Scene::connected(WebSocket, |_| {});
        scene.answer(|reply| {
            good(reply);
            let advice = reply.advice_mut();
            advice.interval = Some(number);
            advice.timeout = Some(number);
            advice.max_interval = Some(number);
        });
        let deadline = scene.machine.deadline().expect("it goes on");
        assert!(deadline <= scene.now + Duration::from_secs(2 * 24 * 3600));
        scene.fail_if_sent();
    }
}

impl Scene {
    fn fail_if_sent(&mut self) {
        if !self.sent.is_empty() {
            self.fail(FailureKind::Closed, None);
        }
    }
}
