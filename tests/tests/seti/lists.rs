//! Lists of users that are longer than a message may be.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bayeux_oort::{MeshConfig, Oort};
use bayeux_server::{
    Server,
    api::{
        Message,
        server::{Overflow, QueueBounds},
    },
};
use bayeux_seti::{Seti, SetiConfig};
use tests::{TestNode, cloud_hub::CloudHub, eventually};

use crate::people::{Person, start};

/// One node has users whose list is of so many KB, and another joins it, once.
async fn a_long_list(users: usize, change: impl Fn(&mut MeshConfig)) {
    let (a, b) = (TestNode::with(|_| {}, &change).await, TestNode::with(|_| {}, &change).await);
    let seti = Seti::start(&a.oort).await.unwrap();
    let there = Seti::start(&b.oort).await.unwrap();
    let person = Person::on(&a.oort).await;
    for user in 0..users {
        seti.associate(&format!("{user:0>1000}"), &person.session).unwrap();
    }
    // To nobody.
    eventually("all to be announced", || seti.statistics().waiting == 0).await;
    b.observe(&a);
    b.has_joined(1).await;
    eventually("all to be known", || there.user_ids().len() == users).await;
    assert_eq!((a.events.count("left"), b.events.count("left")), (0, 0));
}

#[tokio::test]
async fn a_list_that_is_longer_than_what_may_wait_for_a_node_parts_nobody() {
    a_long_list(3000, |config| {
        config.queue = QueueBounds::new(100_000, 2 * 1024 * 1024, Overflow::Disconnect);
    })
    .await;
}

/// So little may wait that a part of the usual size is much of it.
#[tokio::test]
async fn a_list_to_a_node_for_which_little_may_wait_parts_nobody() {
    a_long_list(1000, |config| {
        config.queue = QueueBounds::new(1000, 100 * 1024, Overflow::Disconnect);
    })
    .await;
}

#[tokio::test]
async fn a_list_to_a_node_for_which_the_least_may_wait_parts_nobody() {
    a_long_list(3000, least).await;
}

fn least(config: &mut MeshConfig) {
    config.queue = QueueBounds::new(8, 64 * 1024, Overflow::Disconnect);
}

/// Fewer messages may wait than the list has parts: it goes as they are taken.
#[tokio::test]
async fn a_list_is_paced_by_the_messages_that_may_wait() {
    let (a, b) = (TestNode::start().await, TestNode::start().await);
    let seti = Seti::start(&a.oort).await.unwrap();
    let person = Person::on(&a.oort).await;
    for user in 0..1000 {
        seti.associate(&format!("{user:0>1000}"), &person.session).unwrap();
    }
    // To nobody.
    eventually("all to be announced", || seti.statistics().waiting == 0).await;
    b.observe(&a);
    b.has_joined(1).await;
    for session in a.server.server.sessions() {
        session.set_queue_bounds(QueueBounds::new(2, 64 * 1024 * 1024, Overflow::Disconnect));
    }
    let there = Seti::start(&b.oort).await.unwrap();
    eventually("all to be known", || there.user_ids().len() == 1000).await;
    assert_eq!((a.events.count("left"), b.events.count("left")), (0, 0));
}

/// It may be more than may wait, so that the other node starts anew: its list brings what it missed.
#[tokio::test]
async fn all_who_come_at_once_are_known_to_a_node_for_which_the_least_may_wait() {
    let (a, b) = (TestNode::with(|_| {}, least).await, TestNode::with(|_| {}, least).await);
    let seti = Seti::start(&a.oort).await.unwrap();
    let there = Seti::start(&b.oort).await.unwrap();
    let person = Person::on(&a.oort).await;
    b.observe(&a);
    b.has_joined(1).await;
    for user in 0..3000 {
        seti.associate(&format!("{user:0>1000}"), &person.session).unwrap();
    }
    eventually("all to be known", || there.user_ids().len() == 3000).await;
}

#[tokio::test]
async fn a_list_that_is_longer_than_a_message_may_be_parts_nobody() {
    a_long_list(3000, |config| config.max_message_size = 64 * 1024).await;
}

/// Two nodes are configured differently, as while they are brought up to date one after the other: what the one says
/// that its users come to is more than what the other takes.
#[tokio::test(start_paused = true)]
async fn a_node_whose_users_are_not_all_taken_is_asked_when_something_is_missed_and_only_then() {
    let hub = CloudHub::default();
    let here = Oort::start(&Server::new(), hub.cloud("a", "http://a/cometd")).await.unwrap();
    let there = Oort::start(&Server::new(), hub.cloud("b", "http://b/cometd")).await.unwrap();
    let mut config = SetiConfig::default();
    config.max_user_id = 5000;
    let seti = Seti::start_with(&here, config).await.unwrap();
    let other = Seti::start(&there).await.unwrap();
    let person = Person::on(&here).await;
    let long = "x".repeat(2000);
    seti.associate("ann", &person.session).unwrap();
    seti.associate(&long, &person.session).unwrap();
    eventually("ann to come", || other.is_present("ann")).await;
    for (number, missed) in ["while it is there", "when it has gone"].into_iter().enumerate() {
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(other.statistics().repairs, number as u64);
        assert!(seti.statistics().lists < 5, "{:?}", seti.statistics());
        hub.set_filter(|_, _, message| message.channel() != "/seti/all");
        seti.associate(missed, &person.session).unwrap();
        let begun = tokio::time::Instant::now();
        eventually("it to be found", || other.is_present(missed)).await;
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        hub.clear_filter();
        seti.disassociate(&long, &person.session);
    }
}

/// Whoever goes while the list is sent does not come back by a later part, and nobody seems to go by an earlier one.
#[tokio::test]
async fn who_comes_and_goes_while_a_long_list_is_sent_is_known() {
    const USERS: usize = 5000;
    let hub = CloudHub::default();
    let near = Oort::start(&Server::new(), hub.cloud("a", "http://a/cometd")).await.unwrap();
    let seti = Seti::start(&near).await.unwrap();
    let person = Person::on(&near).await;
    let user = |number: usize| format!("{number:0>100}");
    for number in 0..USERS {
        seti.associate(&user(number), &person.session).unwrap();
    }
    eventually("all to be announced", || seti.statistics().waiting == 0).await;
    let far = Oort::start(&Server::new(), hub.cloud("b", "http://b/cometd")).await.unwrap();
    // From the second part on.
    let is_second = AtomicBool::new(false);
    hub.hold(move |from, _, message| {
        let value = message.data.as_ref().unwrap().value();
        is_second.fetch_or(value["range"]["after"].is_string(), Ordering::SeqCst);
        from.id() == "a" && is_second.load(Ordering::SeqCst)
    });
    let (other, heard) = start(&far).await;
    eventually("the second part to be under way", || hub.held() > 0).await;
    eventually("the first to be heard", || !other.user_ids().is_empty()).await;
    assert!(other.user_ids().len() < USERS);
    for number in [0, USERS / 2, USERS - 1] {
        assert!(seti.disassociate(&user(number), &person.session));
    }
    seti.associate("new", &person.session).unwrap();
    hub.release(|_| {});
    eventually("all to be known", || other.user_ids() == seti.user_ids()).await;
    // All that the node sent has been heard when this has.
    let last = serde_json::json!({
        "userIds": ["last"], "oortURL": "http://a/cometd", "presence": true,
    });
    near.broadcast(Message::with_data("/seti/all", last)).await.unwrap();
    heard.was_told("+last", 1).await;
    assert_eq!(other.user_ids().len(), USERS - 3 + 2);
    assert!(heard.count("-") <= 3, "nobody else went");
    assert_eq!(other.statistics().repairs, 0);
}
