//! Nodes that come, go, come again, and that are not what they say.

use super::*;

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
