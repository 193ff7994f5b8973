//! What is sent to users reaches all their sessions, each once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::{
    Server,
    api::{
        Flow, Frozen,
        server::{ServerSession, ServerSessionListener},
    },
};
use bayeux_seti::{SendMessageError, Seti, SetiConfig};
use serde_json::json;
use tests::{Hangs, cloud_hub::CloudHub, cloud_scene::Joint, eventually, over_every_cloud};

use crate::people::{CHANNEL, Person, Setis};

async fn a_message_reaches_the_user_on_another_node(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let dave = cloud.person(1).await;
    assert_eq!(cloud.setis[1].associate("dave", &dave.session), Ok(true));
    assert_eq!(cloud.setis[1].associate("dave", &dave.session), Ok(false));
    cloud.is_present("dave", &[1, 1]).await;
    let sent = cloud.setis[0].send_message("dave", CHANNEL, &json!({ "n": 1 })).await.unwrap();
    assert_eq!((sent.sessions, sent.nodes, sent.nowhere.len()), (0, 1, 0));
    dave.has(1).await;
    let sent = cloud.setis[1].send_message("dave", CHANNEL, &json!({ "n": 2 })).await.unwrap();
    assert_eq!((sent.sessions, sent.nodes), (1, 0));
    dave.has(2).await;
    assert_eq!(dave.received(), [json!({ "n": 1 }), json!({ "n": 2 })]);
}

async fn each_session_of_a_user_gets_one_copy(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let all = [cloud.person(0).await, cloud.person(0).await, cloud.person(1).await];
    for (person, node) in all.iter().zip([0, 0, 1]) {
        cloud.setis[node].associate("dave", &person.session).unwrap();
    }
    cloud.is_present("dave", &[3, 2]).await;
    let sent = cloud.setis[0].send_message("dave", CHANNEL, &1).await.unwrap();
    assert_eq!((sent.sessions, sent.nodes), (2, 1));
    for person in &all {
        person.has(1).await;
    }
    assert!(cloud.setis[0].disassociate("dave", &all[0].session));
    cloud.is_present("dave", &[2, 2]).await;
    let sent = cloud.setis[1].send_message("dave", CHANNEL, &2).await.unwrap();
    assert_eq!((sent.sessions, sent.nodes), (1, 1));
    // Whatever else came would have come before the last.
    cloud.setis[0].associate("all", &all[0].session).unwrap();
    cloud.setis[0].associate("all", &all[1].session).unwrap();
    cloud.setis[1].associate("all", &all[2].session).unwrap();
    cloud.is_present("all", &[3, 2]).await;
    cloud.setis[1].send_message("all", CHANNEL, &"last").await.unwrap();
    all[0].are(&[json!(1), json!("last")]).await;
    all[1].are(&[json!(1), json!(2), json!("last")]).await;
    all[2].are(&[json!(1), json!(2), json!("last")]).await;
}

async fn observing_all_channels_makes_no_second_copy(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    for oort in cloud.scene.oorts() {
        oort.observe_channel("/**").unwrap();
    }
    cloud.scene.is_observed("/**").await;
    let dave = cloud.person(1).await;
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    for number in 0..2 {
        cloud.setis[0].send_message("dave", CHANNEL, &number).await.unwrap();
        dave.has(number + 1).await;
    }
    assert_eq!(dave.received(), [json!(0), json!(1)]);
}

async fn it_matters_not_whether_the_channel_is_observed_or_subscribed(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let dave = cloud.person(1).await;
    dave.subscribe().await;
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    cloud.setis[0].send_message("dave", CHANNEL, &1).await.unwrap();
    dave.has(1).await;
    cloud.scene.oort(0).observe_channel("/news").unwrap();
    cloud.scene.oort(1).observe_channel("/news").unwrap();
    let sent = cloud.setis[0].send_message("dave", "/news", &2).await.unwrap();
    assert_eq!(sent.nodes, 1);
    cloud.setis[0].send_message("dave", CHANNEL, &3).await.unwrap();
    dave.has(2).await;
    assert_eq!(dave.received(), [json!(1), json!(3)]);
}

async fn many_users_get_one_each_and_who_is_nowhere_is_said(joint: Joint) {
    let cloud = Setis::start(joint, 2).await;
    let (ann, bob) = (cloud.person(0).await, cloud.person(1).await);
    cloud.setis[0].associate("ann", &ann.session).unwrap();
    cloud.setis[1].associate("bob", &bob.session).unwrap();
    cloud.is_present("bob", &[1, 1]).await;
    let users = ["ann", "bob", "nobody"];
    let sent = cloud.setis[0].send_messages(users, CHANNEL, &"all").await.unwrap();
    assert_eq!((sent.sessions, sent.nodes), (1, 1));
    assert_eq!(sent.nowhere, ["nobody"]);
    cloud.setis[0].send_messages(["ann", "bob"], CHANNEL, &"last").await.unwrap();
    for person in [&ann, &bob] {
        person.are(&[json!("all"), json!("last")]).await;
    }
}

over_every_cloud!(
    a_message_reaches_the_user_on_another_node,
    each_session_of_a_user_gets_one_copy,
    observing_all_channels_makes_no_second_copy,
    it_matters_not_whether_the_channel_is_observed_or_subscribed,
    many_users_get_one_each_and_who_is_nowhere_is_said,
);

#[tokio::test]
async fn who_is_named_twice_gets_one() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (ann, bob) = (cloud.person(0).await, cloud.person(1).await);
    cloud.setis[0].associate("ann", &ann.session).unwrap();
    cloud.setis[1].associate("bob", &bob.session).unwrap();
    cloud.is_present("bob", &[1, 1]).await;
    let users = ["ann", "bob", "nobody", "bob", "ann", "nobody"];
    let sent = cloud.setis[0].send_messages(users, CHANNEL, &1).await.unwrap();
    assert_eq!((sent.sessions, sent.nodes, sent.nowhere.len()), (1, 1, 1));
    cloud.setis[0].send_messages(["ann", "bob"], CHANNEL, &"last").await.unwrap();
    for person in [&ann, &bob] {
        person.are(&[json!(1), json!("last")]).await;
    }
}

/// By a clock that goes on when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_session_that_never_takes_a_message_holds_up_neither_presence_nor_other_users() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (dave, ann) = (cloud.person(1).await, cloud.person(1).await);
    dave.session.add_listener(Hangs::over_all()).keep();
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.setis[1].associate("ann", &ann.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    cloud.is_present("ann", &[1, 1]).await;
    let begun = tokio::time::Instant::now();
    for number in 0..5 {
        cloud.setis[0].send_message("dave", CHANNEL, &number).await.unwrap();
    }
    cloud.setis[0].send_message("ann", CHANNEL, &1).await.unwrap();
    let bob = cloud.person(0).await;
    cloud.setis[0].associate("bob", &bob.session).unwrap();
    ann.has(1).await;
    eventually("bob to come", || cloud.setis[1].is_present("bob")).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_user_is_dropped_with_the_first_that_is_not_taken_unless_it_goes_on() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (dave, ann) = (cloud.person(1).await, cloud.person(1).await);
    dave.session.add_listener(Hangs::over_all()).keep();
    ann.session.add_listener(Hangs::over(|data| data == 0)).keep();
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.setis[1].associate("ann", &ann.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    cloud.is_present("ann", &[1, 1]).await;
    let begun = tokio::time::Instant::now();
    for number in 0..5 {
        cloud.setis[0].send_messages(["dave", "ann"], CHANNEL, &number).await.unwrap();
    }
    eventually("those of dave and the first of ann to be dropped", || {
        cloud.setis[1].statistics().undelivered == 6
    })
    .await;
    ann.are(&[json!(1), json!(2), json!(3), json!(4)]).await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// Takes each message after a while.
#[derive(Debug)]
pub(crate) struct TakesItsTime;

#[async_trait]
impl ServerSessionListener for TakesItsTime {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        _message: &Frozen,
    ) -> Flow {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Flow::Continue
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_user_comes_in_its_order_and_no_more_waits_than_may() {
    const SENT: usize = 1200;
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let dave = cloud.person(1).await;
    dave.session.add_listener(Arc::new(TakesItsTime)).keep();
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    for number in 0..SENT {
        cloud.setis[0].send_message("dave", CHANNEL, &number).await.unwrap();
    }
    eventually("some to be dropped", || cloud.setis[1].statistics().undelivered > 0).await;
    let dropped = || usize::try_from(cloud.setis[1].statistics().undelivered).unwrap();
    let is_over = || dave.received().len() + dropped() == SENT;
    eventually("the others to come", is_over).await;
    let numbers: Vec<_> = dave.received().iter().map(|value| value.as_u64().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.len() > 1000, "{numbers:?}");
}

/// A hook that waits at one session here holds up neither the user's session elsewhere nor other users.
#[tokio::test(start_paused = true)]
async fn a_session_that_never_takes_a_message_holds_up_no_other_place_of_one_call() {
    let cloud = Setis::start(Joint::InProcess, 2).await;
    let (stuck, far, ann) = (cloud.person(0).await, cloud.person(1).await, cloud.person(0).await);
    stuck.session.add_listener(Hangs::over_all()).keep();
    for number in 0..100 {
        cloud.setis[0].associate(&format!("u{number}"), &stuck.session).unwrap();
    }
    cloud.setis[1].associate("u0", &far.session).unwrap();
    cloud.setis[0].associate("z", &ann.session).unwrap();
    cloud.is_present("u0", &[2, 2]).await;
    let begun = tokio::time::Instant::now();
    let seti = cloud.setis[0].clone();
    let sending = tokio::spawn(async move {
        let users = (0..100).map(|number| format!("u{number}")).chain(["z".to_owned()]);
        seti.send_messages(users.collect::<Vec<_>>(), CHANNEL, &1).await.unwrap()
    });
    far.has(1).await;
    ann.has(1).await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let sent = sending.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!((sent.sessions, sent.nodes, sent.nowhere.len()), (1, 1, 99));
}

/// In a runtime with one thread: whoever else is there has its turns meanwhile.
#[tokio::test]
async fn a_message_to_many_users_holds_no_thread() {
    const MANY: usize = 5_000;
    let cloud = CloudHub::default().cloud("a", "http://a:8080/cometd");
    let oort = bayeux_oort::Oort::start(&Server::new(), cloud).await.unwrap();
    let seti = Seti::start(&oort).await.unwrap();
    let person = Person::on(&oort).await;
    let users: Vec<_> = (0..MANY).map(|number| number.to_string()).collect();
    for user in users.iter().step_by(2) {
        seti.associate(user, &person.session).unwrap();
    }
    let turns = Arc::new(AtomicUsize::new(0));
    let takes = turns.clone();
    let other = tokio::spawn(async move {
        loop {
            takes.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let sent = seti.send_messages(&users, CHANNEL, &1).await.unwrap();
    other.abort();
    assert_eq!((sent.sessions, sent.nowhere.len()), (MANY / 2, MANY / 2));
    let nowhere = users.iter().skip(1).step_by(2);
    assert!(nowhere.eq(&sent.nowhere), "they are as they were named");
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns > MANY / 100, "{turns} turns");
}

/// What is nested as deep as a client may publish it comes to a user on another node.
#[tokio::test]
async fn what_is_deep_arrives() {
    let cloud = Setis::start(Joint::Mesh, 2).await;
    let dave = cloud.person(1).await;
    cloud.setis[1].associate("dave", &dave.session).unwrap();
    cloud.is_present("dave", &[1, 1]).await;
    for depth in [10, 100, 120, 125] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let data: serde_json::Value = serde_json::from_str(&text).unwrap();
        cloud.setis[0].send_message("dave", CHANNEL, &data).await.unwrap();
    }
    cloud.setis[0].send_message("dave", CHANNEL, &"last").await.unwrap();
    dave.has(5).await;
}

#[tokio::test]
async fn nothing_is_sent_on_channels_that_are_not_for_users() {
    let cloud = Setis::start(Joint::InProcess, 1).await;
    let send = |channel: &'static str| cloud.setis[0].send_message("dave", channel, &1);
    for channel in ["/meta/connect", "/oort/cloud", "/seti/all", "/service/oort", "/a/*", "/**"] {
        let error = send(channel).await.unwrap_err();
        assert!(matches!(error, SendMessageError::Channel(_)), "{channel}: {error}");
    }
    for channel in ["", "news", "/"] {
        let error = send(channel).await.unwrap_err();
        assert!(matches!(error, SendMessageError::Name(_)), "{channel}: {error}");
    }
}

/// As CometD has it: a node that has the user since a moment gets it, too.
#[tokio::test]
async fn a_message_to_somebody_unknown_goes_to_all_nodes_unless_that_is_turned_off() {
    for (asks_all, count) in [(true, 1), (false, 0)] {
        let hub = CloudHub::default();
        let mut config = SetiConfig::default();
        config.asks_all = asks_all;
        let mut nodes = Vec::new();
        for id in ["a", "b"] {
            let cloud = hub.cloud(id, &format!("http://{id}:8080/cometd"));
            let oort = bayeux_oort::Oort::start(&Server::new(), cloud).await.unwrap();
            nodes.push(Seti::start_with(&oort, config.clone()).await.unwrap());
        }
        let dave = Person::on(nodes[1].oort()).await;
        // What b says of its users does not get to a.
        hub.set_filter(|_, to, message| {
            let value = message.data.as_ref().unwrap().value();
            to.id() != "a" || value.get("presence").is_none()
        });
        nodes[1].associate("dave", &dave.session).unwrap();
        let sent = nodes[0].send_message("dave", CHANNEL, &1).await.unwrap();
        assert_eq!(sent.nowhere, ["dave"]);
        hub.clear_filter();
        let ann = Person::on(nodes[1].oort()).await;
        nodes[1].associate("ann", &ann.session).unwrap();
        eventually("ann to be known", || nodes[0].is_present("ann")).await;
        nodes[0].send_message("ann", CHANNEL, &2).await.unwrap();
        ann.has(1).await;
        assert_eq!(dave.received().len(), count);
    }
}
