//! Any inputs in any order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Input {
    Handshake,
    Connect { timeout: Option<i64>, interval: Option<i64> },
    Hold { pushes: bool },
    Held { pushes: bool, cycle: u64 },
    Replied { cycle: u64 },
    Message,
    Deliver { lazy: bool },
    Push,
    DrainAndFail,
    DrainWithReply,
    EnableAcknowledgements,
    Acknowledge(u64),
    StartBatch,
    EndBatch,
    Remove,
    Wait(u64),
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::Handshake),
        (any::<Option<i64>>(), any::<Option<i64>>())
            .prop_map(|(timeout, interval)| Input::Connect { timeout, interval }),
        Just(Input::Connect { timeout: None, interval: None }),
        any::<bool>().prop_map(|pushes| Input::Hold { pushes }),
        (any::<bool>(), 0..9_u64).prop_map(|(pushes, cycle)| Input::Held { pushes, cycle }),
        (0..9_u64).prop_map(|cycle| Input::Replied { cycle }),
        Just(Input::Message),
        any::<bool>().prop_map(|lazy| Input::Deliver { lazy }),
        Just(Input::Push),
        Just(Input::DrainAndFail),
        Just(Input::DrainWithReply),
        Just(Input::EnableAcknowledgements),
        (0..9_u64).prop_map(Input::Acknowledge),
        Just(Input::StartBatch),
        Just(Input::EndBatch),
        Just(Input::Remove),
        (0..40_000_u64).prop_map(Input::Wait),
    ]
}

proptest! {
    #[test]
    fn every_live_session_has_a_deadline_within_reach(
        inputs in proptest::collection::vec(input(), 0..80),
    ) {
        #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
        let mut now = Instant::now();
        let mut session = Session::new(Arc::new(rules()), Delivery::Any, true);
        let mut accepted = Accepted { cycle: Cycle(0), was_connected: false };
        for input in inputs {
            match input {
                Input::Handshake => drop(session.handshaken(now)),
                Input::Connect { timeout, interval } => {
                    let advice = Advice { timeout, interval, ..Advice::default() };
                    let connect = session.connect(Some(&advice), now);
                    accepted = connect.unwrap_or(accepted);
                }
                Input::Hold { pushes } => drop(session.hold(accepted, pushes, now)),
                Input::Held { pushes, cycle } => {
                    session.held(Cycle(cycle), pushes, now);
                }
                Input::Replied { cycle } => session.replied(Cycle(cycle), now),
                Input::Message => session.touch(now),
                Input::Deliver { lazy: true } => {
                    session.deliver(lazy(), None, None, now);
                }
                Input::Deliver { lazy: false } => {
                    let message = message(0);
                    session.deliver(message, None, Some(Overflow::DropOldest), now);
                }
                Input::Push => drop(session.push(now)),
                Input::DrainAndFail => {
                    let failed = session.drain_with_response();
                    session.put_back(failed);
                }
                Input::DrainWithReply => drop(session.drain_with_reply()),
                Input::EnableAcknowledgements => session.enable_acknowledgements(),
                Input::Acknowledge(batch) => session.acknowledge(batch),
                Input::StartBatch => session.start_batch(),
                Input::EndBatch => drop(session.end_batch()),
                Input::Remove => drop(session.remove(Removal::Removed)),
                Input::Wait(millis) => {
                    now += Duration::from_millis(millis);
                    if session.is_over(now) {
                        session.remove(Removal::Expired);
                    }
                }
            }
            let deadline = session.deadline();
            prop_assert_eq!(deadline.is_some(), session.is_handshook());
            let reach = rules().max_advised + rules().max_processing + rules().max_interval;
            prop_assert!(deadline.is_none_or(|deadline| deadline <= now + reach));
            let depth = session.depth();
            prop_assert!(depth.messages <= rules().bounds.messages);
            prop_assert!(depth.bytes <= rules().bounds.bytes);
        }
    }
}
