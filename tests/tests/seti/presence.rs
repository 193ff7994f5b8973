//! Who comes and goes is known, and told, on all nodes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bayeux_oort::Oort;
use bayeux_server::Server;
use bayeux_seti::{Presence, PresenceListener, Seti};
use serde_json::json;
use tests::{cloud_hub::CloudHub, cloud_scene::Joint, eventually, over_every_cloud};

use crate::people::{CHANNEL, Heard, Person, Setis};

async fn a_user_is_present_on_all_nodes_and_associated_on_one(joint: Joint) {
    let cloud = Setis::start(joint, 3).await;
    let dave = cloud.person(1).await;
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1, 1]).await;
    for (node, seti) in cloud.setis.iter().enumerate() {
        assert_eq!(seti.is_associated("dave"), node == 1);
        assert_eq!(seti.association_count("dave"), usize::from(node == 1));
        assert_eq!(&*seti.user_ids().concat(), "dave");
        assert_eq!(seti.associated_user_ids().len(), usize::from(node == 1));
        let locations = seti.locations("dave");
        assert_eq!(locations.len(), 1);
        assert_eq!(locations[0].comet.url(), cloud.scene.url(1));
        assert_eq!(locations[0].sessions, (node == 1).then_some(1));
    }
}

async fn who_was_there_before_is_known_to_a_node_that_joins(joint: Joint) {
    let mut cloud = Setis::start(joint, 1).await;
    let dave = cloud.person(0).await;
    cloud.setis[0].associate("dave", &dave.session).unwrap();
    cloud.add().await;
    cloud.is_present("dave", &[1, 1]).await;
    let url = cloud.scene.url(0).to_owned();
    cloud.heard[1].was_told("+", 1).await;
    assert_eq!(cloud.heard[1].all(), [format!("+dave@{url}")]);
    let third = cloud.add().await;
    cloud.is_present("dave", &[1, 1, 1]).await;
    cloud.heard[third].was_told("+", 1).await;
}

async fn the_first_session_and_the_last_are_told_on_all_nodes(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let all = [cloud.person(0).await, cloud.person(0).await];
    for person in &all {
        cloud.setis[0].associate("dave", &person.session).unwrap();
    }
    for person in &all {
        cloud.setis[0].disassociate("dave", &person.session);
    }
    let url = cloud.scene.url(0);
    cloud.heard[0].was_told("-", 1).await;
    assert_eq!(cloud.heard[0].all(), [format!("+dave@{url} here"), format!("-dave@{url} here")]);
    cloud.heard[1].was_told("-", 1).await;
    assert_eq!(cloud.heard[1].all(), [format!("+dave@{url}"), format!("-dave@{url}")]);
}

async fn a_seti_that_stops_has_nobody_and_the_others_none_of_it(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let (ann, bob) = (cloud.person(0).await, cloud.person(1).await);
    cloud.setis[0].associate("ann", &ann.session).unwrap();
    cloud.setis[1].associate("bob", &bob.session).unwrap();
    cloud.is_present("ann", &[1, 1]).await;
    cloud.is_present("bob", &[1, 1]).await;
    let told = cloud.heard[0].all();
    cloud.setis[0].stop().await;
    assert!(cloud.setis[0].user_ids().is_empty() && !cloud.setis[0].is_associated("ann"));
    cloud.is_present("ann", &[0, 0]).await;
    cloud.is_present("bob", &[0, 1]).await;
    cloud.heard[1].was_told("-ann", 1).await;
    assert_eq!(cloud.heard[0].all(), told);
    assert!(cloud.setis[0].associate("ann", &ann.session).is_err());
}

async fn a_seti_may_start_again(joint: Joint) {
    let mut cloud = Setis::start(joint, 2).await;
    let (ann, bob) = (cloud.person(0).await, cloud.person(1).await);
    cloud.setis[1].associate("bob", &bob.session).unwrap();
    cloud.setis[0].stop().await;
    let (seti, heard) = crate::people::start(cloud.scene.oort(0)).await;
    (cloud.setis[0], cloud.heard[0]) = (seti, heard);
    cloud.setis[0].associate("ann", &ann.session).unwrap();
    cloud.is_present("ann", &[1, 1]).await;
    cloud.is_present("bob", &[1, 1]).await;
}

async fn many_at_once_are_all_known_and_all_gone(joint: Joint) {
    const TASKS: usize = 16;
    const USERS: usize = 32;
    let cloud = Setis::start(joint, 2).await;
    let people = [cloud.person(0).await, cloud.person(1).await];
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (seti, session) = (cloud.setis[task % 2].clone(), people[task % 2].session.clone());
            tokio::task::spawn_blocking(move || {
                for user in 0..USERS {
                    seti.associate(&format!("{task} {user}"), &session).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for seti in &cloud.setis {
        eventually("all to be known", || seti.user_ids().len() == TASKS * USERS).await;
        assert_eq!(seti.associated_user_ids().len(), TASKS * USERS / 2);
    }
    for person in &people {
        person.goes().await;
    }
    for (seti, heard) in cloud.setis.iter().zip(&cloud.heard) {
        eventually("all to be gone", || seti.user_ids().is_empty()).await;
        heard.was_told("+", TASKS * USERS).await;
        heard.was_told("-", TASKS * USERS).await;
    }
}

/// The race of CometD: a user's last session here goes while the user's first comes.
async fn who_comes_and_goes_at_once_is_there_if_somebody_is(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let people = [cloud.person(0).await, cloud.person(0).await];
    let tasks = people.each_ref().map(|person| {
        let (seti, session) = (cloud.setis[0].clone(), person.session.clone());
        tokio::task::spawn_blocking(move || {
            for _ in 0..500 {
                seti.associate("dave", &session).unwrap();
                seti.disassociate("dave", &session);
            }
            seti.associate("dave", &session).unwrap();
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    cloud.is_present("dave", &[2, 1]).await;
    people[0].goes().await;
    cloud.is_present("dave", &[1, 1]).await;
    people[1].goes().await;
    cloud.is_present("dave", &[0, 0]).await;
    for heard in &cloud.heard {
        let is_over = || heard.all().last().is_some_and(|last| last.starts_with('-'));
        eventually("the end to be told", is_over).await;
        for (number, event) in heard.all().iter().enumerate() {
            assert_eq!(event.starts_with('+'), number % 2 == 0, "in turn");
        }
    }
}

over_every_cloud!(
    a_user_is_present_on_all_nodes_and_associated_on_one,
    who_was_there_before_is_known_to_a_node_that_joins,
    the_first_session_and_the_last_are_told_on_all_nodes,
    a_seti_that_stops_has_nobody_and_the_others_none_of_it,
    a_seti_may_start_again,
    many_at_once_are_all_known_and_all_gone,
    who_comes_and_goes_at_once_is_there_if_somebody_is,
);

/// Handles are cheap, and the last one ends it.
#[tokio::test]
async fn the_last_handle_ends_it() {
    let mut cloud = Setis::start(Joint::InProcess, 2).await;
    let dave = cloud.person(0).await;
    let seti = cloud.setis.remove(0);
    seti.associate("dave", &dave.session).unwrap();
    let other = cloud.setis[0].clone();
    eventually("dave to come", || other.is_present("dave")).await;
    let clone = Arc::new(seti.clone());
    drop(seti);
    assert!(clone.is_associated("dave"));
    drop(clone);
    eventually("dave to go", || !other.is_present("dave")).await;
}

/// Where nothing else runs meanwhile, all that comes is announced together.
#[tokio::test]
async fn many_that_come_together_are_announced_in_one_message() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let person = cloud.person(0).await;
    for user in 0..500 {
        cloud.setis[0].associate(&format!("u{user}"), &person.session).unwrap();
    }
    eventually("all to be known", || cloud.setis[1].user_ids().len() == 500).await;
    assert_eq!(cloud.setis[0].statistics().announcements, 1);
}

#[derive(Debug)]
struct Waits(AtomicUsize);

#[async_trait]
impl PresenceListener for Waits {
    async fn added(&self, _: &Presence) {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_listener_that_is_removed_while_it_waits_holds_up_no_other() {
    let cloud = Setis::start(Joint::InProcess, 1).await;
    let seti = &cloud.setis[0];
    let waits = Arc::new(Waits(AtomicUsize::new(0)));
    let registration = seti.add_presence_listener(waits.clone());
    // The first one, which is not, is told before and after it.
    let person = cloud.person(0).await;
    seti.associate("dave", &person.session).unwrap();
    eventually("it to be told", || waits.0.load(Ordering::SeqCst) == 1).await;
    drop(registration);
    seti.associate("ann", &person.session).unwrap();
    cloud.heard[0].was_told("+ann", 1).await;
    assert_eq!((cloud.heard[0].all().len(), waits.0.load(Ordering::SeqCst)), (2, 1));
}

/// What waited for one that is removed is not told to one that comes later, which may not hear what follows on it.
#[tokio::test]
async fn a_listener_in_the_place_of_another_is_told_in_turn() {
    let cloud = CloudHub::default().cloud("a", "http://a:8080/cometd");
    let oort = Oort::start(&Server::new(), cloud).await.unwrap();
    let seti = Seti::start(&oort).await.unwrap();
    let person = Person::on(&oort).await;
    let waits = Arc::new(Waits(AtomicUsize::new(0)));
    let first = seti.add_presence_listener(waits.clone());
    seti.associate("ann", &person.session).unwrap();
    eventually("it to be told", || waits.0.load(Ordering::SeqCst) == 1).await;
    seti.associate("dave", &person.session).unwrap();
    drop(first);
    seti.disassociate("dave", &person.session);
    let heard = Arc::new(Heard::default());
    seti.add_presence_listener(heard.clone()).keep();
    seti.associate("last", &person.session).unwrap();
    heard.was_told("+last", 1).await;
    assert_eq!(heard.all().len(), 1, "{:?}", heard.all());
}

#[tokio::test]
async fn odd_user_ids_are_users_as_others_are() {
    let cloud = Setis::start(Joint::Mesh, 2).await;
    let person = cloud.person(0).await;
    let long = "\u{1}".repeat(1024);
    let odd = [
        "",
        " ",
        "\0",
        "\"",
        "\\",
        "</script>",
        "\u{2028}",
        "🦀",
        "/**",
        "*",
        "/seti/all",
        "null",
        "{\"a\":1}",
        "\u{feff}",
        "é",
        "e\u{301}",
        "\u{10ffff}",
        &long,
    ];
    for user in odd {
        assert_eq!(cloud.setis[0].associate(user, &person.session), Ok(true), "{user:?}");
    }
    for user in odd {
        cloud.is_present(user, &[1, 1]).await;
        let sent = cloud.setis[1].send_message(user, CHANNEL, &user).await.unwrap();
        assert_eq!((sent.sessions, sent.nodes), (0, 1), "{user:?}");
    }
    person.has(odd.len()).await;
    let values: Vec<_> = odd.iter().map(|user| json!(user)).collect();
    assert_eq!(person.received(), values);
    person.goes().await;
    for user in odd {
        cloud.is_present(user, &[0, 0]).await;
    }
}
