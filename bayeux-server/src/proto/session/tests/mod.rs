//! One behaviour of the machine each.

mod ahead;
mod any_order;

use bayeux_api::{
    Advice, Frozen, Message,
    server::{Overflow, QueueBounds},
};
use serde_json::{Value, json};

use super::*;
use crate::proto::{
    carriage::{Lent, Means, Tell, Turn},
    queue::Since,
};

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> TransportConfig {
    TransportConfig {
        timeout: 20 * SECOND,
        interval: Duration::ZERO,
        max_interval: 10 * SECOND,
        max_processing: 60 * SECOND,
        max_lazy_timeout: 5 * SECOND,
        max_advised: 600 * SECOND,
        max_queue: 3,
        max_queue_bytes: 10_000,
        ..TransportConfig::default()
    }
}

/// A request that may be held.
const POLL: u8 = 1;
/// A connection.
const LINK: u8 = 2;

fn new_session() -> (Session<u8>, Instant) {
    #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
    let now = Instant::now();
    (Session::new(Arc::new(rules()), Delivery::Any, true), now)
}

fn session() -> (Session<u8>, Instant) {
    let (mut session, now) = new_session();
    assert!(session.handshaken(now));
    session.replied(Cycle::HANDSHAKE, now);
    (session, now)
}

/// A session whose second connect is held.
fn held() -> (Session<u8>, Instant, Cycle) {
    let (mut session, now) = session();
    let first = connect(&mut session, now);
    session.replied(first.cycle, now);
    let second = connect(&mut session, now);
    assert_eq!(hold(&mut session, second, now), Hold::For(20 * SECOND));
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

/// A session whose connect is held by a connection, which is awake.
fn linked() -> (Session<u8>, Instant, Cycle) {
    let (mut session, now, _) = held();
    let accepted = connect(&mut session, now);
    let (held, _) = session.hold(accepted, &LINK, Means::Lend, now);
    assert_eq!(held, Hold::For(20 * SECOND));
    (session, now, accepted.cycle)
}

fn connect(session: &mut Session<u8>, now: Instant) -> Accepted {
    session.connect(None, now).unwrap().0
}

fn hold(session: &mut Session<u8>, accepted: Accepted, now: Instant) -> Hold {
    session.hold(accepted, &POLL, Means::Reply, now).0
}

/// Queues a message; true when somebody is told.
fn deliver(session: &mut Session<u8>, message: Arc<Frozen>, now: Instant) -> bool {
    let (delivered, tell) = session.deliver(message, None, None, now);
    assert!(matches!(delivered, Delivered::Queued { .. }), "{delivered:?}");
    tell != Tell::Nobody
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
    let accepted = connect(&mut session, now);
    assert_eq!(hold(&mut session, accepted, now), Hold::Not);
}

#[test]
fn held_connect_is_answered_by_the_first_delivery() {
    let (mut session, now, cycle) = held();
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Wait(now + 20 * SECOND));
    assert!(deliver(&mut session, message(1), now));
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Resume);
    assert_eq!(session.drain_with_reply().1.len(), 1);
}

#[test]
fn held_connect_is_answered_when_its_time_is_over() {
    let (mut session, now, cycle) = held();
    let later = now + 20 * SECOND;
    assert_eq!(session.held(cycle, Means::Reply, later), Held::TimedOut);
    session.replied(cycle, later);
    assert!(!session.is_over(later + 9 * SECOND));
    assert!(session.is_over(later + 10 * SECOND));
}

#[test]
fn a_connection_that_pushes_keeps_its_connect_held() {
    let (mut session, now, cycle) = linked();
    assert_eq!(session.deliver(message(1), None, None, now).1, Tell::Nobody);
    assert!(!session.wait(&LINK), "it has to look");
    assert_eq!(session.held(cycle, Means::Lend, now), Held::Wait(now + 20 * SECOND));
    assert_eq!(session.push(&LINK, now).unwrap().messages.len(), 1);
    assert!(session.push(&LINK, now).is_none() && session.wait(&LINK));
    assert_eq!(session.deliver(message(2), None, None, now).1, Tell::Write);
}

#[test]
fn what_is_acknowledged_answers_the_held_connect_of_a_connection_too() {
    let (mut session, now, cycle) = linked();
    session.enable_acknowledgements(false);
    session.set_delivery(Delivery::Any);
    deliver(&mut session, message(1), now);
    assert!(session.push(&LINK, now).is_none());
    assert_eq!(session.held(cycle, Means::Lend, now), Held::Resume);
}

#[test]
fn a_late_connect_that_was_overtaken_takes_nothing_over() {
    let (mut session, now, _) = held();
    let (late, newest) = (connect(&mut session, now), connect(&mut session, now));
    let (held, tell) = session.hold(newest, &7, Means::Reply, now);
    assert_eq!((held, tell), (Hold::For(20 * SECOND), Tell::Wake(POLL)));
    assert_eq!(session.hold(late, &8, Means::Reply, now), (Hold::Overtaken, Tell::Nobody));
    assert!(!session.leave(&8));
    assert_eq!(session.deliver(message(1), None, None, now).1, Tell::Wake(7));
}

#[test]
fn a_connection_that_speaks_for_a_session_and_goes_leaves_the_held_connect_its_carrier() {
    let (mut session, now, _) = held();
    assert!(!session.bind(&LINK, Means::Lend, Turn::Again));
    assert!(session.wait(&LINK) && session.push(&LINK, now).is_none());
    assert!(!session.leave(&LINK));
    assert_eq!(session.deliver(message(1), None, None, now).1, Tell::Wake(POLL));
}

#[test]
fn everybody_sees_the_end() {
    let (mut session, now, _) = held();
    session.bind(&LINK, Means::Lend, Turn::Again);
    assert_eq!(session.end(Removal::Expired, None, now), 0);
    assert_eq!(session.everybody(), [POLL, LINK]);
}

#[test]
fn the_silence_counts_from_the_reply_to_the_handshake() {
    let (mut session, now) = new_session();
    assert!(session.handshaken(now));
    let later = now + 50 * SECOND;
    assert!(!session.is_over(later) && session.is_over(now + 60 * SECOND));
    session.replied(Cycle::HANDSHAKE, later);
    assert_eq!(session.deadline(), Some(later + 10 * SECOND));
}

#[test]
fn a_new_max_interval_moves_the_deadline_of_a_silence_that_runs() {
    let (mut session, now) = session();
    session.set_max_interval(Some(3 * SECOND));
    assert_eq!(session.deadline(), Some(now + 3 * SECOND));
    session.set_max_interval(None);
    assert_eq!(session.deadline(), Some(now + 10 * SECOND));
}

#[test]
fn an_older_connect_is_overtaken_and_changes_nothing_any_more() {
    let (mut session, now, old) = held();
    let new = connect(&mut session, now);
    assert_eq!(session.held(old, Means::Reply, now), Held::Overtaken);
    session.replied(old, now);
    assert_eq!(hold(&mut session, new, now), Hold::For(20 * SECOND));
}

#[test]
fn nothing_is_delivered_with_an_overtaken_connect() {
    let (mut session, now, old) = held();
    let new = connect(&mut session, now);
    deliver(&mut session, message(1), now);
    assert!(session.drain_with_connect(old).1.is_empty());
    assert_eq!(session.drain_with_connect(new.cycle).1.len(), 1);
}

#[test]
fn a_broken_carrier_leaves_the_session_its_silence() {
    let (mut session, now, cycle) = held();
    assert!(session.leave(&POLL) && !session.leave(&POLL));
    session.replied(cycle, now);
    assert_eq!(session.deadline(), Some(now + 10 * SECOND));
}

#[test]
fn the_carrier_of_a_session_that_ended_is_no_loss() {
    let (mut session, now, _) = held();
    session.end(Removal::Removed, None, now);
    assert!(!session.leave(&POLL));
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
fn a_session_lives_while_its_requests_are_worked_on_but_not_for_ever() {
    let (mut session, now) = session();
    let most = rules().max_processing;
    session.begin_work(now);
    session.begin_work(now + SECOND);
    session.end_work(now + 2 * SECOND);
    assert_eq!(session.deadline(), Some(now + SECOND + most));
    session.end_work(now + 3 * SECOND);
    assert_eq!(session.deadline(), Some(now + 13 * SECOND));
}

#[test]
fn advised_timeout_and_interval_are_for_one_connect() {
    let (mut session, now, _) = held();
    let mut advice = Advice::default();
    (advice.timeout, advice.interval) = (Some(0), Some(5000));
    let (accepted, _) = session.connect(Some(&advice), now).unwrap();
    assert_eq!(hold(&mut session, accepted, now), Hold::Not);
    let advised = session.take_advice(Some(ConnectionType::LongPolling)).unwrap();
    assert_eq!((advised.timeout, advised.interval), (Some(20_000), Some(5000)));
    session.replied(accepted.cycle, now);
    assert_eq!(session.deadline(), Some(now + 15 * SECOND));

    let accepted = connect(&mut session, now);
    assert_eq!(hold(&mut session, accepted, now), Hold::For(20 * SECOND));
    session.replied(accepted.cycle, now);
    assert_eq!(session.deadline(), Some(now + 10 * SECOND));
}

#[test]
fn a_client_cannot_ask_for_eternity() {
    let (mut session, now, _) = held();
    let mut advice = Advice::default();
    (advice.timeout, advice.interval) = (Some(i64::MAX), Some(i64::MAX));
    let (accepted, _) = session.connect(Some(&advice), now).unwrap();
    assert_eq!(hold(&mut session, accepted, now), Hold::For(600 * SECOND));
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
    let (mut session, now, cycle) = held();
    session.start_batch();
    assert!(!deliver(&mut session, message(1), now));
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Wait(now + 20 * SECOND));
    assert_eq!(session.end_batch(), (true, Tell::Wake(POLL)));
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Resume);
    assert!(session.is_due(now));
}

#[test]
fn a_lazy_time_goes_with_its_message() {
    let (mut session, now, cycle) = held();
    session.enable_acknowledgements(false);
    deliver(&mut session, lazy(), now);
    // It was never sent.
    session.acknowledge(1_000_000, Since::OnItsWay);
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Wait(now + 20 * SECOND));
}

#[test]
fn the_earlier_of_two_lazy_times_counts() {
    let (mut session, now, cycle) = held();
    assert!(deliver(&mut session, lazy(), now));
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Wait(now + 5 * SECOND));
    session.deliver(lazy(), Some(SECOND), None, now);
    assert!(!deliver(&mut session, lazy(), now));
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Wait(now + SECOND));
    assert_eq!(session.held(cycle, Means::Reply, now + SECOND), Held::Resume);
    assert_eq!(session.drain_with_reply().1.len(), 3);
}

#[test]
fn a_lazy_message_whose_time_came_while_away_is_due_at_the_next_connect() {
    let (mut session, now, cycle) = held();
    session.replied(cycle, now);
    deliver(&mut session, lazy(), now);
    let early = connect(&mut session, now + SECOND);
    assert_ne!(hold(&mut session, early, now + SECOND), Hold::Not);
    let late = connect(&mut session, now + 6 * SECOND);
    assert_eq!(hold(&mut session, late, now + 6 * SECOND), Hold::Not);
}

#[test]
fn an_unacknowledged_message_answers_the_next_connect() {
    let (mut session, now, cycle) = held();
    session.enable_acknowledgements(false);
    deliver(&mut session, message(1), now);
    assert!(session.push(&POLL, now).is_none());
    assert_eq!(session.held(cycle, Means::Lend, now), Held::Resume);
    assert_eq!(session.drain_with_reply().0, Some(1));

    let again = connect(&mut session, now);
    session.acknowledge(0, Since::OnItsWay);
    assert_eq!(hold(&mut session, again, now), Hold::Not);
    let last = connect(&mut session, now);
    session.acknowledge(1, Since::OnItsWay);
    assert_eq!(hold(&mut session, last, now), Hold::For(20 * SECOND));
}

#[test]
fn a_full_queue_ends_the_session_and_an_ended_one_takes_nothing() {
    let (mut session, now, cycle) = held();
    for n in 0..3 {
        deliver(&mut session, message(n), now);
    }
    assert_eq!(session.deliver(message(3), None, None, now).0, Delivered::Overflowed);
    assert_eq!(session.end(Removal::Expired, None, now), 3);
    assert_eq!(session.deliver(message(4), None, None, now).0, Delivered::Gone);
    assert_eq!(session.held(cycle, Means::Reply, now), Held::Resume);
    assert!(session.connect(None, now).is_none());
    assert_eq!(session.removal(), Some(Removal::Overflowed));
}

#[test]
fn who_comes_to_write_what_another_has_written_makes_nobody_look() {
    let (mut session, now, _) = linked();
    assert!(session.push(&LINK, now).is_none());
    assert!(session.wait(&LINK));
    assert!(matches!(session.lend(true, &mut Vec::new(), now), Lent::No));
    assert!(!session.will_be_looked_at());
}
