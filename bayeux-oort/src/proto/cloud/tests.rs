//! The machine of the cloud, one behaviour each.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks for one output among others")]

use super::*;
use crate::proto::introduction::Introduction;

const SECOND: Duration = Duration::from_secs(1);

/// One node, and what it did.
struct Scene {
    machine: Machine,
    now: Instant,
}

fn comet(name: &str) -> Comet {
    Comet::new(format!("id-{name}"), url(name))
}

fn url(name: &str) -> String {
    format!("http://{name}/cometd")
}

fn introduction(comet: &Comet) -> Introduction {
    Introduction { comet: comet.clone(), comet_url: Some(url("own")), alias_url: None, proof: None }
}

impl Scene {
    fn new() -> Self {
        let rules = Rules {
            backoff: (SECOND, 30 * SECOND),
            give_up: 600 * SECOND,
            reopen: SECOND,
            advertise: 60 * SECOND,
            max_comets: 100,
            names_vouch: true,
        };
        let machine = Machine::new(comet("own"), BTreeSet::new(), rules, 7);
        #[expect(clippy::disallowed_methods, reason = "a test begins at some time")]
        let now = Instant::now();
        Self { machine, now }
    }

    /// What was done, but for what is only forgotten.
    fn outputs(&mut self) -> Vec<Output> {
        let mut outputs = self.machine.take_outputs();
        outputs.retain(|output| !matches!(output, Output::Forgotten(_)));
        outputs
    }

    fn dialed(&mut self) -> (LinkId, String) {
        let dialed: Vec<_> = self
            .outputs()
            .into_iter()
            .filter_map(|output| match output {
                Output::Dial { link, url, .. } => Some((link, url)),
                _ => None,
            })
            .collect();
        assert_eq!(dialed.len(), 1, "{dialed:?}");
        dialed.into_iter().next().unwrap()
    }

    fn came(&mut self, session: &str, comet: &Comet) {
        self.machine.came(session, &introduction(comet), true, self.now).unwrap();
    }

    fn answered(&mut self, link: LinkId, comet: &Comet) {
        self.machine.answered(link, Some(comet), true, self.now);
    }

    /// Joins a node: it is dialed, answers, comes and joins. Returns the link.
    fn join(&mut self, session: &str, comet: &Comet) -> LinkId {
        self.machine.observe(comet.url(), self.now).unwrap();
        let (link, _) = self.dialed();
        self.answered(link, comet);
        self.came(session, comet);
        self.machine.joined(session, comet).unwrap();
        self.machine.opened(link, true, self.now);
        let outputs = self.outputs();
        assert!(outputs.contains(&Output::Joined(comet.clone())), "{outputs:?}");
        link
    }

    /// Lets time pass until something is due, and returns what was done.
    fn pass(&mut self) -> Vec<Output> {
        let deadline = self.machine.deadline().expect("something is due");
        self.now = self.now.max(deadline);
        self.machine.tick(self.now);
        self.outputs()
    }
}

#[test]
fn a_node_has_joined_when_all_three_hold_in_whatever_order() {
    for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0]] {
        let (mut scene, other) = (Scene::new(), comet("b"));
        scene.machine.observe(other.url(), scene.now).unwrap();
        let (link, dialed) = scene.dialed();
        assert_eq!(dialed, other.url());
        for (index, step) in order.into_iter().enumerate() {
            match step {
                0 => scene.answered(link, &other),
                1 => scene.came("s", &other),
                _ => scene.machine.joined("s", &other).unwrap(),
            }
            let outputs = scene.outputs();
            let is_joined = outputs.contains(&Output::Joined(other.clone()));
            assert_eq!(is_joined, index == 2, "{order:?} {outputs:?}");
        }
        assert_eq!(scene.machine.members().count(), 1);
    }
}

#[test]
fn the_batch_is_sent_once_both_directions_are_there_and_only_once() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    scene.machine.observe(other.url(), scene.now).unwrap();
    let (link, _) = scene.dialed();
    scene.answered(link, &other);
    assert_eq!(scene.outputs(), []);
    scene.came("s", &other);
    assert_eq!(scene.outputs(), [Output::Open { link, known: vec![url("b")] }]);
    scene.machine.joined("s", &other).unwrap();
    scene.came("t", &other);
    let outputs = scene.outputs();
    assert!(!outputs.iter().any(|output| matches!(output, Output::Open { .. })), "{outputs:?}");
}

#[test]
fn who_comes_is_dialed_back_by_its_url_with_the_name_it_used() {
    let mut scene = Scene::new();
    scene.came("s", &comet("b"));
    let [Output::Dial { url, alias, tells_secret: true, .. }] = &scene.outputs()[..] else {
        panic!("it is dialed");
    };
    assert_eq!((url.as_str(), alias.as_deref()), ("http://b/cometd", Some("http://own/cometd")));
}

#[test]
fn the_secret_is_not_told_to_a_url_that_nobody_trustworthy_named() {
    let mut scene = Scene::new();
    scene.machine.came("s", &introduction(&comet("b")), false, scene.now).unwrap();
    scene.machine.named("s", [url("c").as_str()].into_iter(), scene.now).unwrap();
    for output in scene.outputs() {
        assert!(matches!(output, Output::Dial { tells_secret: false, .. }), "{output:?}");
    }
}

#[test]
fn a_node_that_starts_again_is_another_and_the_former_left_first() {
    let (mut scene, old) = (Scene::new(), comet("b"));
    let new = Comet::new("id-2", old.url());
    scene.join("s", &old);
    scene.came("t", &new);
    let outputs = scene.outputs();
    assert_eq!(outputs[0], Output::Left(old));
    assert_eq!(outputs[1], Output::EndSession { session: "s".to_owned() });
    let redialed = outputs.iter().find_map(|output| match output {
        Output::Dial { link, .. } => Some(*link),
        _ => None,
    });
    scene.machine.joined("t", &new).unwrap();
    scene.answered(redialed.expect("what was connected to the former is dialed anew"), &new);
    let outputs = scene.outputs();
    assert!(outputs.contains(&Output::Joined(new.clone())), "{outputs:?}");
    assert_eq!(scene.machine.members().collect::<Vec<_>>(), [&new]);
    scene.machine.ended("s", Ending::Lost, scene.now);
    assert_eq!(scene.outputs(), []);
}

#[test]
fn who_comes_again_remains_a_member() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    scene.join("s", &other);
    scene.came("t", &other);
    assert_eq!(scene.outputs(), [Output::EndSession { session: "s".to_owned() }]);
    scene.machine.joined("t", &other).unwrap();
    assert_eq!(scene.outputs(), []);
    scene.machine.ended("t", Ending::Lost, scene.now);
    assert_eq!(scene.outputs(), [Output::Left(other)]);
}

#[test]
fn what_a_member_observes_is_told_after_it_joined() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    let observed =
        |channel: &str| Output::Observed { comet: comet("b"), channel: channel.to_owned() };
    scene.came("s", &other);
    let (link, _) = scene.dialed();
    scene.machine.subscribed("s", "/oort/objects/a");
    scene.machine.joined("s", &other).unwrap();
    scene.answered(link, &other);
    let outputs = scene.outputs();
    assert_eq!(outputs[1..], [Output::Joined(comet("b")), observed("/oort/objects/a")]);
    scene.machine.subscribed("s", "/oort/objects/b");
    assert_eq!(scene.outputs(), [observed("/oort/objects/b")]);
}

#[test]
fn a_member_that_has_lost_the_own_session_may_have_missed_what_it_observes() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    let link = scene.join("s", &other);
    scene.machine.subscribed("s", "/oort/objects/a");
    let _ = scene.outputs();
    scene.answered(link, &other);
    let channel = "/oort/objects/a".to_owned();
    let known = vec![other.url().to_owned()];
    assert_eq!(
        scene.outputs(),
        [Output::Open { link, known }, Output::Observed { comet: other, channel }]
    );
}

#[test]
fn a_lost_node_is_dialed_on_and_given_up_unless_it_is_a_seed() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    let link = scene.join("s", &other);
    scene.machine.seeds.clear();
    scene.machine.ended("s", Ending::Lost, scene.now);
    assert_eq!(scene.outputs(), [Output::Left(other.clone())]);
    assert!(scene.machine.known().is_empty(), "no ghost is told of");
    assert_eq!(scene.pass(), [Output::Advertise { link, known: vec![] }]);
    while scene.machine.deadline().is_some() {
        let outputs = scene.pass();
        if outputs.contains(&Output::Close { link, says_farewell: false }) {
            return assert!(scene.machine.known().is_empty());
        }
    }
    panic!("it is dialed for ever");
}

#[test]
fn who_leaves_by_its_own_will_is_not_dialed_unless_it_is_a_seed() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    scene.came("s", &other);
    let (link, _) = scene.dialed();
    scene.answered(link, &other);
    scene.machine.joined("s", &other).unwrap();
    let _ = scene.outputs();
    scene.machine.ended("s", Ending::Disconnected, scene.now);
    assert_eq!(
        scene.outputs(),
        [Output::Left(other.clone()), Output::Close { link, says_farewell: true }]
    );
    assert_eq!(scene.machine.deadline(), None);

    let link = scene.join("t", &other);
    scene.machine.ended("t", Ending::Disconnected, scene.now);
    assert_eq!(
        scene.outputs(),
        [Output::Left(other.clone()), Output::Close { link, says_farewell: true }]
    );
    let outputs = scene.pass();
    assert!(
        matches!(&outputs[..], [Output::Dial { url, .. }] if url == other.url()),
        "{outputs:?}"
    );
}

#[test]
fn a_seed_that_refuses_is_dialed_for_ever_with_longer_pauses() {
    let mut scene = Scene::new();
    scene.machine.observe(&url("b"), scene.now).unwrap();
    let (mut link, _) = scene.dialed();
    let mut pauses = Vec::new();
    for _ in 0..50 {
        scene.machine.answered(link, None, false, scene.now);
        let before = scene.now;
        let outputs = scene.pass();
        pauses.push((scene.now - before).as_secs_f64());
        let [Output::Close { .. }, Output::Dial { link: next, .. }] = outputs[..] else {
            panic!("{outputs:?}");
        };
        link = next;
    }
    assert!(pauses[0] <= 1.0 && pauses[5] > 20.0 && pauses.iter().all(|pause| *pause <= 30.0));
}

#[test]
fn a_url_that_leads_here_is_an_alias() {
    let mut scene = Scene::new();
    scene.machine.observe("http://localhost/cometd", scene.now).unwrap();
    let (link, _) = scene.dialed();
    scene.machine.answered(link, Some(&comet("own")), false, scene.now);
    assert_eq!(scene.outputs(), [Output::Close { link, says_farewell: false }]);
    assert!(scene.machine.is_own("http://localhost/cometd"));
    assert_eq!(scene.machine.observe("http://localhost/cometd", scene.now), Err(Undialed::Own));
    assert_eq!(scene.machine.deadline(), None);
}

#[test]
fn of_two_links_to_one_node_the_newer_stays_and_nobody_hears_of_it() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    let link = scene.join("s", &other);
    scene.machine.observe("http://alias/cometd", scene.now).unwrap();
    let (second, _) = scene.dialed();
    scene.answered(second, &other);
    let known = vec![other.url().to_owned()];
    let expected =
        [Output::Close { link, says_farewell: false }, Output::Open { link: second, known }];
    assert_eq!(scene.outputs(), expected);
    assert_eq!(scene.machine.observe(other.url(), scene.now), Ok(()));
    assert_eq!(scene.outputs(), [], "both names are of the one that is there");
}

#[test]
fn what_is_observed_no_more_is_left_in_both_directions() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    let link = scene.join("s", &other);
    assert!(scene.machine.deobserve(other.url(), scene.now));
    let expected = [
        Output::Close { link, says_farewell: true },
        Output::Left(other.clone()),
        Output::EndSession { session: "s".to_owned() },
    ];
    assert_eq!(scene.outputs(), expected);
    assert!(!scene.machine.deobserve(other.url(), scene.now));
}

#[test]
fn a_refused_join_is_sent_again() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    scene.came("s", &other);
    let (link, _) = scene.dialed();
    scene.answered(link, &other);
    assert!(matches!(scene.outputs()[..], [Output::Open { .. }]));
    scene.machine.opened(link, false, scene.now);
    let outputs = scene.pass();
    assert!(
        matches!(outputs[..], [Output::Open { link: again, .. }] if again == link),
        "{outputs:?}"
    );
}

#[test]
fn a_join_that_is_lost_with_the_other_direction_is_sent_again() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    scene.came("s", &other);
    let (link, _) = scene.dialed();
    scene.answered(link, &other);
    assert!(matches!(scene.outputs()[..], [Output::Open { .. }]));
    scene.machine.ended("s", Ending::Lost, scene.now);
    scene.machine.opened(link, false, scene.now);
    scene.pass();
    scene.came("t", &other);
    let outputs = scene.outputs();
    assert!(
        matches!(outputs[..], [Output::Open { link: again, .. }] if again == link),
        "{outputs:?}"
    );
}

#[test]
fn a_join_of_somebody_else_has_no_effect() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    scene.came("s", &other);
    for join in [Comet::new("id-c", other.url()), Comet::new(other.id(), "http://c/cometd")] {
        assert_eq!(scene.machine.joined("s", &join), Err(Unheard::Foreign));
    }
    assert_eq!(scene.machine.joined("t", &other), Err(Unheard::NoNode));
}

#[test]
fn so_many_nodes_and_urls_are_known_and_no_more() {
    let mut scene = Scene::new();
    scene.came("s", &comet("b"));
    let urls: Vec<_> = (0..1000).map(|n| url(&format!("n{n}"))).collect();
    let named = scene.machine.named("s", urls.iter().map(String::as_str), scene.now);
    assert_eq!(named, Err(Unheard::TooMany));
    assert_eq!(scene.machine.links.len(), 100);
    let refused = scene.machine.named("s", ["a", "", "mailto:a"].into_iter(), scene.now);
    assert_eq!(refused, Ok(3));
    let more = (0..200).map(|n| {
        let other = comet(&format!("m{n}"));
        scene.machine.came(&format!("s{n}"), &introduction(&other), true, scene.now)
    });
    assert_eq!(more.filter(Result::is_err).count(), 101);
}

#[test]
fn at_the_stop_all_are_told_and_nothing_follows() {
    let (mut scene, other) = (Scene::new(), comet("b"));
    let link = scene.join("s", &other);
    scene.machine.stop();
    let session = "s".to_owned();
    let expected = [Output::Close { link, says_farewell: true }, Output::EndSession { session }];
    assert_eq!(scene.outputs(), expected);
    assert!(scene.machine.came("t", &introduction(&comet("c")), true, scene.now).is_err());
    assert_eq!((scene.machine.deadline(), scene.outputs()), (None, vec![]));
}

#[test]
fn whom_a_node_names_that_may_have_let_in_strangers_is_not_told_the_secret() {
    let mut scene = Scene::new();
    scene.machine.rules.names_vouch = false;
    scene.machine.came("s", &introduction(&comet("b")), true, scene.now).unwrap();
    scene.machine.named("s", [url("c").as_str()].into_iter(), scene.now).unwrap();
    let told: Vec<_> = scene
        .outputs()
        .into_iter()
        .filter_map(|output| match output {
            Output::Dial { url, tells_secret, .. } => Some((url, tells_secret)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(url("b"), true), (url("c"), false)]);
}

#[test]
fn who_is_found_no_more_is_a_seed_still_if_the_application_says_so() {
    let mut scene = Scene::new();
    let both: BTreeSet<_> = [url("b"), url("c"), url("own"), "nowhere".to_owned()].into();
    scene.machine.observe(&url("b"), scene.now).unwrap();
    let _ = scene.outputs();
    assert_eq!(scene.machine.found(&both, scene.now), 1, "what is no URL is left out");
    assert_eq!(scene.dialed().1, url("c"));
    assert_eq!(scene.machine.found(&BTreeSet::new(), scene.now), 0);
    assert!(scene.machine.is_seed(&url("b")) && !scene.machine.is_seed(&url("c")));
}

#[test]
fn a_url_at_which_nobody_ever_was_is_given_up_soon() {
    let mut scene = Scene::new();
    scene.came("s", &comet("b"));
    let (link, _) = scene.dialed();
    scene.answered(link, &comet("b"));
    scene.machine.named("s", [url("c").as_str()].into_iter(), scene.now).unwrap();
    let begun = scene.now;
    let _ = scene.outputs();
    loop {
        let closed = scene.pass().iter().any(|output| matches!(output, Output::Close { .. }));
        if closed {
            return assert_eq!(scene.now - begun, 60 * SECOND);
        }
    }
}

#[test]
fn a_name_that_is_said_again_is_not_dialed_sooner() {
    let mut scene = Scene::new();
    scene.came("s", &comet("b"));
    let (link, _) = scene.dialed();
    scene.answered(link, &comet("b"));
    let say = |scene: &mut Scene| {
        scene.machine.named("s", [url("c").as_str()].into_iter(), scene.now).unwrap();
    };
    let _ = scene.outputs();
    say(&mut scene);
    let (link, _) = scene.dialed();
    scene.machine.answered(link, None, false, scene.now);
    let _ = scene.outputs();
    for _ in 0..10 {
        say(&mut scene);
        assert_eq!(scene.outputs(), []);
    }
}

#[test]
fn a_node_that_comes_when_too_many_are_dialed_is_dialed_when_there_is_place() {
    let mut scene = Scene::new();
    scene.machine.rules.max_comets = 2;
    scene.came("s", &comet("b"));
    let (link, _) = scene.dialed();
    scene.answered(link, &comet("b"));
    scene.machine.observe(&url("x"), scene.now).unwrap();
    let _ = scene.outputs();
    scene.came("t", &comet("c"));
    assert_eq!(scene.outputs(), [], "there is no place");
    assert!(scene.machine.deobserve(&url("x"), scene.now));
    for _ in 0..10 {
        let dials =
            |output: &Output| matches!(output, Output::Dial { url: at, .. } if *at == url("c"));
        if scene.pass().iter().any(dials) {
            return;
        }
    }
    panic!("it is never dialed");
}

#[test]
fn who_comes_takes_the_place_of_who_has_been_gone_for_longest() {
    let mut scene = Scene::new();
    scene.machine.rules.max_comets = 2;
    for id in ["b", "c"] {
        scene.came(id, &comet(id));
        let (link, _) = scene.dialed();
        scene.answered(link, &comet(id));
        scene.machine.joined(id, &comet(id)).unwrap();
        let _ = scene.outputs();
    }
    for id in ["c", "b"] {
        scene.machine.ended(id, Ending::Lost, scene.now);
        scene.now += SECOND;
    }
    let _ = scene.outputs();
    scene.came("d", &comet("d"));
    let outputs = scene.outputs();
    let [Output::Close { .. }, Output::Dial { url: dialed, .. }] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(dialed, &url("d"));
    let is_tried = |id| scene.machine.link_to(&url(id)).is_some();
    assert_eq!(["b", "c"].map(is_tried), [true, false]);
}

#[test]
fn a_url_that_is_refused_as_one_too_many_is_not_dialed_later() {
    let mut scene = Scene::new();
    scene.machine.rules.max_comets = 1;
    scene.machine.observe(&url("b"), scene.now).unwrap();
    let _ = scene.outputs();
    assert_eq!(scene.machine.observe(&url("c"), scene.now), Err(Undialed::TooMany));
    assert!(scene.machine.deobserve(&url("b"), scene.now));
    let _ = scene.outputs();
    assert_eq!(scene.machine.deadline(), None);
}
