//! What others say.

use super::*;
use crate::proto::misfits::Misfits;

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
fn nothing_is_heard_of_who_is_not_there_and_all_of_it_is_counted() {
    let (mut a, now) = (presence("a"), Instant::now());
    hear(&mut a, "b", &["u"], Change::Added, false);
    ask(&mut a, "b", now);
    check(&mut a, "b", Digest::default(), now);
    assert_eq!((a.present().len(), a.statistics.refused), (0, 3));
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
    let misfit = |user, change| Said { misfits: Misfits::of(&[user]), ..said(&[], change) };
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

/// Else it asks for the list, in the midst of which the next of them comes, and so on for ever.
#[test]
fn users_whose_ids_are_not_taken_and_who_come_and_go_in_the_midst_of_lists_count_once() {
    let (mut a, mut now) = (presence("a"), Instant::now());
    a.joined(&comet("b")).unwrap();
    let misfit = |change| Said { misfits: Misfits::of(&["z too long"]), ..said(&[], change) };
    let part = |after: Option<&str>, until: Option<&str>, said| {
        let range = Some(Range { after: after.map(UserId::from), until: until.map(UserId::from) });
        Said { replaces: after.is_none(), range, ..said }
    };
    for _ in 0..10 {
        for (change, last) in
            [(Change::Added, misfit(Change::Added)), (Change::Removed, said(&[], Change::Added))]
        {
            take(&mut a, "b", part(None, Some("m"), said(&["ann"], Change::Added)));
            take(&mut a, "b", misfit(change));
            take(&mut a, "b", part(Some("m"), None, last));
            now += 10 * SECOND;
            let all: &[_] = if change == Change::Added { &["ann", "z too long"] } else { &["ann"] };
            check(&mut a, "b", Digest::of(all), now);
            assert!(!sent(&mut a, now).contains(&"ask b".to_owned()), "{change:?}");
        }
    }
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
