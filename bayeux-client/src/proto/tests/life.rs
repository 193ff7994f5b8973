//! From the handshake to the end.

use bayeux_api::{
    BayeuxError,
    ConnectionType::{LongPolling, WebSocket},
    Message, Reconnect,
    client::{FailureKind, RequestError},
};
use serde_json::json;

use super::scene::{SECOND, Scene, good, handshaken, unknown};
use crate::State;

#[test]
fn a_session_begins_with_a_handshake_and_a_connect_that_is_not_held() {
    let mut scene = Scene::new(&[WebSocket, LongPolling], |_| {});
    let mut template = Message::default();
    template.set_extra("token", json!("abc"));
    scene.input(|machine, now| machine.handshake(template, 1, now));
    let sent = &scene.sent[0].messages[0];
    assert_eq!(sent.channel(), "/meta/handshake");
    assert_eq!(sent.version.as_deref(), Some("1.0"));
    assert_eq!(sent.extra("token"), Some(&json!("abc").into()));
    let known = ["websocket", "long-polling"].map(str::to_owned);
    assert_eq!(sent.supported_connection_types.as_deref(), Some(&known[..]));

    scene.answer(handshaken);
    assert!(scene.outcome(1).is_ok());
    let connect = &scene.sent[0].messages[0];
    assert_eq!(connect.client_id.as_deref(), Some("c1"));
    assert_eq!(connect.connection_type.as_deref(), Some("websocket"));
    assert_eq!(connect.advice.as_ref().unwrap().timeout, Some(0));

    scene.answer(good);
    let states = [State::Handshaking, State::Handshaken, State::Connecting, State::Connected];
    assert_eq!(scene.states, states);
    assert_eq!(scene.sent[0].messages[0].advice, None);
    assert_eq!(scene.sent.len(), 1, "one connect at a time");
}

#[test]
fn a_second_handshake_is_refused() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 2, now));
    assert_eq!(*scene.outcome(2), Err(RequestError::AlreadyHandshaken));
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
}

#[test]
fn a_handshake_that_is_denied_is_the_last() {
    let mut scene = Scene::new(&[WebSocket], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.answer(|reply| {
        reply.fail(&BayeuxError::HandshakeDenied);
        reply.advice_mut().reconnect = Some(Reconnect::None);
    });
    assert!(matches!(scene.outcome(1), Err(RequestError::Refused(_))));
    assert_eq!(scene.machine.state(), State::Disconnected);
    scene.pass(1000 * SECOND);
    assert!(scene.sent.is_empty());
    scene.connect();
}

#[test]
fn credentials_are_asked_for_at_each_handshake() {
    let mut scene = Scene::with(&[LongPolling], &["http://server/"], true, |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    assert!(scene.sent.is_empty());
    for round in 1..=2 {
        assert_eq!(scene.asked_for_credentials, round);
        let mut fields = Message::default();
        fields.ext_mut().insert("token".to_owned(), json!(round));
        scene.input(|machine, now| machine.credentials(Ok(fields), now));
        let sent = &scene.sent[0].messages[0];
        assert_eq!(sent.ext_field("token"), Some(json!(round)));
        scene.answer(handshaken);
        scene.answer(unknown);
    }
}

#[test]
fn credentials_that_do_not_come_are_a_failure_that_passes() {
    let mut scene = Scene::with(&[LongPolling], &["http://server/"], true, |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.pass(10 * SECOND);
    assert!(matches!(scene.outcome(1), Err(RequestError::Failed(_))));
    assert_eq!(scene.machine.state(), State::Rehandshaking);
    scene.pass(SECOND);
    assert_eq!(scene.asked_for_credentials, 2);
}

#[test]
fn messages_that_come_with_the_handshake_come_before_the_first_connect() {
    let mut scene = Scene::new(&[WebSocket], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.answer(|reply| {
        handshaken(reply);
        reply.x_messages = Some(2);
    });
    assert!(scene.sent.is_empty());
    scene.arrive(Message::with_data("/a", json!(1)));
    assert!(scene.sent.is_empty());
    scene.arrive(Message::with_data("/a", json!(2)));
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
}

#[test]
fn a_handshake_that_has_no_transport_in_common_is_the_last() {
    let mut scene = Scene::new(&[WebSocket], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.answer(|reply| {
        handshaken(reply);
        reply.supported_connection_types = Some(vec!["long-polling".to_owned()]);
    });
    let Err(RequestError::Refused(reply)) = scene.outcome(1) else { panic!() };
    assert_eq!(reply.error.as_deref(), Some("405:c[websocket],s[long-polling]:no_transport"));
    assert_eq!(scene.machine.state(), State::Disconnected);
}

#[test]
fn a_disconnect_comes_after_what_was_asked_for_before() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    for (waiter, channel) in [(1, "/a"), (2, "/b")] {
        let message = Message::with_data(channel, json!(1));
        scene.input(|machine, now| machine.publish(message, waiter, now));
    }
    scene.input(|machine, now| machine.disconnect(3, now));
    assert_eq!(scene.machine.state(), State::Disconnecting);
    let held = scene.sent.pop_front().unwrap();
    assert_eq!(scene.on_its_way(), [vec!["/a"]]);
    scene.answer(good);
    assert_eq!(scene.on_its_way(), [vec!["/b", "/meta/disconnect"]]);
    scene.answer(good);
    assert!([1, 2, 3].iter().all(|waiter| scene.outcome(*waiter).is_ok()));
    assert_eq!(scene.machine.state(), State::Terminating);

    let mut last = held.messages[0].reply();
    good(&mut last);
    scene.arrive(last);
    assert_eq!(scene.machine.state(), State::Disconnected);
}

#[test]
fn the_last_connect_is_not_waited_for_long() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    scene.input(|machine, now| machine.disconnect(1, now));
    scene.sent.pop_front();
    scene.answer(good);
    scene.pass(SECOND);
    assert_eq!(scene.machine.state(), State::Disconnected);
    assert_eq!(scene.machine.deadline(), None);
}

#[test]
fn a_server_may_end_the_session() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    scene.input(|machine, now| machine.subscribe("/a", 1, 1, now));
    let mut message = Message::new("/meta/disconnect");
    message.successful = Some(true);
    scene.arrive(message);
    assert!(scene.outcome(1).is_err());
    assert_eq!(scene.unsubscribed, ["/a"]);
    scene.pass(SECOND);
    assert_eq!(scene.machine.state(), State::Disconnected);
}

#[test]
fn an_abort_answers_everybody_at_once() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    let message = Message::with_data("/a", json!(1));
    scene.input(|machine, now| machine.publish(message.clone(), 1, now));
    scene.input(|machine, now| machine.publish(message.clone(), 2, now));
    scene.input(|machine, now| {
        machine.remote_call(Message::with_data("/service/a", json!(1)), 3, now)
    });
    scene.input(|machine, now| machine.abort("aborted", now));
    for waiter in 1..=3 {
        let Err(RequestError::Failed(failure)) = scene.outcome(waiter) else { panic!() };
        assert_eq!(failure.kind, FailureKind::Aborted);
    }
    assert_eq!(scene.machine.state(), State::Disconnected);
    assert_eq!(scene.machine.deadline(), None);
    assert!(scene.sent.is_empty());
    scene.connect();
}

#[test]
fn a_better_transport_is_tried_after_a_while_and_takes_over() {
    let mut scene = Scene::new(&[WebSocket, LongPolling], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 1, now));
    scene.fail(FailureKind::Status, Some(403));
    assert_eq!(scene.sent[0].transport, LongPolling);
    assert!(!scene.is_answered(1), "the fallback belongs to the same handshake");
    scene.answer(handshaken);
    scene.answer(good);
    scene.pass(15 * SECOND);
    for _ in 0..30 {
        scene.answer(good);
        scene.pass(15 * SECOND);
    }
    assert_eq!(scene.probes, 1);
    scene.input(|machine, now| machine.probed(WebSocket, true, now));
    scene.answer(good);
    assert_eq!(scene.sent[0].transport, WebSocket);
    assert_eq!(scene.sent[0].messages[0].connection_type.as_deref(), Some("websocket"));
}

#[test]
fn what_is_asked_for_later_does_not_overtake_over_a_better_transport() {
    let mut scene = promoted();
    let publish = |scene: &mut Scene, waiter: u32| {
        let message = Message::with_data("/a", json!(waiter));
        scene.input(|machine, now| machine.publish(message, waiter, now));
    };
    publish(&mut scene, 1);
    assert_eq!(scene.on_its_way(), [["/meta/connect"], ["/a"]]);
    scene.answer(good);
    assert_eq!(scene.sent[1].transport, WebSocket, "the connect goes over the better one");
    publish(&mut scene, 2);
    publish(&mut scene, 3);
    assert_eq!(scene.on_its_way(), [["/a"], ["/meta/connect"]]);
    scene.answer(good);
    assert!(scene.outcome(1).is_ok());
    assert_eq!(scene.on_its_way(), [vec!["/meta/connect"], vec!["/a", "/a"]]);
    assert_eq!(scene.sent[1].transport, WebSocket);
    publish(&mut scene, 4);
    assert_eq!(scene.sent.len(), 3, "over one WebSocket nothing waits");
}

/// A client over long-polling that has seen by now that a WebSocket would work.
fn promoted() -> Scene {
    let mut scene = Scene::new(&[WebSocket, LongPolling], |config| {
        config.probe_interval = SECOND;
    });
    scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
    scene.fail(FailureKind::Status, Some(403));
    scene.answer(handshaken);
    scene.answer(good);
    scene.pass(SECOND);
    assert_eq!(scene.probes, 1);
    scene.input(|machine, now| machine.probed(WebSocket, true, now));
    scene
}

#[test]
fn the_servers_interval_is_kept() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.answer(|reply| {
        good(reply);
        reply.advice_mut().interval = Some(5000);
    });
    scene.pass(SECOND * 49 / 10);
    assert!(scene.sent.is_empty());
    scene.pass(SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
}
