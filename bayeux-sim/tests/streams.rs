//! What becomes of streams when something fails.

use std::time::{Duration, Instant};

use bayeux_sim::{
    Conditions, Context, Death, Fault, Input, Node, Place, Schedule, Step, StreamId, Trace, World,
};

const SECOND: Duration = Duration::from_secs(1);
const A: Place = Place(0);
const B: Place = Place(1);

/// Dials B if it is A, sends what it is asked to, and keeps what happens.
#[derive(Default)]
struct End {
    stream: Option<StreamId>,
    seen: Vec<String>,
}

impl Node for End {
    type Packet = u32;
    type Command = u32;

    fn handle(&mut self, input: Input<u32, u32>, context: &mut Context<'_, u32>) {
        let seen = match input {
            Input::Start if context.own() == A => {
                context.dial(B);
                return;
            }
            Input::Ask(number) => {
                self.stream.into_iter().for_each(|stream| context.send(stream, number));
                return;
            }
            Input::Start | Input::Stop | Input::Tick | Input::Datagram(..) => return,
            Input::Accepted(stream, _) | Input::Opened(stream) => {
                self.stream = Some(stream);
                "open".to_owned()
            }
            Input::Refused(_) => "refused".to_owned(),
            Input::Received(_, number) => number.to_string(),
            Input::Closed(_) => "closed".to_owned(),
        };
        self.seen.push(seen);
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// Plays what is added to two that are connected after a second, and returns what both saw until then.
fn play(until: u32, add: impl FnOnce(&mut Schedule<u32>)) -> [String; 2] {
    let mut schedule = Schedule::default();
    schedule.fault(Duration::ZERO, Fault::Start(B));
    schedule.fault(Duration::ZERO, Fault::Start(A));
    add(&mut schedule);
    let conditions = Conditions::default();
    let make = |_, _, _: &mut _| End::default();
    let mut world = World::new(7, conditions, schedule, Trace::silent(), make);
    world.run(until * SECOND).expect("nothing is checked");
    [A, B]
        .map(|place| world.node(place).map_or_else(|| "gone".to_owned(), |end| end.seen.join(" ")))
}

fn both(seen: [&str; 2]) -> [String; 2] {
    seen.map(str::to_owned)
}

#[test]
fn what_is_sent_arrives_in_order() {
    let seen = play(2, |schedule| {
        (1..=5).for_each(|number| schedule.add(SECOND, Step::Ask(A, number)));
    });
    assert_eq!(seen, both(["open", "open 1 2 3 4 5"]));
}

#[test]
fn what_is_sent_into_a_cut_arrives_when_it_is_mended_if_that_is_soon() {
    let cut = |mended: u32| {
        play(60, |schedule| {
            schedule.fault(2 * SECOND, Fault::Cut(A, B));
            (1..=5).for_each(|number| schedule.add(number * SECOND, Step::Ask(A, number)));
            schedule.fault(mended * SECOND, Fault::Mend(A, B));
            schedule.add(mended * SECOND + SECOND, Step::Ask(B, 6));
        })
    };
    assert_eq!(cut(10), both(["open 6", "open 1 2 3 4 5"]));
    // A has given up. B is told only when it sends something.
    assert_eq!(cut(40), both(["open closed", "open 1 closed"]));
}

#[test]
fn what_is_not_confirmed_has_arrived_all_the_same() {
    let seen = play(60, |schedule| {
        schedule.fault(2 * SECOND, Fault::Cut(B, A));
        schedule.add(3 * SECOND, Step::Ask(A, 1));
        schedule.add(4 * SECOND, Step::Ask(B, 2));
    });
    assert_eq!(seen, both(["open closed", "open 1 closed"]));
}

#[test]
fn a_process_that_ends_is_noticed_and_a_host_that_is_off_is_not() {
    let gone = |death| {
        play(30, |schedule| {
            schedule.add(2 * SECOND, Step::Ask(B, 1));
            schedule.fault(2 * SECOND, Fault::Crash(B, death));
        })
    };
    assert_eq!(gone(Death::Killed), both(["open 1 closed", "gone"]));
    assert_eq!(gone(Death::PowerOff), both(["open", "gone"]));
}

#[test]
fn who_sends_to_a_host_that_is_off_gives_up_or_is_told_when_it_is_on_again() {
    let started = |at: u32| {
        play(at + 3, |schedule| {
            schedule.fault(2 * SECOND, Fault::Crash(B, Death::PowerOff));
            schedule.add(3 * SECOND, Step::Ask(A, 1));
            schedule.fault(at * SECOND, Fault::Start(B));
        })
    };
    assert_eq!(started(5), both(["open closed", ""]));
    assert_eq!(started(30), both(["open closed", ""]));
}

#[test]
fn a_break_is_seen_by_both_and_what_is_forgotten_by_who_sends() {
    let fault = |fault: Fault| {
        play(60, |schedule| {
            schedule.fault(2 * SECOND, fault);
            schedule.add(3 * SECOND, Step::Ask(A, 1));
        })
    };
    assert_eq!(fault(Fault::Break(B, A)), both(["open closed", "open closed"]));
    assert_eq!(fault(Fault::Forget(A, B)), both(["open closed", "open"]));
}

#[test]
fn what_comes_to_a_node_that_is_paused_waits_in_order() {
    let seen = play(4, |schedule| {
        schedule.fault(SECOND, Fault::Pause(B, 10 * SECOND));
        (1..=3).for_each(|number| schedule.add(2 * SECOND, Step::Ask(A, number)));
    });
    assert_eq!(seen, both(["open", "open"]));
    let seen = play(20, |schedule| {
        schedule.fault(SECOND, Fault::Pause(B, 10 * SECOND));
        (1..=3).for_each(|number| schedule.add(2 * SECOND, Step::Ask(A, number)));
    });
    assert_eq!(seen, both(["open", "open 1 2 3"]));
}

#[test]
fn who_dials_where_nobody_is_is_refused() {
    let seen = play(30, |schedule| {
        schedule.fault(Duration::ZERO, Fault::Crash(B, Death::Killed));
    });
    assert_eq!(seen, both(["refused", "gone"]));
    let seen = play(9, |schedule| schedule.fault(Duration::ZERO, Fault::Cut(A, B)));
    assert_eq!(seen, both(["", ""]));
    let seen = play(30, |schedule| schedule.fault(Duration::ZERO, Fault::Cut(B, A)));
    assert_eq!(seen, both(["refused", "open"]));
}
