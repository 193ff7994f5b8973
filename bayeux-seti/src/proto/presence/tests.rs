//! Presence keeps its rules.

use std::{sync::LazyLock, time::Duration};

use super::*;
use crate::proto::{
    node::{Room, Way},
    wire::Said,
};

/// Before all that tests do.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const SECOND: Duration = Duration::from_secs(1);

/// Nothing is on it.
const FREE: Way = Way { room: Room::Enough, most: usize::MAX, is_heard: true };

fn comet(id: &str) -> Comet {
    Comet::new(id, format!("http://{id}:8080/cometd"))
}

fn presence(id: &str) -> Presence<u32> {
    LazyLock::force(&START);
    let own = comet(id);
    let seti_id = crate::proto::id::seti_id(own.url());
    let mut presence = Presence::new(own, seti_id, 1000, MUCH);
    presence.tellings.is_heard = true;
    presence
}

fn said(users: &[&str], change: Change) -> Said {
    let mut users: Vec<_> = users.iter().copied().map(UserId::from).collect();
    users.sort();
    let (misfits, digest, range) = <_>::default();
    Said { users, misfits, change, replaces: false, asks: false, digest, range }
}

/// Has one node hear something of another.
fn hear(presence: &mut Presence<u32>, from: &str, users: &[&str], change: Change, replaces: bool) {
    take(presence, from, Said { replaces, ..said(users, change) });
}

fn take(presence: &mut Presence<u32>, from: &str, said: Said) {
    let Some(mut hearing) = presence.said(&comet(from), said, *START) else { return };
    while !hearing.is_done() {
        presence.hear_more(&mut hearing, 1);
    }
}

fn ask(presence: &mut Presence<u32>, from: &str, now: Instant) {
    presence.said(&comet(from), Said { asks: true, ..said(&[], Change::Added) }, now);
}

fn check(presence: &mut Presence<u32>, from: &str, digest: Digest, now: Instant) {
    let digest = Some(digest);
    presence.said(&comet(from), Said { digest, ..said(&[], Change::Added) }, now);
}

/// Something that only one of ours says.
fn is_ours(presence: &mut Presence<u32>, from: &str, now: Instant) {
    let range = Some(Range::default());
    presence.said(&comet(from), Said { range, ..said(&[], Change::Added) }, now);
}

/// Returns what was told, as `+user@node` and `-user@node`.
fn told(presence: &mut Presence<u32>) -> Vec<String> {
    let events = std::iter::from_fn(|| presence.next_event());
    let text = |event: Event| {
        let sign = if event.change == Change::Added { '+' } else { '-' };
        format!("{sign}{}@{}", event.user, event.comet.id())
    };
    events.map(text).collect()
}

/// Returns what is sent now, in short.
fn sent(presence: &mut Presence<u32>, now: Instant) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(output) = presence.next(now) {
        all.push(text(presence, output));
    }
    all
}

fn part(presence: &mut Presence<u32>, to: &Comet) -> Option<Part> {
    presence.part(to, FREE, *START)
}

fn text(presence: &mut Presence<u32>, output: Output) -> String {
    match output {
        Output::Announce(one) => {
            let sign = if one.change == Change::Added { '+' } else { '-' };
            one.users.iter().map(|user| format!("{sign}{user}")).collect::<Vec<_>>().join(" ")
        }
        Output::List(to) => match part(presence, &to).unwrap() {
            Part { range: Range { after: None, until: None }, .. } => {
                format!("list to {}", to.id())
            }
            Part { users, .. } => format!("{} to {}", users.concat(), to.id()),
        },
        Output::Check { to, .. } => format!("check to {}", to.id()),
        Output::Ask(to) => format!("ask {}", to.id()),
    }
}

#[test]
fn only_the_first_session_and_the_last_are_announced_and_told() {
    let (mut a, now) = (presence("a"), Instant::now());
    assert!(a.associate("u", 1));
    assert!(!a.associate("u", 1));
    assert!(a.associate("u", 2));
    assert_eq!(sent(&mut a, now), ["+u"]);
    assert_eq!(a.counts("u"), (2, 0));
    assert!(a.disassociate("u", &1));
    assert_eq!(sent(&mut a, now), Vec::<String>::new());
    assert!(a.disassociate("u", &2));
    assert!(!a.disassociate("u", &2));
    assert_eq!(sent(&mut a, now), ["-u"]);
    assert_eq!(told(&mut a), ["+u@a", "-u@a"]);
    assert_eq!(a.statistics.associations, 0);
}

/// The race of CometD, where the count and its broadcast are two steps: whoever comes last here is announced last.
#[test]
fn a_last_that_goes_and_a_first_that_comes_are_announced_as_they_were() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.associate("u", 1);
    a.disassociate("u", &1);
    a.associate("u", 2);
    assert_eq!(sent(&mut a, now), ["+u", "-u", "+u"]);
    assert_eq!(a.all_announced(), ["u".into()]);
}

#[test]
fn many_are_announced_in_one_message() {
    let (mut a, now) = (presence("a"), Instant::now());
    for user in ["u", "v", "w"] {
        a.associate(user, 1);
    }
    assert_eq!(sent(&mut a, now), ["+u +v +w"]);
}

#[test]
fn all_users_of_a_session_go_with_it() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.associate("u", 1);
    a.associate("v", 1);
    a.associate("v", 2);
    a.disassociate("u", &1);
    a.session_ended(&1);
    assert_eq!(a.associated(), ["v".into()]);
    a.session_ended(&2);
    sent(&mut a, now);
    assert!(a.present().is_empty() && a.all_announced().is_empty());
}

#[test]
fn all_sessions_of_a_user_are_disassociated_at_once() {
    let mut a = presence("a");
    a.associate("u", 1);
    a.associate("u", 2);
    assert_eq!(a.disassociate_user("u"), [1, 2]);
    assert!(a.disassociate_user("u").is_empty());
}

#[test]
fn what_others_say_is_told_once() {
    let mut a = presence("a");
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &["u"], Change::Added, false);
    hear(&mut a, "b", &["u"], Change::Added, false);
    hear(&mut a, "b", &["v"], Change::Removed, false);
    assert_eq!(a.counts("u"), (0, 1));
    hear(&mut a, "b", &["u"], Change::Removed, false);
    assert_eq!(told(&mut a), ["+u@b", "-u@b"]);
    assert!(a.present().is_empty());
}

#[test]
fn of_a_list_the_difference_is_told_and_who_went_first() {
    let mut a = presence("a");
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &["u", "v", "w"], Change::Added, true);
    told(&mut a);
    hear(&mut a, "b", &["a", "v", "x"], Change::Added, true);
    assert_eq!(told(&mut a), ["-u@b", "-w@b", "+a@b", "+x@b"]);
    hear(&mut a, "b", &[], Change::Added, true);
    assert_eq!(told(&mut a), ["-a@b", "-v@b", "-x@b"]);
}

#[test]
fn the_users_of_a_node_that_left_are_told_piece_by_piece() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &["u", "v", "w"], Change::Added, true);
    told(&mut a);
    a.left(&comet("b"), now);
    assert!(a.sweep(2));
    assert_eq!(told(&mut a), ["-u@b", "-v@b"]);
    assert!(!a.sweep(2));
    assert_eq!(told(&mut a), ["-w@b"]);
}

#[test]
fn what_was_under_way_of_a_node_that_left_is_not_taken() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    let mut hearing = a.said(&comet("b"), said(&["u", "v"], Change::Added), now).unwrap();
    a.hear_more(&mut hearing, 1);
    a.left(&comet("b"), now);
    a.joined(&comet("b")).unwrap();
    a.hear_more(&mut hearing, 1);
    assert!(hearing.is_done());
    a.sweep(10);
    assert!(a.present().is_empty());
    assert_eq!(told(&mut a), ["+u@b", "-u@b"]);
}

#[test]
fn nothing_is_heard_of_who_is_not_there_and_all_of_it_is_counted() {
    let (mut a, now) = (presence("a"), Instant::now());
    hear(&mut a, "b", &["u"], Change::Added, false);
    ask(&mut a, "b", now);
    check(&mut a, "b", Digest::default(), now);
    assert_eq!((a.present().len(), a.statistics.refused), (0, 3));
}

#[test]
fn one_that_observes_gets_the_list_and_cometds_gets_it_once_more() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    assert_eq!(sent(&mut a, now), Vec::<String>::new());
    a.observed(&comet("b"), now);
    hear(&mut a, "b", &[], Change::Added, true);
    assert_eq!(sent(&mut a, now), ["list to b"]);
    let later = a.deadline().unwrap();
    assert_eq!(sent(&mut a, later), ["list to b"]);
    sent(&mut a, later + SECOND);
    assert_eq!(a.deadline(), None);
}

/// Its Seti was there before this node's, and nothing is told of that.
#[test]
fn one_that_says_something_hears_what_is_announced_and_gets_the_list() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &["u"], Change::Added, true);
    assert_eq!(sent(&mut a, now + SECOND), ["list to b"]);
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    ask(&mut a, "b", now);
    assert_eq!(sent(&mut a, now), ["list to b"]);
}

#[test]
fn what_one_of_ours_misses_is_found_by_the_next_check() {
    let (mut a, mut b, mut now) = (presence("a"), presence("b"), Instant::now());
    a.joined(&comet("b")).unwrap();
    b.joined(&comet("a")).unwrap();
    is_ours(&mut a, "b", now);
    a.observed(&comet("b"), now);
    b.observed(&comet("a"), now);
    sent(&mut b, now);
    a.associate("u", 1);
    // The list goes out before what is announced after it, and both get lost.
    assert_eq!(sent(&mut a, now), ["list to b", "+u"]);
    now += 3 * SECOND;
    let mut outputs = std::iter::from_fn(|| a.next(now));
    let digest = outputs.find_map(|output| match output {
        Output::Check { digest, .. } => Some(digest),
        Output::Announce(_) | Output::List(_) | Output::Ask(_) => None,
    });
    let digest = digest.unwrap();
    check(&mut b, "a", digest, now);
    assert_eq!(sent(&mut b, now)[0], "ask a");
    ask(&mut a, "b", now);
    assert_eq!(sent(&mut a, now), ["list to b"]);
    hear(&mut b, "a", &["u"], Change::Added, true);
    check(&mut b, "a", digest, now + 10 * SECOND);
    assert_eq!(b.statistics.repairs, 1);
}

#[test]
fn a_check_is_of_what_was_announced_and_not_of_what_waits() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    is_ours(&mut a, "b", now);
    a.observed(&comet("b"), now);
    a.associate("u", 1);
    let Some(Output::List(to)) = a.next(now) else { panic!("it is none") };
    assert!(part(&mut a, &to).unwrap().users.is_empty() && a.announced == Digest::default());
    sent(&mut a, now);
    a.disassociate("u", &1);
    assert_eq!(a.all_announced(), ["u".into()]);
}

#[test]
fn what_could_not_be_announced_is_made_good() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &[], Change::Added, true);
    a.observed(&comet("b"), now);
    sent(&mut a, now + 10 * SECOND);
    sent(&mut a, now + 20 * SECOND);
    a.lost(None, now + 30 * SECOND);
    assert_eq!(sent(&mut a, now + 35 * SECOND), ["list to b"]);
}

#[test]
fn what_one_node_did_not_get_is_made_good_at_that_one() {
    let (mut a, now) = (presence("a"), Instant::now());
    for id in ["b", "c"] {
        a.joined(&comet(id)).unwrap();
        hear(&mut a, id, &[], Change::Added, true);
        a.observed(&comet(id), now);
    }
    sent(&mut a, now + 10 * SECOND);
    sent(&mut a, now + 20 * SECOND);
    a.lost(Some(&comet("c")), now + 30 * SECOND);
    assert_eq!(sent(&mut a, now + 35 * SECOND), ["list to c"]);
}

#[test]
fn who_asks_all_the_time_holds_up_nobody() {
    let (mut a, mut now) = (presence("a"), Instant::now());
    for id in ["b", "c", "d"] {
        a.joined(&comet(id)).unwrap();
        hear(&mut a, id, &[], Change::Added, true);
    }
    let (mut lists, mut is_announced) = ([0; 3], false);
    a.associate("u", 1);
    for _ in 0..30 {
        for (number, id) in ["b", "c", "d"].into_iter().enumerate() {
            // One asks, one comes and goes, and one waits for its turn.
            match number {
                0 => ask(&mut a, id, now),
                _ => a.observed(&comet(id), now),
            }
        }
        match a.next(now) {
            Some(Output::Announce(_)) => is_announced = true,
            Some(Output::List(to)) => {
                part(&mut a, &to).unwrap();
                let number = ["b", "c", "d"].iter().position(|id| *id == to.id());
                lists[number.unwrap()] += 1;
            }
            Some(Output::Check { .. } | Output::Ask(_)) | None => {}
        }
        // Each takes longer than the time in which a node gets one.
        now += 2 * SECOND;
    }
    assert!(is_announced);
    assert!(lists.iter().all(|count| *count > 5), "{lists:?}");
}

#[test]
fn an_announcement_comes_after_each_duty() {
    let (mut a, now) = (presence("a"), Instant::now());
    for id in ["b", "c"] {
        a.joined(&comet(id)).unwrap();
        hear(&mut a, id, &[], Change::Added, true);
    }
    a.associate("u", 1);
    a.disassociate("u", &1);
    assert_eq!(sent(&mut a, now), ["list to b", "+u", "list to c", "-u"]);
}

/// Between one list and the next there is time for others, however long the first takes.
#[test]
fn a_list_comes_a_while_after_the_one_before_has_gone() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &[], Change::Added, true);
    a.observed(&comet("b"), now);
    let Some(Output::List(to)) = a.next(now) else { panic!("it is none") };
    part(&mut a, &to).unwrap();
    for _ in 0..2 {
        ask(&mut a, "b", now + 10 * SECOND);
        a.observed(&comet("b"), now + 10 * SECOND);
    }
    assert_eq!(sent(&mut a, now + 10 * SECOND), Vec::<String>::new());
    assert_eq!(sent(&mut a, now + 11 * SECOND), ["list to b"]);
}

/// A presence that has announced these users, has room for two of them in a message, and knows another node.
fn with_small_parts(users: &[&str], now: Instant) -> Presence<u32> {
    let mut a = presence("a");
    a.much = 8;
    for user in users {
        a.associate(user, 1);
    }
    sent(&mut a, now);
    a.joined(&comet("b")).unwrap();
    hear(&mut a, "b", &[], Change::Added, true);
    a
}

#[test]
fn a_long_list_goes_in_parts_and_announcements_between_them() {
    let now = *START;
    let mut a = with_small_parts(&["u", "v", "w", "x", "y"], now);
    let first = a.next(now).unwrap();
    assert_eq!(text(&mut a, first), "uv to b");
    a.disassociate("x", &1);
    a.associate("s", 1);
    // Whoever has gone is in no later part.
    assert_eq!(sent(&mut a, now), ["-x", "wy to b", "+s"]);
    assert_eq!(a.statistics.lists, 1);
}

#[test]
fn a_part_takes_away_who_has_gone_of_its_range_alone() {
    let mut b = presence("b");
    b.joined(&comet("a")).unwrap();
    hear(&mut b, "a", &["q", "u", "u2", "w", "y"], Change::Added, true);
    told(&mut b);
    let range = |after: Option<&str>, until: Option<&str>| {
        Some(Range { after: after.map(UserId::from), until: until.map(UserId::from) })
    };
    let part =
        |users: &[&str], replaces, range| Said { replaces, range, ..said(users, Change::Added) };
    take(&mut b, "a", part(&["u", "v"], true, range(None, Some("v"))));
    assert_eq!(told(&mut b), ["-q@a", "-u2@a", "+v@a"]);
    take(&mut b, "a", part(&["x"], false, range(Some("v"), Some("x"))));
    assert_eq!(told(&mut b), ["-w@a", "+x@a"]);
    take(&mut b, "a", part(&[], false, range(Some("x"), None)));
    assert_eq!(told(&mut b), ["-y@a"]);
    assert_eq!(b.present(), ["u".into(), "v".into(), "x".into()]);
}

#[test]
fn of_a_list_whose_part_was_lost_all_goes_again() {
    let now = *START;
    let mut a = with_small_parts(&["u", "v", "w", "x", "y"], now);
    let first = a.next(now).unwrap();
    text(&mut a, first);
    a.lost(Some(&comet("b")), now);
    assert_eq!(sent(&mut a, now), Vec::<String>::new());
    assert_eq!(sent(&mut a, now + SECOND), ["uv to b", "wx to b", "y to b"]);
}

#[test]
fn a_part_for_which_there_is_no_room_holds_up_no_other_node() {
    let now = *START;
    let mut a = with_small_parts(&["u", "v", "w"], now);
    a.joined(&comet("c")).unwrap();
    hear(&mut a, "c", &[], Change::Added, true);
    let mut parts = Vec::new();
    while let Some(output) = a.next(now) {
        match output {
            Output::List(to) if to.id() == "b" => {
                assert!(a.part(&to, Way { room: Room::None, ..FREE }, now).is_none());
            }
            output @ (Output::List(_)
            | Output::Announce(_)
            | Output::Check { .. }
            | Output::Ask(_)) => parts.push(text(&mut a, output)),
        }
    }
    assert_eq!(parts, ["uv to c", "w to c"]);
    let later = a.deadline().unwrap();
    assert_eq!(sent(&mut a, later), ["uv to b", "w to b"]);
}

#[test]
fn of_two_nodes_with_one_seti_id_the_second_is_refused_until_the_first_leaves() {
    let (mut a, now) = (presence("a"), Instant::now());
    let (first, second) = (Comet::new("1", "http://x-y"), Comet::new("2", "http://x.y"));
    a.joined(&first).unwrap();
    let collision = a.joined(&second).unwrap_err();
    assert_eq!((&*collision.url, &*collision.seti_id), ("http://x-y", "http_x_y"));
    assert!(a.said(&second, said(&["u"], Change::Added), now).is_none());
    a.observed(&second, now);
    assert_eq!(sent(&mut a, now), Vec::<String>::new());
    a.left(&first, now);
    assert_eq!(sent(&mut a, now), ["ask 2", "list to 2"]);
    assert!(a.said(&second, said(&["u"], Change::Added), now).is_some());
}

/// What is told of two lives comes by two ways: the second may join before the first leaves.
#[test]
fn a_node_that_starts_again_is_no_twin_of_its_former_life() {
    let (mut a, now) = (presence("a"), Instant::now());
    let [first, second] = ["1", "2"].map(|id| Comet::new(id, "http://b:8080/cometd"));
    let hear = |a: &mut Presence<u32>, from: &Comet, user: &str| {
        while a.sweep(1) {}
        let hearing = a.said(from, Said { replaces: true, ..said(&[user], Change::Added) }, now);
        let Some(mut hearing) = hearing else { return false };
        while !hearing.is_done() {
            a.hear_more(&mut hearing, 9);
        }
        true
    };
    a.joined(&first).unwrap();
    assert!(hear(&mut a, &first, "u"));
    a.joined(&second).unwrap();
    assert_eq!(a.places("u").comets, []);
    assert!(hear(&mut a, &second, "u"));
    // Of its former life nothing is taken any more.
    assert!(!hear(&mut a, &first, "v"));
    a.left(&first, now);
    assert_eq!(a.places("u").comets, std::slice::from_ref(&second));
    assert!(hear(&mut a, &second, "w"));
    assert_eq!(told(&mut a), ["+u@1", "-u@1", "+u@2", "-u@2", "+w@2"]);
    a.left(&second, now);
    while a.sweep(1) {}
    assert_eq!((a.present().len(), a.statistics.collisions), (0, 0));
}

/// A former life of which is heard late has no users, and leaves no trace.
#[test]
fn a_former_life_that_joins_late_is_forgotten_when_it_leaves() {
    let (mut a, now) = (presence("a"), Instant::now());
    let [first, second] = ["1", "2"].map(|id| Comet::new(id, "http://b:8080/cometd"));
    a.joined(&second).unwrap();
    let mut hearing = a.said(&second, said(&["u"], Change::Added), now).unwrap();
    a.joined(&first).unwrap();
    a.hear_more(&mut hearing, 9);
    assert!(hearing.is_done());
    a.left(&first, now);
    a.said(&second, Said { asks: true, ..said(&[], Change::Added) }, now);
    assert!(sent(&mut a, now).contains(&"ask 2".to_owned()));
    assert!(a.said(&second, said(&["u"], Change::Added), now).is_some());
}

#[test]
fn one_with_the_own_seti_id_is_refused() {
    let mut a = presence("a");
    let twin = Comet::new("b", "http://a/8080/cometd");
    assert_eq!(a.joined(&twin).unwrap_err().url, comet("a").url());
    a.left(&twin, Instant::now());
    assert_eq!(a.statistics.collisions, 1);
}

#[test]
fn a_node_has_no_more_users_than_are_taken() {
    let (mut a, now) = (presence("a"), Instant::now());
    a.most = 2;
    a.joined(&comet("b")).unwrap();
    a.observed(&comet("b"), now);
    hear(&mut a, "b", &["u", "v", "w", "x"], Change::Added, true);
    assert_eq!((a.present().len(), a.statistics.overflows), (2, 2));
    let is_asked = |a: &mut Presence<u32>, users: &[&str], now| {
        check(a, "b", Digest::of(users), now);
        sent(a, now).contains(&"ask b".to_owned())
    };
    assert!(!is_asked(&mut a, &["u", "v", "w", "x"], now));
    // As soon as it has no more of them, what is missing is asked for.
    hear(&mut a, "b", &["u", "v"], Change::Removed, false);
    assert!(is_asked(&mut a, &["w", "x"], now + 30 * SECOND));
    hear(&mut a, "b", &["x"], Change::Added, true);
    assert_eq!(a.present(), ["x".into()]);
}

/// Another node's ids may be longer than those that are taken here.
#[test]
fn what_is_missed_is_found_though_not_all_users_are_taken() {
    let (mut a, mut now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    let range = |after: Option<&str>, until: Option<&str>| {
        Some(Range { after: after.map(UserId::from), until: until.map(UserId::from) })
    };
    let misfit = |user, change| Said { misfits: Digest::of(&[user]), ..said(&[], change) };
    let mut is_asked = |a: &mut Presence<u32>, users: &[&str]| {
        now += 10 * SECOND;
        check(a, "b", Digest::of(users), now);
        sent(a, now).contains(&"ask b".to_owned())
    };
    let first = Said { users: vec!["u".into()], ..misfit("long", Change::Added) };
    take(&mut a, "b", Said { replaces: true, range: range(None, Some("u")), ..first });
    let last = misfit("x too long", Change::Added);
    take(&mut a, "b", Said { range: range(Some("u"), None), ..last });
    assert!(!is_asked(&mut a, &["u", "long", "x too long"]));
    take(&mut a, "b", misfit("long", Change::Removed));
    take(&mut a, "b", misfit("y too long", Change::Added));
    assert!(!is_asked(&mut a, &["u", "x too long", "y too long"]));
    assert_eq!(a.statistics.repairs, 0);
    assert!(is_asked(&mut a, &["u", "v", "x too long", "y too long"]));
    // The next list counts alone.
    let list = Said { users: vec!["v".into()], ..misfit("long", Change::Added) };
    take(&mut a, "b", Said { replaces: true, range: range(None, None), ..list });
    assert!(!is_asked(&mut a, &["v", "long"]));
    assert_eq!((a.statistics.repairs, a.present()), (1, vec!["v".into()]));
}

#[test]
fn a_user_is_found_wherever_it_is() {
    let mut a = presence("a");
    a.joined(&comet("b")).unwrap();
    a.joined(&comet("c")).unwrap();
    a.associate("u", 1);
    hear(&mut a, "b", &["u"], Change::Added, false);
    hear(&mut a, "c", &["u", "v"], Change::Added, false);
    let places = a.places("u");
    let comets: Vec<_> = places.comets.iter().map(|comet| comet.id().to_owned()).collect();
    assert_eq!((places.sessions, comets), (vec![1], vec!["b".to_owned(), "c".to_owned()]));
    assert_eq!(a.places("v").comets[0], comet("c"));
    assert!(a.places("w").comets.is_empty());
    assert_eq!(a.present(), ["u".into(), "v".into()]);
    assert_eq!(a.associated(), ["u".into()]);
}

/// One of CometD's forgets everybody by a part that replaces, and tells its listeners so.
#[test]
fn one_that_has_heard_the_first_part_is_not_made_to_forget_again() {
    let now = *START;
    let mut a = with_small_parts(&["u", "v", "w"], now);
    let b = comet("b");
    let first = |a: &mut Presence<u32>, now| {
        let Some(Output::List(to)) = a.next(now) else { panic!("it is none") };
        let first = part(a, &to).unwrap().replaces;
        sent(a, now);
        first
    };
    a.observed(&b, now);
    assert!(first(&mut a, now));
    ask(&mut a, "b", now);
    assert!(!first(&mut a, now + SECOND));
    // It may have missed who went.
    a.lost(None, now + 10 * SECOND);
    assert!(first(&mut a, now + 12 * SECOND));
    // So it may if something for it alone was lost.
    ask(&mut a, "b", now + 20 * SECOND);
    assert!(!first(&mut a, now + 20 * SECOND));
    a.lost(Some(&b), now + 25 * SECOND);
    assert!(first(&mut a, now + 27 * SECOND));
    a.observed(&b, now + 30 * SECOND);
    assert!(first(&mut a, now + 32 * SECOND));
}
