//! A protocol that is small enough to be right, and what is found when a rule of it is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::catch_unwind,
    time::{Duration, Instant},
};

use bayeux_sim::{
    Conditions, Context, Input, Kinds, Node, Place, Random, Schedule, Seeds, Step, StreamId, Trace,
    World,
};

const SECOND: Duration = Duration::from_secs(1);
const COUNT: u8 = 4;

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// What comes is taken, though it be older.
    NoVersion,
    /// Versions count within a life, and lives are not compared.
    NoIncarnation,
    /// A stream that opens again does not begin with all.
    NoGreeting,
    /// A stream that is closed is not dialled again.
    NoRedial,
}

/// What a node says of itself: its life, its version, its value.
type Part = (u32, u32, u64);

#[derive(Clone, Debug)]
enum Packet {
    Part(Part),
    Alive(u32),
}

/// Each node has a value of its own, and wants to know those of all others.
struct Toy {
    mistake: Mistake,
    own: Part,
    known: BTreeMap<Place, Part>,
    /// The streams that this node dialled and those that are open, with what was sent on each.
    dialled: BTreeMap<Place, StreamId>,
    open: BTreeMap<StreamId, u32>,
    accepted: BTreeMap<StreamId, (Place, u32)>,
    next: Option<Instant>,
    is_disordered: bool,
}

impl Toy {
    fn new(mistake: Mistake, incarnation: u32) -> Self {
        Self {
            mistake,
            own: (incarnation, 0, 0),
            known: BTreeMap::new(),
            dialled: BTreeMap::new(),
            open: BTreeMap::new(),
            accepted: BTreeMap::new(),
            next: None,
            is_disordered: false,
        }
    }

    fn dial(&mut self, context: &mut Context<'_, Packet>) {
        for place in Place::first(COUNT) {
            if place != context.own() && !self.dialled.contains_key(&place) {
                self.dialled.insert(place, context.dial(place));
            }
        }
    }

    fn lost(&mut self, stream: StreamId) {
        self.accepted.remove(&stream);
        let was_open = self.open.remove(&stream).is_some();
        if !was_open || self.mistake != Mistake::NoRedial {
            self.dialled.retain(|_, other| *other != stream);
        }
    }

    fn take(&mut self, from: Place, part: Part) {
        let is_newer = |known: &Part| match self.mistake {
            Mistake::NoVersion => true,
            Mistake::NoIncarnation => known.1 < part.1,
            Mistake::None | Mistake::NoGreeting | Mistake::NoRedial => *known < part,
        };
        if self.known.get(&from).is_none_or(is_newer) {
            self.known.insert(from, part);
        }
    }
}

impl Node for Toy {
    type Packet = Packet;
    type Command = u64;

    fn handle(&mut self, input: Input<Packet, u64>, context: &mut Context<'_, Packet>) {
        match input {
            Input::Start | Input::Tick => {
                self.dial(context);
                for (stream, sent) in &mut self.open {
                    *sent += 1;
                    context.send(*stream, Packet::Alive(*sent));
                }
                self.next = Some(context.now() + SECOND);
            }
            Input::Ask(value) => {
                self.own = (self.own.0, self.own.1 + 1, value);
                let own = context.own();
                for stream in self.open.keys() {
                    context.send(*stream, Packet::Part(self.own));
                }
                // The same once more, which may be overtaken.
                for place in Place::first(COUNT).into_iter().filter(|place| *place != own) {
                    context.datagram(place, Packet::Part(self.own));
                }
            }
            Input::Accepted(stream, from) => {
                self.accepted.insert(stream, (from, 0));
            }
            Input::Opened(stream) => {
                self.open.insert(stream, 0);
                if self.mistake != Mistake::NoGreeting {
                    context.send(stream, Packet::Part(self.own));
                }
            }
            Input::Received(stream, Packet::Alive(number)) => {
                if let Some((_, last)) = self.accepted.get_mut(&stream) {
                    self.is_disordered |= number != *last + 1;
                    *last = number;
                }
            }
            Input::Received(stream, Packet::Part(part)) => {
                if let Some((from, _)) = self.accepted.get(&stream) {
                    self.take(*from, part);
                }
            }
            Input::Datagram(from, Packet::Part(part)) => self.take(from, part),
            Input::Datagram(_, Packet::Alive(_)) | Input::Stop => {}
            Input::Refused(stream) | Input::Closed(stream) => self.lost(stream),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }

    fn check(&self) -> Result<(), String> {
        match self.is_disordered {
            true => Err("a stream is out of order".to_owned()),
            false => Ok(()),
        }
    }
}

fn play(mistake: Mistake, seed: u64, trace: &Trace) -> Result<(), String> {
    let mut random = Random::new(seed);
    let places = Place::first(COUNT);
    let mut schedule = Schedule::default();
    for place in &places {
        schedule.fault(random.between(Duration::ZERO, SECOND), bayeux_sim::Fault::Start(*place));
    }
    let span = (2 * SECOND, 60 * SECOND);
    schedule.draw_faults(&mut random, &places, &Kinds::default(), 8, span, 20 * SECOND);
    for value in 1..30 {
        let place = *random.pick(&places).expect("there are places");
        schedule.add(random.between(SECOND, 62 * SECOND), Step::Ask(place, value));
    }
    let make = move |_, incarnation, _: &mut Random| Toy::new(mistake, incarnation);
    let seed = random.draw();
    let conditions = Conditions { jitter: 2 * SECOND, ..Conditions::default() };
    let mut world = World::new(seed, conditions, schedule, trace.clone(), make);
    world.run(100 * SECOND)?;
    let alive: BTreeSet<_> = world.truth().alive().collect();
    for (place, node) in world.nodes() {
        for other in alive.iter().filter(|other| **other != place) {
            let truth = world.truth().life(*other).expect("it is alive").asked.last();
            let known = node.known.get(other).map_or(0, |part| part.2);
            let truth = truth.copied().unwrap_or(0);
            if known != truth {
                return Err(format!("{place} has {known} of {other}, and not {truth}"));
            }
        }
    }
    Ok(())
}

#[test]
fn all_know_all_once_the_network_is_good() {
    let played = Seeds::first(300).check(|seed, trace| play(Mistake::None, seed, trace));
    assert!(played > 0);
}

#[test]
fn the_same_seed_is_the_same_run_to_the_letter() {
    let run = |seed| {
        let trace = Trace::recording();
        play(Mistake::None, seed, &trace).unwrap();
        trace.text()
    };
    let mut all = String::new();
    for seed in 0..40 {
        let (once, again) = (run(seed), run(seed));
        let differs = once.lines().zip(again.lines()).find(|(one, other)| one != other);
        assert!(once == again, "seed {seed} differs: {differs:#?}");
        all += &once;
    }
    assert_ne!(run(1), run(2));
    for event in [
        "Crash(A, Killed)",
        "PowerOff",
        "-- Pause",
        "-- Cut",
        "-- Partition",
        "-- Heal",
        "-- Break",
        "-- Forget",
        "-- Stop",
        "Refused(stream",
        "Closed(stream",
        "Datagram(",
        "goes on",
    ] {
        assert!(all.contains(event), "in no run: {event}");
    }
}

#[test]
fn each_mistake_is_found() {
    let mistakes =
        [Mistake::NoVersion, Mistake::NoIncarnation, Mistake::NoGreeting, Mistake::NoRedial];
    for mistake in mistakes {
        let found = Seeds::exactly(0..300).find(|seed, trace| play(mistake, seed, trace));
        assert!(found.is_some(), "{mistake:?} is not found");
    }
}

#[test]
fn a_failure_says_which_seed_it_was_and_how_to_play_it_again() {
    let check = || Seeds::exactly(0..300).check(|seed, trace| play(Mistake::NoRedial, seed, trace));
    let panic = catch_unwind(check).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for part in ["seed ", " has ", "SEEDS=", "-p bayeux-sim", "a_failure_says_which", " Received("]
    {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(!text.contains("not again"), "{text}");
}

#[test]
fn a_panic_is_a_failure_of_its_seed() {
    let found = Seeds::exactly(0..9).find(|seed, _| {
        assert!(seed < 5, "too many");
        Ok(())
    });
    let found = found.unwrap();
    assert_eq!((found.seed, found.message.as_str()), (5, "a panic: too many"));
}
