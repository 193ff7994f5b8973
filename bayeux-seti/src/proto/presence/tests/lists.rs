//! Lists, and when they go.

use super::*;

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
