//! Objects of several nodes, played by random schedules of losses.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

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
