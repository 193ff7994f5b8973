//! One run of a seed.

use std::{collections::BTreeSet, time::Duration};

use bayeux_oort::Comet;
use bayeux_sim::{Conditions, Death, Fault, Kinds, Place, Random, Schedule, Step, Trace, World};

use super::member::{Command, Member, Mistake, Settings};
use crate::proto::users::UserId;

const SECOND: Duration = Duration::from_secs(1);

/// From when to when there are faults, and when all must be well.
const FAULTS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(90));
const SETTLED: Duration = Duration::from_secs(180);

/// Plays one run, in which nodes make a mistake or not.
pub(super) fn play(mistake: Mistake, seed: u64, trace: &Trace) -> Result<(), String> {
    let mut random = Random::new(seed);
    let places = Place::first(2 + u8::try_from(random.below(4)).expect("it is small"));
    let cometds: Vec<_> = places.iter().copied().filter(|_| random.happens(250)).collect();
    let loss = *random.pick(&[0, 0, 20, 200]).expect("there are some");
    // What is lost is found by what CometD has not.
    let loss = if mistake == Mistake::Race { 0 } else { loss };
    trace.note(Duration::ZERO, format_args!("{places:?}, CometD's: {cometds:?}, loss: {loss}"));
    let schedule = schedule(&places, &mut random);
    let conditions = conditions(&mut random);
    let all = places;
    let make = move |place: Place, incarnation, _: &mut Random| {
        Member::new(Settings {
            comet: comet_of(place, incarnation),
            others: all.iter().copied().filter(|other| *other != place).collect(),
            is_cometds: cometds.contains(&place),
            cometds: cometds.clone(),
            loss,
            mistake,
        })
    };
    let mut world = World::new(random.draw(), conditions, schedule, trace.clone(), make);
    world.run(SETTLED)?;
    agree(&world)
}

fn comet_of(place: Place, incarnation: u32) -> Comet {
    Comet::new(format!("{place}{incarnation}"), format!("http://{place}:8080/cometd"))
}

fn conditions(random: &mut Random) -> Conditions {
    let slow = *random.pick(&[10, 40, 400]).expect("there are some");
    Conditions {
        latency: (Duration::from_millis(1), Duration::from_millis(slow)),
        jitter: Duration::from_millis(random.below(50)),
        loss: random.below(30),
        ..Conditions::default()
    }
}

fn schedule(places: &[Place], random: &mut Random) -> Schedule<Command> {
    let mut schedule = Schedule::default();
    for place in places {
        schedule.fault(random.between(Duration::ZERO, 5 * SECOND), Fault::Start(*place));
    }
    let count = random.below(12);
    schedule.draw_faults(random, places, &Kinds::default(), count, FAULTS, 40 * SECOND);
    if places.len() > 2 && random.happens(300) {
        let gone = *random.pick(places).expect("there are some");
        let death = if random.happens(500) { Death::Killed } else { Death::PowerOff };
        schedule.fault(FAULTS.1 + SECOND, Fault::Crash(gone, death));
    }
    let times = schedule.times();
    for _ in 0..random.below(60) {
        let place = *random.pick(places).expect("there are some");
        let any = random.between(Duration::ZERO, FAULTS.1 + 5 * SECOND);
        // What is under way when something fails is most likely to show what is wrong.
        let near = random.happens(600).then(|| random.pick(&times).copied()).flatten();
        let mut at = near.unwrap_or(any) + random.between(Duration::ZERO, 2 * SECOND);
        for _ in 0..=random.below(4) {
            schedule.add(at, Step::Ask(place, command(random)));
            at += random.between(Duration::ZERO, SECOND / 5);
        }
    }
    for place in places {
        schedule.add(FAULTS.1 + 6 * SECOND, Step::Ask(*place, Command::LoseNothing));
    }
    schedule
}

fn command(random: &mut Random) -> Command {
    let user = u8::try_from(random.below(6)).expect("it is small");
    let session = u32::try_from(random.below(4)).expect("it is small");
    match random.below(20) {
        0..11 => Command::Associate(user, session),
        11..17 => Command::Disassociate(user, session),
        17 => Command::DisassociateUser(user),
        _ => Command::EndSession(session),
    }
}

/// Returns whether all nodes know of each other who is there, which is what was asked, and whether the listeners were
/// told that and nothing else.
fn agree(world: &World<Member>) -> Result<(), String> {
    let truth: Vec<_> = world
        .truth()
        .alive()
        .filter_map(|place| {
            let life = world.truth().life(place)?;
            Some((comet_of(place, life.incarnation), asked(&life.asked)))
        })
        .collect();
    let everybody: BTreeSet<_> = truth.iter().flat_map(|(_, users)| users.clone()).collect();
    let total: usize = truth.iter().map(|(_, users)| users.len()).sum();
    for (place, node) in world.nodes() {
        let present: BTreeSet<_> = node.presence().present().into_iter().collect();
        if present != everybody {
            return Err(format!("{place} knows {present:?}, and there are {everybody:?}"));
        }
        for (comet, users) in &truth {
            let told: BTreeSet<_> = node.witness.users_of(comet).into_iter().collect();
            if told != *users {
                return Err(format!("{place} was told {told:?} of {comet:?}, not {users:?}"));
            }
            let known = match comet == node.comet() {
                true => node.presence().associated().into_iter().collect(),
                false => node.presence().users_of(comet),
            };
            if known != *users {
                return Err(format!("{place} has {known:?} of {comet:?}, not {users:?}"));
            }
        }
        if node.witness.count() != total {
            return Err(format!("{place} was told of {}, not {total}", node.witness.count()));
        }
    }
    Ok(())
}

/// Returns who must be there after what was asked.
fn asked(commands: &[Command]) -> BTreeSet<UserId> {
    let mut pairs = BTreeSet::new();
    for command in commands {
        match command {
            Command::Associate(user, session) => drop(pairs.insert((*user, *session))),
            Command::Disassociate(user, session) => drop(pairs.remove(&(*user, *session))),
            Command::DisassociateUser(user) => pairs.retain(|(one, _)| one != user),
            Command::EndSession(session) => pairs.retain(|(_, one)| one != session),
            Command::LoseNothing => {}
        }
    }
    pairs.into_iter().map(|(user, _)| format!("u{user}").into()).collect()
}
