//! Objects of several nodes played by hand, and by random schedules of losses.

use std::collections::VecDeque;

use proptest::prelude::*;

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

/// Objects of several nodes, and what is on its way between them.
struct Net {
    nodes: Vec<Kept>,
    now: Instant,
    /// When the timer of each node looks next.
    armed: Vec<Option<Instant>>,
    under_way: VecDeque<(usize, usize, Mail)>,
}

#[derive(Clone)]
enum Mail {
    Whole(u64, Arc<Entries<u8, u32>>),
    Push(u64, u64, Arc<Entries<u8, u32>>),
    Item(u64, Change<u8, u32>),
    Pull,
    Ask(u64),
    Reached(u64),
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

/// What becomes of the next message.
#[derive(Clone, Debug)]
enum Fate {
    Arrives,
    Lost,
    Twice,
    /// It is overtaken by so many.
    Late(usize),
}

#[derive(Clone, Debug)]
enum Move {
    Put(usize, u8),
    PutAbsent(usize, u8),
    Remove(usize, u8),
    Replace(usize, u8),
    Deliver(Fate),
    Observe(usize, usize),
    Part(usize, usize),
    Wait(u64),
}

impl Net {
    fn new(count: usize) -> Self {
        let now = Instant::now();
        let nodes = (0..count).map(|id| object(&id.to_string(), 10, now)).collect();
        let mut net = Self { nodes, now, armed: vec![None; count], under_way: VecDeque::new() };
        for (one, other) in net.pairs() {
            net.join(one, other);
        }
        net
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let count = self.nodes.len();
        let all = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
        all.filter(|(one, other)| one != other).collect()
    }

    /// `one` hears that `other` has joined and has the object.
    fn join(&mut self, one: usize, other: usize) {
        self.input(one, Input::Joined(comet(&other.to_string())));
        self.input(one, Input::Observed(comet(&other.to_string())));
    }

    fn input(&mut self, node: usize, input: Input<Map<u8, u32>>) {
        self.nodes[node].handle(input, self.now);
        self.collect(node);
    }

    /// Has the timer of a node look no later than it has to.
    fn arm(&mut self, node: usize) {
        let (object, armed) = (&mut self.nodes[node], &mut self.armed[node]);
        *armed = [*armed, object.take_due()].into_iter().flatten().min();
        let deadline = object.deadline(self.now);
        assert!(deadline.is_none_or(|at| armed.is_some_and(|armed| armed <= at)));
    }

    fn collect(&mut self, from: usize) {
        self.arm(from);
        for output in self.nodes[from].outputs() {
            let (to, mail) = match output {
                Output::Push { to, number, version, object } => {
                    (to, Mail::Push(number, version, object))
                }
                Output::Pull(to) => (to, Mail::Pull),
                Output::Ask(to, version) => (to, Mail::Ask(version)),
                Output::Reached(to, version) => (to, Mail::Reached(version)),
                Output::Broadcast { version, object } => {
                    self.nodes[from].has_broadcast(version, self.now);
                    self.broadcast(from, &Mail::Whole(version, object));
                    continue;
                }
                Output::Tell(_) | Output::Progress => continue,
            };
            self.under_way.push_back((from, to.id().parse().unwrap(), mail));
        }
    }

    fn broadcast(&mut self, from: usize, mail: &Mail) {
        let others = (0..self.nodes.len()).filter(|to| *to != from);
        self.under_way.extend(others.map(|to| (from, to, mail.clone())));
    }

    fn change(&mut self, node: usize, change: Change<u8, u32>) {
        let (version, _) = self.nodes[node].change(change.clone(), self.now);
        self.nodes[node].has_broadcast(version, self.now);
        self.broadcast(node, &Mail::Item(version, change));
        self.collect(node);
    }

    fn deliver(&mut self, fate: &Fate) {
        let Some((from, to, mail)) = self.under_way.pop_front() else { return };
        match fate {
            Fate::Arrives => self.arrive(from, to, mail),
            Fate::Lost => self.fail(from, to, &mail),
            Fate::Twice => {
                self.arrive(from, to, mail.clone());
                self.arrive(from, to, mail);
            }
            Fate::Late(by) => {
                let at = self.under_way.len().min(*by);
                self.under_way.insert(at, (from, to, mail));
            }
        }
    }

    fn fail(&mut self, from: usize, to: usize, mail: &Mail) {
        if let Mail::Push(number, ..) = *mail {
            self.input(from, Input::Pushed(comet(&to.to_string()), number, false));
        }
    }

    fn arrive(&mut self, from: usize, to: usize, mail: Mail) {
        let push = if let Mail::Push(number, ..) = mail { Some(number) } else { None };
        let heard = match mail {
            Mail::Whole(version, object) | Mail::Push(_, version, object) => {
                Heard::Whole { version, object: Some(object), asks: Asks::No, is_ours: true }
            }
            Mail::Item(version, change) => Heard::Item { version, change: Some(change), bytes: 1 },
            Mail::Pull => Heard::Pull,
            Mail::Ask(version) => Heard::Ask(version),
            Mail::Reached(version) => Heard::Reached(version),
        };
        self.input(to, Input::Heard(comet(&from.to_string()), heard));
        if let Some(number) = push {
            self.input(from, Input::Pushed(comet(&to.to_string()), number, true));
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for node in 0..self.nodes.len() {
            if self.armed[node].is_some_and(|at| at <= end) {
                self.now = end;
                self.input(node, Input::Tick);
                self.armed[node] = self.nodes[node].deadline(end);
            }
        }
        self.now = end;
    }

    fn play(&mut self, step: &Move) {
        let count = self.nodes.len();
        match *step {
            Move::Put(node, key) => self.change(node % count, Change::Put(key, u32::from(key) + 7)),
            Move::PutAbsent(node, key) => self.change(node % count, Change::PutAbsent(key, 1)),
            Move::Remove(node, key) => self.change(node % count, Change::Remove(key)),
            Move::Replace(node, key) => {
                let (node, object) = (node % count, entries(&[(key, 3)]));
                let (version, _) = self.nodes[node].replace(object.clone(), self.now);
                self.nodes[node].has_broadcast(version, self.now);
                self.broadcast(node, &Mail::Whole(version, object));
                self.collect(node);
            }
            Move::Deliver(ref fate) => self.deliver(fate),
            Move::Observe(one, other) if one % count != other % count => {
                self.input(one % count, Input::Observed(comet(&(other % count).to_string())));
            }
            Move::Part(one, other) if one % count != other % count => {
                let (one, other) = (one % count, other % count);
                self.input(one, Input::Left(comet(&other.to_string())));
                self.input(other, Input::Left(comet(&one.to_string())));
                self.under_way.retain(|(from, to, _)| {
                    [(one, other), (other, one)].iter().all(|pair| *pair != (*from, *to))
                });
                self.join(one, other);
                self.join(other, one);
            }
            Move::Observe(..) | Move::Part(..) => {}
            Move::Wait(millis) => self.pass(Duration::from_millis(millis)),
        }
    }

    /// Nothing is changed or lost any more, for a while.
    fn settle(&mut self) {
        for _ in 0..400 {
            while !self.under_way.is_empty() {
                self.deliver(&Fate::Arrives);
            }
            self.pass(Duration::from_millis(500));
        }
    }
}

fn moves() -> impl Strategy<Value = Move> {
    let fate = prop_oneof![
        6 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        1 => Just(Fate::Twice),
        2 => (1_usize..9).prop_map(Fate::Late),
    ];
    let (node, key) = (0_usize..3, 0_u8..5);
    let nodes = || (0_usize..3, 0_usize..3);
    prop_oneof![
        6 => (node.clone(), key.clone()).prop_map(|(node, key)| Move::Put(node, key)),
        2 => (node.clone(), key.clone()).prop_map(|(node, key)| Move::PutAbsent(node, key)),
        2 => (node.clone(), key.clone()).prop_map(|(node, key)| Move::Remove(node, key)),
        1 => (node, key).prop_map(|(node, key)| Move::Replace(node, key)),
        12 => fate.prop_map(Move::Deliver),
        1 => nodes().prop_map(|(one, other)| Move::Observe(one, other)),
        1 => nodes().prop_map(|(one, other)| Move::Part(one, other)),
        2 => (0_u64..3000).prop_map(Move::Wait),
    ]
}

proptest! {
    /// Whatever is lost, comes twice or in another order.
    #[test]
    fn all_parts_end_equal_when_it_is_quiet(moves in proptest::collection::vec(moves(), 0..120)) {
        let mut net = Net::new(3);
        moves.iter().for_each(|step| net.play(step));
        net.settle();
        for (one, other) in net.pairs() {
            let own = net.nodes[one].info();
            let seen = net.nodes[other].infos();
            let seen = seen.iter().find(|info| info.comet() == own.comet());
            let seen = seen.map(|info| (info.version(), info.object().to_map()));
            prop_assert_eq!(seen, Some((own.version(), own.object().to_map())));
        }
        prop_assert!(net.nodes.iter().all(|node| node.deadline(net.now).is_none()));
    }
}
