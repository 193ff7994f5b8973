//! Nodes that start, stop and come again, with the users on them.

use bayeux_oort::Oort;
use bayeux_server::{Server, api::Message};
use bayeux_seti::{Seti, StartSetiError};
use serde_json::json;
use tests::{cloud_hub::CloudHub, cloud_scene::Joint, eventually, over_every_cloud};

use crate::people::{CHANNEL, Person, Setis, start};

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

async fn four_that_start_know_each_others_users(joint: Joint) {
    let mut cloud = Setis::start(joint, 1).await;
    let mut people = Vec::new();
    for node in 0..4 {
        if node > 0 {
            cloud.add().await;
        }
        let person = cloud.person(node).await;
        cloud.setis[node].associate(&format!("u{node}"), &person.session).unwrap();
        people.push(person);
    }
    for user in 0..4 {
        cloud.is_present(&format!("u{user}"), &[1; 4]).await;
    }
    for heard in &cloud.heard {
        heard.was_told("+", 4).await;
    }
}

async fn the_users_of_a_node_that_leaves_go_with_it(joint: Joint) {
    let mut cloud = Setis::start(joint, 3).await;
    let people = [cloud.person(0).await, cloud.person(2).await];
    cloud.setis[0].associate("dave", &people[0].session).unwrap();
    cloud.setis[2].associate("dave", &people[1].session).unwrap();
    cloud.setis[2].associate("bob", &people[1].session).unwrap();
    cloud.is_present("dave", &[2, 2, 2]).await;
    cloud.is_present("bob", &[1, 1, 1]).await;
    cloud.scene.stop(2).await;
    for node in [0, 1] {
        let seti = &cloud.setis[node];
        eventually("bob to go", || !seti.is_present("bob")).await;
        eventually("dave to stay", || seti.presence_count("dave") == 1).await;
        cloud.heard[node].was_told("-", 2).await;
    }
    let sent = cloud.setis[1].send_message("dave", CHANNEL, &1).await.unwrap();
    assert_eq!(sent.nodes, 1);
    people[0].has(1).await;
}

over_every_cloud!(
    four_that_start_know_each_others_users,
    the_users_of_a_node_that_leaves_go_with_it,
);

fn url(id: &str) -> String {
    format!("http://{id}:8080/cometd")
}

async fn node(hub: &CloudHub, id: &str, url: &str) -> Oort {
    Oort::start(&Server::new(), hub.cloud(id, url)).await.unwrap()
}

#[tokio::test]
async fn after_a_partition_each_knows_who_is_there_now() {
    let hub = CloudHub::default();
    let nodes = [node(&hub, "a", &url("a")).await, node(&hub, "b", &url("b")).await];
    let (one, heard) = start(&nodes[0]).await;
    let (other, _) = start(&nodes[1]).await;
    let (ann, bob) = (Person::on(&nodes[0]).await, Person::on(&nodes[1]).await);
    one.associate("ann", &ann.session).unwrap();
    other.associate("bob", &bob.session).unwrap();
    other.associate("bobby", &bob.session).unwrap();
    heard.was_told("+bob", 2).await;
    hub.cut(&url("a"), &url("b"));
    heard.was_told("-bob", 2).await;
    eventually("ann to go", || !other.is_present("ann")).await;
    // Each side goes on.
    other.disassociate("bobby", &bob.session);
    other.associate("carl", &bob.session).unwrap();
    hub.heal(&url("a"), &url("b"));
    eventually("ann to come", || other.is_present("ann")).await;
    eventually("carl to come", || one.is_present("carl") && one.is_present("bob")).await;
    assert!(!one.is_present("bobby"));
    assert_eq!(heard.count("+bobby"), 1);
}

/// One loses the other, which does not see that: it is asked for what it does not send by itself.
#[tokio::test]
async fn after_half_a_break_each_knows_who_is_there_now() {
    let hub = CloudHub::default();
    let nodes = [node(&hub, "a", &url("a")).await, node(&hub, "b", &url("b")).await];
    let (one, heard) = start(&nodes[0]).await;
    let (other, far) = start(&nodes[1]).await;
    let (ann, bob) = (Person::on(&nodes[0]).await, Person::on(&nodes[1]).await);
    one.associate("ann", &ann.session).unwrap();
    other.associate("bob", &bob.session).unwrap();
    heard.was_told("+bob", 1).await;
    far.was_told("+ann", 1).await;
    hub.lose(&url("a"), &url("b"));
    heard.was_told("-bob", 1).await;
    one.disassociate("ann", &ann.session);
    one.associate("carl", &ann.session).unwrap();
    hub.heal(&url("a"), &url("b"));
    heard.was_told("+bob", 2).await;
    far.was_told("+carl", 1).await;
    far.was_told("-ann", 1).await;
    assert_eq!((far.count("+"), far.count("-")), (3, 1), "{:?}", far.all());
}

/// Another life of a node joins before it is told that the former has left.
#[tokio::test]
async fn the_users_of_a_former_life_go_when_the_next_joins() {
    let hub = CloudHub::default();
    let here = node(&hub, "a", &url("a")).await;
    let (seti, heard) = start(&here).await;
    let former = node(&hub, "life 1", &url("b")).await;
    let said = json!({ "userIds": ["dave"], "oortURL": url("b"), "presence": true });
    eventually("it to join", || former.comets().len() == 1).await;
    former.broadcast(Message::with_data("/seti/all", said)).await.unwrap();
    heard.was_told("+dave", 1).await;
    // It says nothing.
    let _next = node(&hub, "life 2", &url("b")).await;
    heard.was_told("-dave", 1).await;
    assert!(!seti.is_present("dave"));
}

/// A user goes back and forth between two nodes that are started again in turn.
#[tokio::test]
async fn a_user_that_moves_from_a_node_that_dies_is_found_where_it_is() {
    let hub = CloudHub::default();
    let mut lives = 0;
    let mut here = node(&hub, "a", &url("a")).await;
    let (mut seti, _) = start(&here).await;
    for round in 0..4 {
        let person = Person::on(&here).await;
        seti.associate("dave", &person.session).unwrap();
        lives += 1;
        let at = url(if round % 2 == 0 { "b" } else { "a" });
        let next = node(&hub, &format!("life {lives}"), &at).await;
        let (there, heard) = start(&next).await;
        heard.was_told("+dave", 1).await;
        here.stop().await;
        heard.was_told("-dave", 1).await;
        let person = Person::on(&next).await;
        there.associate("dave", &person.session).unwrap();
        assert_eq!((there.presence_count("dave"), there.association_count("dave")), (1, 1));
        let sent = there.send_message("dave", CHANNEL, &round).await.unwrap();
        assert_eq!((sent.sessions, sent.nodes), (1, 0));
        person.has(1).await;
        there.disassociate("dave", &person.session);
        (here, seti) = (next, there);
    }
}

#[tokio::test]
async fn two_nodes_whose_urls_differ_in_signs_alone_are_not_of_one_cloud() {
    let hub = CloudHub::default();
    let first = node(&hub, "a", "http://a-b/cometd").await;
    let (seti, heard) = start(&first).await;
    let second = node(&hub, "b", "http://a.b/cometd").await;
    eventually("both to join", || second.comets().len() == 1).await;
    let error = Seti::start(&second).await.unwrap_err();
    assert!(matches!(error, StartSetiError::Collision { .. }));
    assert_eq!(
        error.to_string(),
        "the URLs http://a.b/cometd and http://a-b/cometd make the same Seti id, http_a_b_cometd"
    );
    eventually("it to be counted", || seti.statistics().collisions == 1).await;
    let said = json!({ "userIds": ["u"], "oortURL": "http://a.b/cometd", "presence": true });
    second.broadcast(Message::with_data("/seti/all", said)).await.unwrap();
    eventually("what it says to be refused", || seti.statistics().refused == 1).await;
    assert!(heard.all().is_empty() && seti.user_ids().is_empty());
}

#[tokio::test]
async fn a_node_has_one_seti() {
    let hub = CloudHub::default();
    let oort = node(&hub, "a", &url("a")).await;
    let (_far, heard) = start(&node(&hub, "b", &url("b")).await).await;
    let first = Seti::start(&oort).await.unwrap();
    let person = Person::on(&oort).await;
    first.associate("dave", &person.session).unwrap();
    heard.was_told("+dave", 1).await;
    assert!(matches!(Seti::start(&oort).await, Err(StartSetiError::Taken(_))));
    // The first goes on, and nobody hears of the second.
    first.associate("ann", &person.session).unwrap();
    heard.was_told("+ann", 1).await;
    assert_eq!(heard.count("-"), 0);
    drop(first);
    heard.was_told("-", 2).await;
    eventually("the place to be free", || {
        futures_util::FutureExt::now_or_never(Seti::start(&oort)).is_some_and(|it| it.is_ok())
    })
    .await;
}

/// By a clock that goes on when nothing else is left to do.
#[tokio::test(start_paused = true)]
async fn a_start_waits_a_second_for_the_one_before_and_no_longer() {
    let oort = node(&CloudHub::default(), "a", &url("a")).await;
    let _first = Seti::start(&oort).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert!(matches!(Seti::start(&oort).await, Err(StartSetiError::Taken(_))));
    let waited = begun.elapsed();
    assert!(waited >= SECOND && waited < 2 * SECOND, "{waited:?}");
}

#[tokio::test]
async fn a_node_that_has_left_the_cloud_starts_none() {
    let oort = node(&CloudHub::default(), "a", &url("a")).await;
    oort.stop().await;
    assert_eq!(Seti::start(&oort).await.unwrap_err(), StartSetiError::Stopped);
}
