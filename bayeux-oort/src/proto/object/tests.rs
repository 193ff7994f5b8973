//! Objects of several nodes played by hand.

mod schedules;

use super::*;
use crate::proto::map::{Change, Entries, Map};

type Kept = Object<Map<u8, u32>>;

fn object(id: &str, version: u64, now: Instant) -> Kept {
    let own = Comet::new(id, format!("http://{id}"));
    Object::new(own, "m".into(), Arc::default(), version, 1, now)
}

fn comet(id: &str) -> Comet {
    Comet::new(id, format!("http://{id}"))
}

fn entries(of: &[(u8, u32)]) -> Arc<Entries<u8, u32>> {
    Arc::new(of.iter().copied().collect())
}

fn whole(version: u64, of: &[(u8, u32)], asks: Asks, is_ours: bool) -> Heard<Map<u8, u32>> {
    Heard::Whole { version, object: Some(entries(of)), asks, is_ours }
}

/// The last push was taken by B, or not.
fn pushed(a: &mut Kept, is_taken: bool, now: Instant) {
    a.handle(Input::Pushed(comet("b"), a.pushes, is_taken), now);
}

/// Names what is to be done, without what is told.
fn sent(object: &mut Kept) -> Vec<String> {
    let name = |output| match output {
        Output::Push { to, version, .. } => Some(format!("push {version} to {}", to.id())),
        Output::Pull(to) => Some(format!("pull from {}", to.id())),
        Output::Ask(to, version) => Some(format!("ask {} for {version}", to.id())),
        Output::Reached(to, version) => Some(format!("tell {} of {version}", to.id())),
        Output::Broadcast { version, .. } => Some(format!("broadcast {version}")),
        Output::Tell(_) | Output::Progress => None,
    };
    object.outputs().into_iter().filter_map(name).collect()
}

/// Two nodes have joined, of which B, of CometD, has the object.
fn with_foreign(now: Instant) -> Kept {
    let mut a = object("a", 10, now);
    a.handle(Input::Joined(comet("b")), now);
    a.handle(Input::Observed(comet("b")), now);
    assert_eq!(sent(&mut a), ["push 10 to b"]);
    pushed(&mut a, true, now);
    a.handle(Input::Heard(comet("b"), whole(0, &[], Asks::No, false)), now);
    assert!(sent(&mut a).is_empty());
    a
}

#[test]
fn who_observes_gets_the_whole_once_and_once_more_when_it_may_have_missed_something() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Observed(comet("b")), now);
    assert_eq!(sent(&mut a), ["push 10 to b"]);
}

#[test]
fn who_is_first_heard_of_by_its_part_gets_the_own_one() {
    let now = Instant::now();
    let mut a = object("a", 10, now);
    a.handle(Input::Joined(comet("b")), now);
    a.handle(Input::Heard(comet("b"), whole(0, &[], Asks::No, false)), now);
    assert_eq!(sent(&mut a), ["push 10 to b"]);
}

#[test]
fn who_has_the_object_and_sends_nothing_of_it_is_asked_for_it() {
    let now = Instant::now();
    let mut a = object("a", 10, now);
    a.handle(Input::Joined(comet("b")), now);
    assert_eq!(a.deadline(now), None, "it may not have the object");
    a.handle(Input::Observed(comet("b")), now);
    assert_eq!(sent(&mut a), ["push 10 to b"]);
    pushed(&mut a, true, now);
    let later = a.deadline(now).expect("something is missing");
    assert!(later > now, "it is on its way");
    a.handle(Input::Tick, later);
    assert_eq!(sent(&mut a), ["pull from b"]);
    a.handle(Input::Heard(comet("b"), whole(0, &[], Asks::No, false)), later);
    assert_eq!(a.deadline(later), None);
}

#[test]
fn a_push_that_asks_is_answered_once_for_each_version() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    for (version, expected) in [(1, 1), (2, 0), (3, 0)] {
        a.handle(Input::Heard(comet("b"), whole(version, &[], Asks::Yes, false)), now);
        pushed(&mut a, true, now);
        assert_eq!(sent(&mut a).len(), expected);
    }
    a.change(Change::Put(1, 1), now);
    a.handle(Input::Heard(comet("b"), whole(4, &[], Asks::Yes, false)), now);
    assert_eq!(sent(&mut a), ["push 11 to b"]);
}

#[test]
fn the_part_of_a_node_that_has_not_joined_is_not_known() {
    let now = Instant::now();
    let mut a = object("a", 10, now);
    a.handle(Input::Heard(comet("b"), whole(1, &[(1, 1)], Asks::Yes, true)), now);
    assert!(sent(&mut a).is_empty());
    assert_eq!((a.infos().len(), a.statistics.refused), (1, 1));
}

#[test]
fn a_part_goes_with_its_node() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    assert_eq!(a.infos().len(), 2);
    a.handle(Input::Left(comet("b")), now);
    assert_eq!(a.infos().len(), 1);
    let is_removed = |output: &_| matches!(output, Output::Tell(Event::Removed(_)));
    assert!(a.outputs().iter().any(is_removed));
}

#[test]
fn who_pulls_again_for_the_same_version_is_helped_by_a_newer_one() {
    let mut now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Heard(comet("b"), Heard::Pull), now);
    assert_eq!(sent(&mut a), ["push 10 to b"]);
    pushed(&mut a, true, now);
    a.handle(Input::Heard(comet("b"), Heard::Pull), now);
    assert_eq!(sent(&mut a), ["broadcast 11"]);
    // It costs all something, so that it is not done without end.
    for expected in [["push 11 to b"], ["push 11 to b"]] {
        a.handle(Input::Heard(comet("b"), Heard::Pull), now);
        assert_eq!(sent(&mut a), expected);
        pushed(&mut a, true, now);
    }
    now += RAISE_EVERY;
    a.handle(Input::Heard(comet("b"), Heard::Pull), now);
    assert_eq!(sent(&mut a), ["broadcast 12"]);
}

#[test]
fn pulls_while_one_is_answered_are_answered_together() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Heard(comet("b"), Heard::Pull), now);
    sent(&mut a);
    for key in 0..10 {
        a.change(Change::Put(key, 1), now);
        a.handle(Input::Heard(comet("b"), Heard::Pull), now);
    }
    assert!(sent(&mut a).is_empty());
    pushed(&mut a, true, now);
    assert_eq!(sent(&mut a), ["push 20 to b"]);
}

#[test]
fn a_push_that_is_not_taken_is_sent_again() {
    let mut now = Instant::now();
    let mut a = object("a", 10, now);
    a.handle(Input::Joined(comet("b")), now);
    a.handle(Input::Observed(comet("b")), now);
    a.handle(Input::Heard(comet("b"), whole(0, &[], Asks::No, false)), now);
    for _ in 0..5 {
        assert_eq!(sent(&mut a), ["push 10 to b"]);
        pushed(&mut a, false, now);
        assert!(sent(&mut a).is_empty());
        let at = a.deadline(now).unwrap();
        assert!(at > now);
        now = at;
        a.handle(Input::Tick, now);
    }
}

#[test]
fn what_became_of_a_push_to_a_node_that_left_is_nothing_to_the_one_that_came_back() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Observed(comet("b")), now);
    let before = a.pushes;
    a.handle(Input::Left(comet("b")), now);
    a.handle(Input::Joined(comet("b")), now);
    a.handle(Input::Observed(comet("b")), now);
    sent(&mut a);
    a.handle(Input::Pushed(comet("b"), before, true), now);
    assert_eq!(a.has_applied(&comet("b"), 10, now + Duration::from_secs(9)), Some(false));
    pushed(&mut a, true, now);
    assert_eq!(a.has_applied(&comet("b"), 10, now + Duration::from_secs(9)), Some(true));
}

#[test]
fn a_node_of_cometds_has_applied_what_it_took_as_a_whole() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    assert_eq!(a.has_applied(&comet("b"), 10, now), Some(true));
    let (version, _) = a.change(Change::Put(1, 1), now);
    assert_eq!(a.has_applied(&comet("b"), version, now), Some(false));
    // Nobody waits, and nothing is sent for it.
    assert_eq!((sent(&mut a).len(), a.deadline(now)), (0, None));
    assert_eq!(a.want(version, now), [comet("b")]);
    assert!(sent(&mut a).is_empty(), "it has not been broadcast yet");
    a.has_broadcast(version, now);
    assert_eq!(sent(&mut a), ["push 11 to b"]);
    pushed(&mut a, true, now);
    assert_eq!(a.has_applied(&comet("b"), version, now), Some(true));
    a.unwant(version);
    assert_eq!((sent(&mut a).len(), a.deadline(now)), (0, None));
}

#[test]
fn a_node_of_ours_is_asked_and_one_of_cometds_never() {
    let mut now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Joined(comet("c")), now);
    a.handle(Input::Heard(comet("c"), whole(5, &[], Asks::No, true)), now);
    assert_eq!(sent(&mut a), ["push 10 to c"]);
    a.handle(Input::Pushed(comet("c"), a.pushes, true), now);
    let (version, _) = a.change(Change::Put(1, 1), now);
    a.has_broadcast(version, now);
    a.want(version, now);
    assert_eq!(sent(&mut a), ["push 11 to b", "ask c for 11"]);
    assert_eq!(a.has_applied(&comet("c"), version, now), Some(false));
    // The question may be lost.
    pushed(&mut a, true, now);
    now = a.deadline(now).unwrap();
    a.handle(Input::Tick, now);
    assert_eq!(sent(&mut a), ["ask c for 11"]);
    // What it cannot have is no answer.
    a.handle(Input::Heard(comet("c"), Heard::Reached(12)), now);
    assert_eq!((a.has_applied(&comet("c"), version, now), a.statistics.refused), (Some(false), 1));
    a.handle(Input::Heard(comet("c"), Heard::Reached(11)), now);
    assert_eq!(a.has_applied(&comet("c"), version, now), Some(true));
    a.unwant(version);
    assert_eq!(a.deadline(now), None);
}

#[test]
fn however_quiet_it_is_a_node_of_cometds_is_asked_nothing() {
    const QUIET: Duration = Duration::from_secs(5);
    let mut now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Joined(comet("c")), now);
    a.handle(Input::Heard(comet("c"), whole(5, &[], Asks::No, true)), now);
    assert_eq!(sent(&mut a), ["push 10 to c"]);
    a.handle(Input::Pushed(comet("c"), a.pushes, true), now);
    let (version, _) = a.change(Change::Put(1, 1), now);
    a.has_broadcast(version, now);
    assert_eq!(a.deadline(now), Some(now + QUIET));
    now += QUIET;
    a.handle(Input::Tick, now);
    assert_eq!(sent(&mut a), ["ask c for 11"]);
    a.handle(Input::Heard(comet("c"), Heard::Reached(11)), now);
    assert_eq!(a.deadline(now), None);
    now += QUIET * 10;
    a.handle(Input::Tick, now);
    assert!(sent(&mut a).is_empty());
    assert_eq!(a.ours(), [comet("c")], "who is told when the object goes");
}

#[test]
fn what_was_lost_last_is_found_when_it_is_quiet() {
    let mut now = Instant::now();
    let [mut a, mut b] = ["a", "b"].map(|id| object(id, 10, now));
    a.handle(Input::Joined(comet("b")), now);
    b.handle(Input::Joined(comet("a")), now);
    a.handle(Input::Heard(comet("b"), whole(10, &[], Asks::No, true)), now);
    b.handle(Input::Heard(comet("a"), whole(10, &[], Asks::No, true)), now);
    pushed(&mut a, true, now);
    let (version, _) = a.change(Change::Put(1, 1), now);
    a.has_broadcast(version, now);
    sent(&mut a);
    sent(&mut b);
    now = a.deadline(now).unwrap();
    a.handle(Input::Tick, now);
    assert_eq!(sent(&mut a), ["ask b for 11"]);
    b.handle(Input::Pushed(comet("a"), b.pushes, true), now);
    b.handle(Input::Heard(comet("a"), Heard::Ask(11)), now);
    assert!(sent(&mut b).is_empty());
    now = b.deadline(now).unwrap();
    b.handle(Input::Tick, now);
    assert_eq!(sent(&mut b), ["pull from a"]);
    b.handle(Input::Heard(comet("a"), whole(11, &[(1, 1)], Asks::No, true)), now);
    assert_eq!(sent(&mut b), ["tell a of 11"]);
}

#[test]
fn who_waits_is_woken_only_when_a_node_has_got_on() {
    let now = Instant::now();
    let mut a = with_foreign(now);
    a.handle(Input::Joined(comet("c")), now);
    a.handle(Input::Heard(comet("c"), whole(5, &[], Asks::No, true)), now);
    a.handle(Input::Pushed(comet("c"), a.pushes, true), now);
    let (version, _) = a.change(Change::Put(1, 1), now);
    a.has_broadcast(version, now);
    a.want(version, now);
    a.outputs();
    let mut wakes = |input| {
        a.handle(input, now);
        a.outputs().iter().any(|output| matches!(output, Output::Progress))
    };
    let heard = |heard| Input::Heard(comet("c"), heard);
    assert!(!wakes(heard(whole(6, &[], Asks::No, true))));
    assert!(!wakes(Input::Tick));
    assert!(wakes(heard(Heard::Reached(11))));
    assert!(!wakes(heard(Heard::Reached(11))));
    assert!(wakes(Input::Left(comet("b"))));
}
