//! What is missed is made good.

use std::time::Duration;

use bayeux_oort::Oort;
use bayeux_server::Server;
use tests::{TestNode, cloud_hub::CloudHub, eventually, scripted::Link};

use crate::people::{Person, start};

fn url(id: &str) -> String {
    format!("http://{id}:8080/cometd")
}

/// What is announced and lost, nobody knows: it is found by what all users come to.
#[tokio::test(start_paused = true)]
async fn what_a_node_of_ours_missed_is_found() {
    for is_late in [false, true] {
        let hub = CloudHub::default();
        let a = Oort::start(&Server::new(), hub.cloud("a", &url("a"))).await.unwrap();
        let b = Oort::start(&Server::new(), hub.cloud("b", &url("b"))).await.unwrap();
        eventually("both to join", || a.comets().len() == 1 && b.comets().len() == 1).await;
        // Whoever starts later was not told that the other observes.
        let (one, (other, heard)) = match is_late {
            false => (start(&a).await.0, start(&b).await),
            true => {
                let other = start(&b).await;
                // This is over when nothing is left to do.
                tokio::time::sleep(Duration::from_secs(1)).await;
                (start(&a).await.0, other)
            }
        };
        let person = Person::on(&a).await;
        one.associate("known", &person.session).unwrap();
        eventually("them to know each other", || other.is_present("known")).await;
        hub.set_filter(|_, _, message| message.channel() != "/seti/all");
        one.associate("missed", &person.session).unwrap();
        one.disassociate("known", &person.session);
        let is_found = || other.is_present("missed") && !other.is_present("known");
        eventually("it to be found", is_found).await;
        eventually("it to be told", || heard.all().len() == 3).await;
        assert_eq!((heard.count("+missed"), heard.count("-known")), (1, 1));
        assert!(other.statistics().repairs > 0);
    }
}

/// A break that is short: nobody leaves, and what was said meanwhile comes.
#[tokio::test]
async fn after_a_short_break_of_the_connections_each_knows_who_is_there() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let (near, far) = (Link::to(nowhere).await, Link::to(nowhere).await);
    let one = TestNode::behind(&near, |_| {}).await;
    let other = TestNode::behind(&far, |_| {}).await;
    one.mesh.observe_comet(&far.url()).unwrap();
    one.has_joined(1).await;
    other.has_joined(1).await;
    let ((seti, _), (remote, heard)) = (start(&one.oort).await, start(&other.oort).await);
    let person = Person::on(&one.oort).await;
    seti.associate("dave", &person.session).unwrap();
    heard.was_told("+dave", 1).await;
    for link in [&near, &far] {
        link.refuse(true);
        link.cut();
    }
    seti.disassociate("dave", &person.session);
    seti.associate("ann", &person.session).unwrap();
    for link in [&near, &far] {
        link.refuse(false);
    }
    heard.was_told("+ann", 1).await;
    heard.was_told("-dave", 1).await;
    assert!(remote.is_present("ann") && !remote.is_present("dave"));
    assert_eq!((one.events.count("left"), other.events.count("left")), (0, 0));
}
