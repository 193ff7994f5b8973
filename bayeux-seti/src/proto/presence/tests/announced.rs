//! What others are told of who comes and goes here.

use super::*;

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
