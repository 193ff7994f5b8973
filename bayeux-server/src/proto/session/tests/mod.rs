//! One behaviour of the machine each.

mod any_order;

use bayeux_api::{Advice, Frozen, Message};
use serde_json::json;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    Rules {
        timeout: 20 * SECOND,
        interval: Duration::ZERO,
        max_interval: 10 * SECOND,
        max_processing: 60 * SECOND,
        max_lazy_timeout: 5 * SECOND,
        max_advised: 600 * SECOND,
        bounds: Bounds { messages: 3, bytes: 10_000 },
        overflow: Overflow::Disconnect,
        advise_max_interval: false,
    }
}

fn session() -> (Session, Instant) {
    #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
    let now = Instant::now();
    let mut session = Session::new(Arc::new(rules()), Delivery::Any, true);
    assert!(session.handshaken(now));
    (session, now)
}

/// A session whose second connect is held.
fn parked() -> (Session, Instant, Cycle) {
    let (mut session, now) = session();
    let first = session.connect(None, now).unwrap();
    session.replied(first.cycle, now);
    let second = session.connect(None, now).unwrap();
    assert_eq!(session.hold(second, false, now), Some(20 * SECOND));
    (session, now, second.cycle)
}

fn message(n: u32) -> Arc<Frozen> {
    Message::with_data("/a", json!(n)).freeze()
}

fn lazy() -> Arc<Frozen> {
    let mut message = Message::new("/a");
    message.lazy = true;
    message.freeze()
}

fn deliver(session: &mut Session, message: Arc<Frozen>, now: Instant) -> bool {
    match session.deliver(message, None, None, now) {
        Delivered::Queued { wake, .. } => wake,
        Delivered::Dropped | Delivered::Gone | Delivered::Overflowed => {
            panic!("the message was not queued")
        }
    }
}

#[test]
fn handshake_without_connect_expires() {
    let (session, now) = session();
    assert!(!session.is_over(now + 9 * SECOND));
    assert!(session.is_over(now + 10 * SECOND));
}

#[test]
fn first_connect_is_answered_at_once() {
    let (mut session, now) = session();
    let accepted = session.connect(None, now).unwrap();
    assert_eq!(session.hold(accepted, false, now), None);
}

#[test]
fn parked_connect_is_answered_by_the_first_delivery() {
    let (mut session, now, cycle) = parked();
    assert_eq!(session.held(cycle, false, now), Held::Wait(now + 20 * SECOND));
    assert!(deliver(&mut session, message(1), now));
    assert_eq!(session.held(cycle, false, now), Held::Resume);
    assert_eq!(session.drain_with_reply().1.len(), 1);
}

#[test]
fn parked_connect_is_answered_when_its_time_is_over() {
    let (mut session, now, cycle) = parked();
    let later = now + 20 * SECOND;
    assert_eq!(session.held(cycle, false, later), Held::TimedOut);
    session.replied(cycle, later);
    assert!(!session.is_over(later + 9 * SECOND));
    assert!(session.is_over(later + 10 * SECOND));
}

#[test]
fn a_connection_that_pushes_keeps_its_connect_parked() {
    let (mut session, now, cycle) = parked();
    deliver(&mut session, message(1), now);
    assert_eq!(session.held(cycle, true, now), Held::Wait(now + 20 * SECOND));
    assert_eq!(session.push(now).unwrap().len(), 1);
    assert!(session.push(now).is_none());
}

#[test]
fn an_older_connect_is_overtaken_and_changes_nothing_any_more() {
    let (mut session, now, old) = parked();
    let new = session.connect(None, now).unwrap();
    assert_eq!(session.held(old, false, now), Held::Overtaken);
    session.replied(old, now);
    assert_eq!(session.hold(new, false, now), Some(20 * SECOND));
}

#[test]
fn nothing_is_delivered_with_an_overtaken_connect() {
    let (mut session, now, old) = parked();
    let new = session.connect(None, now).unwrap();
    deliver(&mut session, message(1), now);
    assert!(session.drain_with_connect(old).1.is_empty());
    assert_eq!(session.drain_with_connect(new.cycle).1.len(), 1);
}

#[test]
fn a_broken_carrier_leaves_the_session_its_silence() {
    let (mut session, now, cycle) = parked();
    session.replied(cycle, now);
    assert_eq!(session.deadline(), Some(now + 10 * SECOND));
}

#[test]
fn messages_extend_the_life_and_never_shorten_it() {
    let (mut session, now) = session();
    session.touch(now + 5 * SECOND);
    assert_eq!(session.deadline(), Some(now + 15 * SECOND));
    session.touch(now);
    assert_eq!(session.deadline(), Some(now + 15 * SECOND));
}

#[test]
fn advised_timeout_and_interval_are_for_one_connect() {
    let (mut session, now, _) = parked();
    let advice = Advice { timeout: Some(0), interval: Some(5000), ..Advice::default() };
    let accepted = session.connect(Some(&advice), now).unwrap();
    assert_eq!(session.hold(accepted, false, now), None);
    let advised = session.take_advice(Some(ConnectionType::LongPolling)).unwrap();
    assert_eq!((advised.timeout, advised.interval), (Some(20_000), Some(5000)));
    session.replied(accepted.cycle, now);
    assert_eq!(session.deadline(), Some(now + 15 * SECOND));

    let accepted = session.connect(None, now).unwrap();
    assert_eq!(session.hold(accepted, false, now), Some(20 * SECOND));
    session.replied(accepted.cycle, now);
    assert_eq!(session.deadline(), Some(now + 10 * SECOND));
}

#[test]
fn a_client_cannot_ask_for_eternity() {
    let (mut session, now, _) = parked();
    let advice = Advice { timeout: Some(i64::MAX), interval: Some(i64::MAX), ..Advice::default() };
    let accepted = session.connect(Some(&advice), now).unwrap();
    assert_eq!(session.hold(accepted, false, now), Some(600 * SECOND));
    session.replied(accepted.cycle, now);
    assert_eq!(session.deadline(), Some(now + 610 * SECOND));
}

#[test]
fn advice_is_given_once_per_transport() {
    let (mut session, now) = session();
    let (polling, ws) = (Some(ConnectionType::LongPolling), Some(ConnectionType::WebSocket));
    assert!(session.take_advice(polling).is_some());
    assert_eq!(session.take_advice(polling), None);
    assert!(session.take_advice(ws).is_some());
    session.set_timeout(Some(SECOND));
    assert_eq!(session.take_advice(ws).unwrap().timeout, Some(1000));
    session.connect(Some(&Advice::default()), now);
    assert!(session.take_advice(ws).is_some());
}

#[test]
fn a_batch_holds_deliveries_back() {
    let (mut session, now, cycle) = parked();
    session.start_batch();
    assert!(!deliver(&mut session, message(1), now));
    assert_eq!(session.held(cycle, false, now), Held::Wait(now + 20 * SECOND));
    assert!(session.end_batch());
    assert_eq!(session.held(cycle, false, now), Held::Resume);
    assert!(!session.end_batch() || session.is_due(now));
}

#[test]
fn a_lazy_time_goes_with_its_message() {
    let (mut session, now, cycle) = parked();
    session.enable_acknowledgements();
    deliver(&mut session, lazy(), now);
    // It was never sent.
    session.acknowledge(1_000_000);
    assert_eq!(session.held(cycle, false, now), Held::Wait(now + 20 * SECOND));
}

#[test]
fn the_earlier_of_two_lazy_times_counts() {
    let (mut session, now, cycle) = parked();
    assert!(deliver(&mut session, lazy(), now));
    assert_eq!(session.held(cycle, false, now), Held::Wait(now + 5 * SECOND));
    session.deliver(lazy(), Some(SECOND), None, now);
    assert!(!deliver(&mut session, lazy(), now));
    assert_eq!(session.held(cycle, false, now), Held::Wait(now + SECOND));
    assert_eq!(session.held(cycle, false, now + SECOND), Held::Resume);
    assert_eq!(session.drain_with_reply().1.len(), 3);
}

#[test]
fn a_lazy_message_whose_time_came_while_away_is_due_at_the_next_connect() {
    let (mut session, now, cycle) = parked();
    session.replied(cycle, now);
    deliver(&mut session, lazy(), now);
    let early = session.connect(None, now + SECOND).unwrap();
    assert!(session.hold(early, false, now + SECOND).is_some());
    let late = session.connect(None, now + 6 * SECOND).unwrap();
    assert_eq!(session.hold(late, false, now + 6 * SECOND), None);
}

#[test]
fn an_unacknowledged_message_answers_the_next_connect() {
    let (mut session, now, cycle) = parked();
    session.enable_acknowledgements();
    deliver(&mut session, message(1), now);
    assert!(session.push(now).is_none());
    assert_eq!(session.held(cycle, true, now), Held::Resume);
    assert_eq!(session.drain_with_reply().0, Some(1));

    let again = session.connect(None, now).unwrap();
    session.acknowledge(0);
    assert_eq!(session.hold(again, false, now), None);
    let last = session.connect(None, now).unwrap();
    session.acknowledge(1);
    assert_eq!(session.hold(last, false, now), Some(20 * SECOND));
}

#[test]
fn a_full_queue_ends_the_session_and_an_ended_one_takes_nothing() {
    let (mut session, now, cycle) = parked();
    for n in 0..3 {
        deliver(&mut session, message(n), now);
    }
    assert_eq!(session.deliver(message(3), None, None, now), Delivered::Overflowed);
    assert!(session.remove(Removal::Overflowed) && !session.remove(Removal::Expired));
    assert_eq!(session.deliver(message(4), None, None, now), Delivered::Gone);
    assert_eq!(session.held(cycle, false, now), Held::Resume);
    assert!(session.connect(None, now).is_none());
    assert_eq!(session.removal(), Some(Removal::Overflowed));
}
