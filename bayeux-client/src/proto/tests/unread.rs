//! What happens while nothing is read, since the listeners have too much to do.

use bayeux_api::{
    ConnectionType::{LongPolling, WebSocket},
    Message,
    client::{FailureKind, RequestError},
};
use serde_json::json;

use super::scene::{SECOND, Scene, good, handshaken, unknown};
use crate::State;

fn publish(scene: &mut Scene, waiter: u32) {
    let message = Message::with_data("/a", json!(waiter));
    scene.input(|machine, now| machine.publish(message, waiter, now));
}

#[test]
fn no_connect_is_overdue_and_the_time_goes_on_with_reading() {
    for (transport, delay) in [(WebSocket, 15), (LongPolling, 10)] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.pass(5 * SECOND);
        scene.input(|machine, now| machine.stop_reading(now));
        scene.pass(3600 * SECOND);
        assert_eq!(scene.machine.state(), State::Connected);
        assert!(scene.cancelled.is_empty());
        scene.input(|machine, now| machine.go_on_reading(now));
        scene.pass(SECOND * (14 + delay));
        assert_eq!(scene.machine.state(), State::Connected);
        scene.pass(2 * SECOND);
        assert_eq!(scene.machine.state(), State::Unconnected, "a server that is dead is noticed");
    }
}

#[test]
fn no_handshake_is_overdue() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    scene.input(|machine, now| machine.stop_reading(now));
    scene.answer(unknown);
    assert_eq!(scene.on_its_way(), [["/meta/handshake"]]);
    scene.pass(3600 * SECOND);
    assert_eq!(scene.on_its_way(), [["/meta/handshake"]]);
    scene.input(|machine, now| machine.go_on_reading(now));
    scene.pass(9 * SECOND);
    scene.answer(handshaken);
    assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
}

#[test]
fn who_waits_is_told_in_time_and_the_connection_stays() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |_| {});
        publish(&mut scene, 1);
        scene.input(|machine, now| machine.stop_reading(now));
        publish(&mut scene, 2);
        scene.input(|machine, now| machine.subscribe("/b", 1, 3, now));
        // Over HTTP the later ones cannot be sent, and have the same time.
        scene.pass(30 * SECOND);
        for waiter in 1..=3 {
            let Err(RequestError::Failed(failure)) = scene.outcome(waiter) else { panic!() };
            assert_eq!(failure.kind, FailureKind::Timeout);
        }
        assert_eq!(scene.machine.state(), State::Connected);
        assert!(scene.cancelled.is_empty());
        assert_eq!(scene.sent.len(), if transport == WebSocket { 4 } else { 2 });

        scene.input(|machine, now| machine.go_on_reading(now));
        scene.pass(SECOND);
        scene.sent.rotate_left(1);
        while scene.sent.len() > 1 {
            scene.answer(good);
            if transport == LongPolling {
                scene.sent.rotate_left(scene.sent.len() - 1);
            }
        }
        assert_eq!(scene.machine.state(), State::Connected);
        publish(&mut scene, 4);
        scene.sent.rotate_left(1);
        scene.answer(good);
        assert!(scene.outcome(4).is_ok());
    }
}

#[test]
fn a_short_while_gives_a_request_no_more_time() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    publish(&mut scene, 1);
    for _ in 0..16 {
        scene.pass(SECOND);
        scene.input(|machine, now| machine.stop_reading(now));
        scene.input(|machine, now| machine.go_on_reading(now));
    }
    let Err(RequestError::Failed(failure)) = scene.outcome(1) else { panic!() };
    assert_eq!(failure.kind, FailureKind::Timeout);
}

#[test]
fn a_disconnect_ends_the_session_all_the_same() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.input(|machine, now| machine.stop_reading(now));
        scene.input(|machine, now| machine.disconnect(1, now));
        scene.pass(20 * SECOND);
        assert!(scene.outcome(1).is_err());
        assert_eq!(scene.machine.state(), State::Disconnected);
        scene.connect();
        scene.pass(3600 * SECOND);
        assert_ne!(scene.machine.state(), State::Connected, "the next session reads");
    }
}
