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
    for event in [
        "Left(",
        "Unknown)",
        "Disconnected)",
        "EndSession",
        "says_farewell: true",
        "Refused(stream",
        "pull",
        "Deobserve",
        "PowerOff",
    ] {
        assert!(all.contains(event), "in no run: {event}");
    }
}

#[test]
fn each_mistake_is_found() {
    // With the first seed that finds it, as long as the same is drawn; else it is one that comes after it.
    for (mistake, first) in [
        (Mistake::SameId, 0),
        (Mistake::NoReopening, 284),
        (Mistake::NoExpiry, 3),
        (Mistake::NoNames, 9),
        (Mistake::NoVersion, 3),
        (Mistake::NoPullRetry, 6),
    ] {
        let seeds = Seeds::exactly(first..first + 1000);
        let found = seeds.find(|seed, trace| play(mistake, seed, trace));
        assert!(found.is_some(), "{mistake:?} is not found");
    }
}
