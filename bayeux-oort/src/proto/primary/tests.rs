//! Elections, of one node by hand and of whole clouds.

#![expect(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const PATIENCE: Duration = Duration::from_secs(2);

fn comet(id: &str) -> Comet {
    Comet::new(id, format!("http://{id}"))
}

fn candidate() -> Stands {
    Stands::Candidate(Rules { patience: PATIENCE, quorum: 1 })
}

/// The start, and so much later.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn at(self, seconds: u64) -> Now {
        Now { instant: self.0 + Duration::from_secs(seconds), wall: seconds * 1000 }
    }
}

fn waits() -> Said {
    let candidacy = Some(Candidacy { is_candidate: true, since: None });
    Said { is_primary: false, candidacy }
}

fn claims(since: u64) -> Said {
    let candidacy = Some(Candidacy { is_candidate: true, since: Some(since) });
    Said { is_primary: true, candidacy }
}

fn is_set() -> Said {
    Said { is_primary: true, candidacy: None }
}

fn view<const N: usize>(said: [(&str, Said); N]) -> View {
    said.into_iter().map(|(id, said)| (comet(id), said)).collect()
}

#[test]
fn a_lonely_candidate_becomes_primary_after_its_patience() {
    let clock = Clock::new();
    let mut election = Election::new(comet("b"), candidate(), clock.at(0));
    assert_eq!(election.deadline(), Some(clock.at(2).instant));
    assert_eq!(election.look(View::new(), clock.at(1)), None);
    assert_eq!(election.primary(), None);
    assert_eq!(election.look(View::new(), clock.at(2)), Some(Change::Became));
    assert_eq!(election.primary(), Some(&comet("b")));
    assert_eq!(election.candidacy(), Candidacy { is_candidate: true, since: Some(2000) });
    assert_eq!(election.deadline(), None);
}

#[test]
fn the_smallest_id_is_first_and_the_next_does_not_wait_for_ever() {
    let clock = Clock::new();
    let mut election = Election::new(comet("b"), candidate(), clock.at(0));
    let first = view([("a", waits()), ("c", waits())]);
    assert_eq!(election.look(first.clone(), clock.at(3)), None);
    assert_eq!(election.deadline(), Some(clock.at(4).instant));
    assert_eq!(election.look(first, clock.at(4)), Some(Change::Became));
}

#[test]
fn a_patience_may_be_as_long_or_short_as_there_are() {
    let clock = Clock::new();
    let with = |patience| Stands::Candidate(Rules { patience, quorum: 1 });
    let others = view([("a", waits()), ("c", is_set())]);
    let mut endless = Election::new(comet("b"), with(Duration::MAX), clock.at(0));
    assert_eq!(endless.look(view([("a", waits())]), clock.at(1)), None);
    assert!(endless.deadline().is_some_and(|at| at > clock.at(1_000_000).instant));
    assert_eq!(endless.look(others.clone(), clock.at(2)), None);
    assert_eq!(endless.primary(), Some(&comet("c")));
    let mut hasty = Election::new(comet("b"), with(Duration::ZERO), clock.at(0));
    assert!(hasty.is_primary());
    assert_eq!(hasty.look(others, clock.at(1)), Some(Change::Ceased));
    assert_eq!(hasty.primary(), Some(&comet("c")));
}

#[test]
fn a_primary_stays_when_a_smaller_id_comes() {
    let clock = Clock::new();
    let mut election = Election::new(comet("b"), candidate(), clock.at(0));
    election.look(View::new(), clock.at(2));
    assert_eq!(election.look(view([("a", waits())]), clock.at(9)), None);
    assert_eq!(election.look(view([("a", claims(2001))]), clock.at(9)), None);
    assert!(election.is_primary());
}

#[test]
fn of_two_primaries_the_older_stays() {
    let clock = Clock::new();
    let mut election = Election::new(comet("a"), candidate(), clock.at(0));
    election.look(View::new(), clock.at(2));
    assert_eq!(election.look(view([("b", claims(1999))]), clock.at(9)), Some(Change::Ceased));
    assert_eq!(election.primary(), Some(&comet("b")));
    assert_eq!(election.candidacy(), Candidacy { is_candidate: true, since: None });
}

#[test]
fn of_two_primaries_of_the_same_age_that_with_the_smaller_id_stays() {
    let clock = Clock::new();
    for (own, other) in [("a", "b"), ("b", "a")] {
        let mut election = Election::new(comet(own), candidate(), clock.at(0));
        election.look(View::new(), clock.at(2));
        let change = election.look(view([(other, claims(2000))]), clock.at(9));
        assert_eq!(change.is_none(), own == "a");
        assert_eq!(election.primary(), Some(&comet("a")));
    }
}

#[test]
fn when_the_primary_leaves_the_smallest_id_is_primary_at_once() {
    let clock = Clock::new();
    let mut election = Election::new(comet("a"), candidate(), clock.at(0));
    let with_primary = view([("b", claims(1)), ("c", waits())]);
    assert_eq!(election.look(with_primary, clock.at(9)), None);
    assert_eq!(election.primary(), Some(&comet("b")));
    assert_eq!(election.look(view([("c", waits())]), clock.at(9)), Some(Change::Became));
}

#[test]
fn one_that_is_set_to_be_primary_is_better_once_it_is_known_to_be_no_candidate() {
    let clock = Clock::new();
    let mut election = Election::new(comet("a"), candidate(), clock.at(0));
    election.look(View::new(), clock.at(2));
    assert_eq!(election.look(view([("j", is_set())]), clock.at(5)), None);
    assert_eq!(election.primary(), Some(&comet("a")));
    assert_eq!(election.deadline(), Some(clock.at(7).instant));
    assert_eq!(election.look(view([("j", is_set())]), clock.at(7)), Some(Change::Ceased));
    assert_eq!(election.primary(), Some(&comet("j")));
    assert_eq!(election.look(View::new(), clock.at(9)), Some(Change::Became));
}

#[test]
fn a_claim_that_comes_after_its_truth_value_is_that_of_a_candidate() {
    let clock = Clock::new();
    let mut election = Election::new(comet("a"), candidate(), clock.at(0));
    election.look(View::new(), clock.at(2));
    election.look(view([("b", is_set())]), clock.at(5));
    assert_eq!(election.look(view([("b", claims(3000))]), clock.at(6)), None);
    assert_eq!(election.look(view([("b", claims(3000))]), clock.at(60)), None);
    assert_eq!(election.primary(), Some(&comet("a")));
}

#[test]
fn nobody_becomes_primary_beside_one_whose_claim_is_not_clear_yet() {
    let clock = Clock::new();
    let mut election = Election::new(comet("a"), candidate(), clock.at(0));
    assert_eq!(election.look(view([("b", is_set())]), clock.at(2)), None);
    assert_eq!(election.primary(), Some(&comet("b")));
}

#[test]
fn without_a_quorum_nobody_becomes_or_stays_primary() {
    let clock = Clock::new();
    let rules = Rules { patience: PATIENCE, quorum: 2 };
    let mut election = Election::new(comet("a"), Stands::Candidate(rules), clock.at(0));
    assert_eq!(election.look(View::new(), clock.at(9)), None);
    assert_eq!(election.deadline(), None);
    // One that only looks on counts for nothing.
    let looks_on = Said::default();
    assert_eq!(election.look(view([("b", looks_on)]), clock.at(9)), None);
    assert_eq!(election.look(view([("b", waits())]), clock.at(9)), Some(Change::Became));
    assert_eq!(election.look(View::new(), clock.at(10)), Some(Change::Ceased));
    assert_eq!(election.primary(), None);
}

#[test]
fn of_several_that_are_set_all_see_the_same_one() {
    let clock = Clock::new();
    for (own, others) in [("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])] {
        let stands = if own == "c" { Stands::Secondary } else { Stands::Primary };
        let mut election = Election::new(comet(own), stands, clock.at(0));
        let others = others.map(|id| (id, Said { is_primary: id != "c", candidacy: None }));
        assert_eq!(election.look(view(others), clock.at(0)), None);
        assert_eq!(election.primary(), Some(&comet("a")));
        assert_eq!(election.is_primary(), own != "c");
        assert_eq!(election.deadline(), None);
    }
}

#[test]
fn one_that_withdraws_is_no_primary_any_more() {
    let clock = Clock::new();
    let mut election = Election::new(comet("a"), candidate(), clock.at(0));
    election.look(View::new(), clock.at(2));
    election.withdraw(clock.at(3));
    assert!(!election.is_primary());
    assert_eq!(election.primary(), None);
    assert_eq!(election.candidacy(), Candidacy::default());
    assert_eq!(election.look(View::new(), clock.at(60)), None);
}

#[test]
fn a_candidacy_is_written_in_few_words() {
    let text = |candidacy: &Candidacy| serde_json::to_string(candidacy).unwrap();
    let claimed = Candidacy { is_candidate: true, since: Some(7) };
    assert_eq!(text(&claimed), r#"{"candidate":true,"since":7}"#);
    assert_eq!(text(&Candidacy::default()), r#"{"candidate":false}"#);
    let more = serde_json::from_str(r#"{"candidate":true,"since":7,"more":[]}"#);
    assert_eq!(more.ok(), Some(claimed));
}

/// A cloud of candidates, of which each sees those that it is not cut off from, as they were when somebody
/// last spoke to it.
struct Cloud {
    elections: Vec<Election>,
    cuts: BTreeSet<(usize, usize)>,
    /// What each says, as it got to each.
    heard: BTreeMap<(usize, usize), Candidacy>,
}

impl Cloud {
    fn new(size: usize, clock: Clock) -> Self {
        let start = |node: usize| {
            Election::new(comet(&node.to_string()), candidate(), clock.at(node as u64))
        };
        let elections = (0..size).map(start).collect();
        Self { elections, cuts: BTreeSet::new(), heard: BTreeMap::new() }
    }

    fn set_cut(&mut self, one: usize, other: usize, is_cut: bool) {
        for pair in [(one, other), (other, one)] {
            if is_cut {
                self.cuts.insert(pair);
                self.heard.remove(&pair);
            } else {
                self.cuts.remove(&pair);
            }
        }
    }

    /// What one says gets to the other.
    fn pass(&mut self, from: usize, to: usize) {
        if from != to && !self.cuts.contains(&(from, to)) {
            self.heard.insert((from, to), self.elections[from].candidacy());
        }
    }

    fn look(&mut self, node: usize, now: Now) {
        let heard = self.heard.iter().filter(|((_, to), _)| *to == node);
        let view = heard.map(|((from, _), candidacy)| {
            let said = Said { is_primary: candidacy.since.is_some(), candidacy: Some(*candidacy) };
            (comet(&from.to_string()), said)
        });
        let view = view.collect();
        self.elections[node].look(view, now);
    }

    fn settle(&mut self, clock: Clock, from: u64) {
        let size = self.elections.len();
        for second in from..from + 10 * size as u64 {
            for one in 0..size {
                (0..size).for_each(|other| self.pass(one, other));
                self.look(one, clock.at(second));
            }
        }
    }

    fn primaries(&self) -> Vec<usize> {
        (0..self.elections.len()).filter(|node| self.elections[*node].is_primary()).collect()
    }
}

#[derive(Clone, Debug)]
enum Step {
    Cut(usize, usize, bool),
    Pass(usize, usize),
    Look(usize),
    Wait(u64),
}

const SIZE: usize = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = 0..SIZE;
    let step = prop_oneof![
        (node.clone(), node.clone(), any::<bool>()).prop_map(|(a, b, cut)| Step::Cut(a, b, cut)),
        (node.clone(), node.clone()).prop_map(|(a, b)| Step::Pass(a, b)),
        node.prop_map(Step::Look),
        (0..4u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    /// Whatever happened: when all see each other again they agree on one, and stay so.
    #[test]
    fn a_cloud_that_is_whole_agrees_on_one_primary(steps in steps()) {
        let clock = Clock::new();
        let (mut cloud, mut second) = (Cloud::new(SIZE, clock), 0);
        for step in steps {
            match step {
                Step::Cut(one, other, is_cut) => cloud.set_cut(one, other, is_cut),
                Step::Pass(from, to) => cloud.pass(from, to),
                Step::Look(node) => cloud.look(node, clock.at(second)),
                Step::Wait(seconds) => second += seconds,
            }
        }
        cloud.cuts.clear();
        cloud.settle(clock, second);
        let primaries = cloud.primaries();
        prop_assert_eq!(primaries.len(), 1);
        let primary = comet(&primaries[0].to_string());
        for election in &cloud.elections {
            prop_assert_eq!(election.primary(), Some(&primary));
        }
        cloud.settle(clock, second + 100);
        prop_assert_eq!(cloud.primaries(), primaries);
    }

    /// Each side of a partition elects one, and the older of both stays when it heals.
    #[test]
    fn each_side_of_a_partition_has_a_primary(other_side in 1..SIZE) {
        let clock = Clock::new();
        let mut cloud = Cloud::new(SIZE, clock);
        cloud.settle(clock, 0);
        prop_assert_eq!(cloud.primaries(), [0]);
        for one in 0..other_side {
            (other_side..SIZE).for_each(|other| cloud.set_cut(one, other, true));
        }
        cloud.settle(clock, 100);
        prop_assert_eq!(cloud.primaries(), [0, other_side]);
        cloud.cuts.clear();
        cloud.settle(clock, 200);
        prop_assert_eq!(cloud.primaries(), [0]);
    }
}
