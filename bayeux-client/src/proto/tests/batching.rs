//! Requests: when they wait, and what goes together.

use bayeux_api::{
    ConnectionType::{LongPolling, WebSocket},
    Message,
    client::RequestError,
};
use serde_json::json;

use super::scene::{SECOND, Scene, good, handshaken};
use crate::State;

fn publish(scene: &mut Scene, channel: &str, waiter: u32) {
    let message = Message::with_data(channel, json!(waiter));
    scene.input(|machine, now| machine.publish(message, waiter, now));
}

#[test]
fn a_batch_is_one_request() {
    for transport in [WebSocket, LongPolling] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.input(|machine, _| machine.start_batch());
        publish(&mut scene, "/a", 1);
        scene.input(|machine, _| machine.start_batch());
        publish(&mut scene, "/b", 2);
        assert!(!scene.input(|machine, now| machine.end_batch(now)));
        assert_eq!(scene.sent.len(), 1);
        assert!(scene.input(|machine, now| machine.end_batch(now)));
        assert_eq!(scene.on_its_way()[1], ["/a", "/b"]);
    }
}

#[test]
fn a_batch_goes_on_in_the_next_session_and_ends_no_other() {
    for (transport, is_told) in [(WebSocket, true), (LongPolling, true), (WebSocket, false)] {
        let mut scene = Scene::connected(transport, |_| {});
        scene.input(|machine, _| machine.start_batch());
        publish(&mut scene, "/a", 1);
        if is_told {
            scene.input(|machine, now| machine.disconnect(2, now));
            // What is in the batch goes before the disconnect, which does not wait for its end.
            assert_eq!(scene.on_its_way()[1].first(), Some(&"/a"));
            scene.sent.rotate_left(1);
            while !scene.is_answered(2) {
                scene.answer(good);
            }
            scene.pass(SECOND);
        } else {
            scene.input(|machine, now| machine.abort("enough", now));
        }
        assert_eq!(scene.machine.state(), State::Disconnected);
        assert_eq!(scene.outcome(1).is_ok(), is_told);
        scene.connect();
        scene.input(|machine, _| machine.start_batch());
        publish(&mut scene, "/b", 3);
        assert!(!scene.input(|machine, now| machine.end_batch(now)), "the first has not ended");
        assert_eq!(scene.on_its_way(), [["/meta/connect"]]);
        assert!(scene.input(|machine, now| machine.end_batch(now)));
        assert_eq!(scene.on_its_way()[1], ["/b"]);
    }
}

#[test]
fn what_is_asked_for_during_a_handshake_follows_it_in_one_request() {
    let mut scene = Scene::new(&[WebSocket], |_| {});
    scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
    publish(&mut scene, "/a", 1);
    publish(&mut scene, "/b", 2);
    assert_eq!(scene.on_its_way(), [["/meta/handshake"]]);
    scene.answer(handshaken);
    assert_eq!(scene.on_its_way(), [vec!["/a", "/b"], vec!["/meta/connect"]]);
    assert_eq!(scene.sent[0].messages[0].client_id.as_deref(), Some("c1"));
}

#[test]
fn over_http_one_request_follows_the_other_and_over_a_websocket_none_waits() {
    let mut scene = Scene::connected(LongPolling, |_| {});
    (1..=3).for_each(|waiter| publish(&mut scene, "/a", waiter));
    assert_eq!(scene.on_its_way(), [vec!["/meta/connect"], vec!["/a"]]);
    scene.sent.rotate_left(1);
    scene.answer(good);
    assert_eq!(scene.on_its_way(), [vec!["/meta/connect"], vec!["/a", "/a"]]);

    let mut scene = Scene::connected(WebSocket, |_| {});
    (1..=3).for_each(|waiter| publish(&mut scene, "/a", waiter));
    assert_eq!(scene.sent.len(), 4);
}

#[test]
fn more_than_the_bound_is_refused_at_once() {
    let mut scene = Scene::connected(LongPolling, |config| config.max_requests = 2);
    (1..=3).for_each(|waiter| publish(&mut scene, "/a", waiter));
    assert_eq!(*scene.outcome(3), Err(RequestError::QueueFull));
    scene.sent.rotate_left(1);
    scene.answer(good);
    publish(&mut scene, "/a", 4);
    assert!(!scene.is_answered(4));

    let mut scene = Scene::connected(LongPolling, |config| config.max_request_bytes = 10);
    let message = Message::with_data("/a", json!("12345678901"));
    scene.input(|machine, now| machine.publish(message, 1, now));
    assert_eq!(*scene.outcome(1), Err(RequestError::QueueFull));
}

#[test]
fn a_call_is_answered_by_the_message_with_its_id_or_not_in_time() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    let call = Message::with_data("/service/add", json!([1, 2]));
    scene.input(|machine, now| machine.remote_call(call.clone(), 1, now));
    let id = scene.sent[1].messages[0].id.clone();
    scene.sent.rotate_left(1);
    scene.answer(good);
    assert!(!scene.is_answered(1));
    let mut answer = Message::with_data("/service/add", json!(3));
    answer.id = id;
    scene.arrive(answer);
    assert_eq!(scene.outcome(1).as_ref().unwrap().data, Some(json!(3).into()));
    let connect = scene.now + 35 * SECOND;
    assert_eq!(scene.machine.deadline(), Some(connect), "the call's time is not waited for");

    scene.input(|machine, now| machine.remote_call(call, 2, now));
    scene.sent.rotate_left(1);
    scene.answer(good);
    scene.pass(10 * SECOND);
    assert_eq!(*scene.outcome(2), Err(RequestError::Timeout));
}

#[test]
fn calls_that_wait_for_their_answers_count_towards_the_bound() {
    let mut scene = Scene::connected(WebSocket, |config| config.max_requests = 1);
    let call = Message::with_data("/service/add", json!(1));
    scene.input(|machine, now| machine.remote_call(call.clone(), 1, now));
    scene.sent.rotate_left(1);
    scene.answer(good);
    scene.input(|machine, now| machine.remote_call(call, 2, now));
    assert_eq!(*scene.outcome(2), Err(RequestError::QueueFull));
}

#[test]
fn a_late_or_doubled_reply_is_nobodys() {
    let mut scene = Scene::connected(WebSocket, |_| {});
    publish(&mut scene, "/a", 1);
    let mut reply = scene.sent[1].messages[0].reply();
    good(&mut reply);
    scene.sent.rotate_left(1);
    scene.answer(good);
    let before = scene.notified.len();
    scene.arrive(reply);
    assert_eq!(scene.notified.len(), before);
    assert!(scene.outcome(1).is_ok());
}
