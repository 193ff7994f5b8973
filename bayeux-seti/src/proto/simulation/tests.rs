//! Clouds of many seeds.

use bayeux_sim::Seeds;

use super::{member::Mistake, play::play};

#[test]
fn all_agree_once_the_network_is_good() {
    Seeds::first(300).check(|seed, trace| play(Mistake::None, seed, trace));
}

#[test]
fn the_same_seed_is_the_same_run_and_much_happens() {
    let all = Seeds::exactly(0..20).repeat(|seed, trace| play(Mistake::None, seed, trace));
    for event in
        ["replaces: true", "asks: true", "digest: Some", "until: Some", "Removed", "PowerOff"]
    {
        assert!(all.contains(event), "in no run: {event}");
    }
}

#[test]
fn each_mistake_is_found() {
    for mistake in [
        Mistake::NoCheck,
        Mistake::NoList,
        Mistake::NoReplacement,
        Mistake::NoLeave,
        Mistake::NoSweep,
        Mistake::Race,
        Mistake::NoAsk,
        Mistake::StaleParts,
        Mistake::PartsReplace,
        Mistake::ReplacesOnce,
    ] {
        let seeds = Seeds::exactly(0..1000);
        let found = seeds.find(|seed, trace| play(mistake, seed, trace));
        assert!(found.is_some(), "{mistake:?} is not found");
    }
}
