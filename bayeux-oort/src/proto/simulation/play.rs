//! One run: a cloud that is drawn from a seed, what happens to it, and what must be so in the end.

use std::{collections::BTreeSet, time::Duration};

use bayeux_sim::{
    Conditions, Death, Fault, Kinds, Place, Random, Schedule, Step, Trace, Truth, World,
};

use super::member::{Command, Member, Mistake, Settings, url_of};
use crate::Comet;

const SECOND: Duration = Duration::from_secs(1);

/// Until when nodes start, from when to when there are faults, and when all must be well.
const STARTED: Duration = Duration::from_secs(5);
const FAULTS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(180));
const SETTLED: Duration = Duration::from_secs(480);

/// Whom a node dials by itself.
#[derive(Clone, Copy, Debug)]
enum Topology {
    /// Each one each other one.
    All,
    /// All the first.
    Star,
    /// Each one the one before.
    Chain,
}

/// Plays one run, in which nodes make a mistake or not.
pub(super) fn play(mistake: Mistake, seed: u64, trace: &Trace) -> Result<(), String> {
    let mut random = Random::new(seed);
    let count = 2 + u8::try_from(random.below(5)).expect("it is small");
    let places = Place::first(count);
    let topologies = [Topology::All, Topology::All, Topology::Star, Topology::Chain];
    let topology = *random.pick(&topologies).expect("there are some");
    let delay = *random.pick(&[0, 0, 20, 300]).expect("there are some");
    let delay = Duration::from_millis(delay);
    let has_aliases = random.happens(200);
    let loss = *random.pick(&[0, 0, 20, 200]).expect("there are some");
    trace.note(
        Duration::ZERO,
        format_args!("{count} nodes, {topology:?}, aliases: {has_aliases}, loss: {loss}"),
    );
    let schedule = schedule(&places, topology, &mut random);
    let conditions = conditions(&mut random);
    let all = places.clone();
    let make = move |place, incarnation, random: &mut Random| {
        let life = if mistake == Mistake::SameId { 1 } else { incarnation };
        let comet = comet_of(place, life);
        let seeds = seeds(place, &all, topology);
        let version = 1_000_000 * u64::from(incarnation);
        let seeds = seeds.into_iter().map(|seed| url_of(seed, has_aliases && random.happens(300)));
        let (seeds, seed) = (seeds.collect(), random.draw());
        Member::new(Settings { comet, seeds, delay, seed, version, loss, mistake })
    };
    let mut world = World::new(random.draw(), conditions, schedule, trace.clone(), make);
    world.run(SETTLED)?;
    agree(&world)?;
    share(&world)?;
    let before: Vec<_> = world.nodes().map(|(place, node)| (place, node.count())).collect();
    world.run(SETTLED + 10 * SECOND)?;
    for (place, count) in before {
        let now = world.node(place).map_or(0, Member::count);
        if now != count + 1 {
            return Err(format!("{place} has counted {now}, and {count} before"));
        }
    }
    agree(&world)?;
    arrived(&world)
}

fn comet_of(place: Place, incarnation: u32) -> Comet {
    Comet::new(format!("{place}{incarnation}"), url_of(place, false))
}

fn seeds(place: Place, all: &[Place], topology: Topology) -> Vec<Place> {
    let others = all.iter().copied().filter(|other| *other != place);
    match topology {
        Topology::All => others.collect(),
        Topology::Star => others.filter(|other| other.0 == 0).collect(),
        Topology::Chain => others.filter(|other| other.0 + 1 == place.0).collect(),
    }
}

fn conditions(random: &mut Random) -> Conditions {
    let slow = [10, 40, 400][usize::try_from(random.below(3)).expect("it is small")];
    Conditions {
        latency: (Duration::from_millis(1), Duration::from_millis(slow)),
        jitter: Duration::from_millis(random.below(50)),
        loss: if random.happens(200) { 200 } else { random.below(30) },
        ..Conditions::default()
    }
}

fn schedule(places: &[Place], topology: Topology, random: &mut Random) -> Schedule<Command> {
    let mut schedule = Schedule::default();
    for place in places {
        schedule.fault(random.between(Duration::ZERO, STARTED), Fault::Start(*place));
    }
    let count = random.below(16);
    schedule.draw_faults(random, places, &Kinds::default(), count, FAULTS, 60 * SECOND);
    // One that does not come back must not keep the others apart.
    let may_go: Vec<_> = match topology {
        Topology::All => places.to_vec(),
        Topology::Star => places.iter().copied().filter(|place| place.0 > 0).collect(),
        Topology::Chain => places.last().copied().into_iter().collect(),
    };
    if places.len() > 2 && random.happens(300) {
        let gone = *random.pick(&may_go).expect("there are some");
        let death = if random.happens(500) { Death::Killed } else { Death::PowerOff };
        schedule.fault(FAULTS.1 + SECOND, Fault::Crash(gone, death));
    }
    part_and_meet(places, topology, random, &mut schedule);
    let times = schedule.times();
    for number in 0..u32::try_from(random.below(100)).expect("it is small") {
        let place = *random.pick(places).expect("there are some");
        let any = random.between(Duration::ZERO, FAULTS.1);
        // What is under way when something fails is most likely to show what is wrong.
        let near = random.happens(700).then(|| random.pick(&times).copied()).flatten();
        let mut at = near.unwrap_or(any) + random.between(Duration::ZERO, 2 * SECOND);
        for _ in 0..=random.below(4) {
            schedule.add(at, Step::Ask(place, command(number, random)));
            at += random.between(Duration::ZERO, SECOND / 10);
        }
    }
    for place in places {
        schedule.add(FAULTS.1 + 3 * SECOND, Step::Ask(*place, Command::Attend));
        schedule.add(SETTLED + SECOND, Step::Ask(*place, Command::Count));
    }
    schedule
}

fn command(number: u32, random: &mut Random) -> Command {
    match random.below(12) {
        0 => Command::Share,
        1..4 => Command::Add(number),
        4 => Command::Remove(u32::try_from(random.below(100)).expect("it is small")),
        5 => Command::Replace(number),
        _ => Command::Count,
    }
}

/// Has nodes leave others, and dial again in the end whom they are to dial.
fn part_and_meet(
    places: &[Place],
    topology: Topology,
    random: &mut Random,
    schedule: &mut Schedule<Command>,
) {
    if !random.happens(300) {
        return;
    }
    for _ in 0..=random.below(5) {
        let one = *random.pick(places).expect("there are some");
        let other = *random.pick(places).expect("there are some");
        let at = random.between(FAULTS.0, FAULTS.1);
        if one != other {
            schedule.add(at, Step::Ask(one, Command::Deobserve(other)));
        }
    }
    for place in places {
        for seed in seeds(*place, places, topology) {
            schedule.add(FAULTS.1 + 2 * SECOND, Step::Ask(*place, Command::Observe(seed)));
        }
    }
}

/// Returns whether all nodes have the same members, who are those that are alive, and nothing is left of
/// others but what still tries to reach them.
fn agree(world: &World<Member>) -> Result<(), String> {
    let alive = alive(world.truth());
    for (place, node) in world.nodes() {
        let others: BTreeSet<_> = alive.iter().filter(|comet| *comet != node.comet()).collect();
        let members: BTreeSet<_> = node.members().collect();
        if members != others {
            return Err(format!("{place} has {members:?}, and not {others:?}"));
        }
        if node.session_count() != others.len() {
            return Err(format!("{place} has {} sessions", node.session_count()));
        }
        let mut dialed: BTreeSet<_> = others.iter().map(|comet| comet.url().to_owned()).collect();
        dialed.extend(node.seeds().cloned());
        if node.client_count() > dialed.len() {
            return Err(format!("{place} has {} clients for {dialed:?}", node.client_count()));
        }
    }
    Ok(())
}

/// Returns whether all that share the object have the same of each other, which is what was asked of each.
fn share(world: &World<Member>) -> Result<(), String> {
    let sharing = || world.nodes().filter_map(|(place, node)| Some((place, node, node.shared()?)));
    for (owner, owning, own) in sharing() {
        let (version, list) = own.part(owning.comet()).expect("it is its own");
        let asked = world.truth().life(owner).map(|life| asked(&life.asked));
        if asked.as_ref() != Some(&list) {
            return Err(format!("{owner} has {list:?}, and was asked for {asked:?}"));
        }
        for (place, _, shared) in sharing() {
            let part = shared.part(owning.comet());
            if part.as_ref() != Some(&(version, list.clone())) {
                return Err(format!("{place} has {part:?} of {owner}'s {version}: {list:?}"));
            }
        }
        for (place, other, _) in sharing().filter(|(place, ..)| *place != owner) {
            if !own.is_applied_by(other.comet(), world.now()) {
                return Err(format!("{owner} does not know that {place} has {version}"));
            }
        }
    }
    Ok(())
}

/// Returns what there must be after what was asked.
fn asked(commands: &[Command]) -> Vec<u32> {
    let mut list = Vec::new();
    for command in commands {
        match command {
            Command::Add(number) => list.push(*number),
            Command::Remove(number) => list.retain(|one| one != number),
            Command::Replace(number) => list = vec![*number],
            Command::Share
            | Command::Count
            | Command::Observe(_)
            | Command::Deobserve(_)
            | Command::Attend => {}
        }
    }
    list
}

/// Returns whether what each has sent last has reached all.
fn arrived(world: &World<Member>) -> Result<(), String> {
    for (place, node) in world.nodes() {
        for (from, sender) in world.nodes().filter(|(from, _)| *from != place) {
            let (count, sent) = (node.witness.count_of(sender.comet()), sender.count());
            if count != sent {
                return Err(format!("{place} has {count} of {from}, and not {sent}"));
            }
        }
    }
    Ok(())
}

fn alive(truth: &Truth<Command>) -> BTreeSet<Comet> {
    let alive = truth.alive().filter_map(|place| Some((place, truth.life(place)?)));
    alive.map(|(place, life)| comet_of(place, life.incarnation)).collect()
}
