//! A listener that is added hears of nobody who came or went before, though others are still to be told of it.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_oort::Oort;
use bayeux_server::Server;
use bayeux_seti::{Presence, PresenceListener, Seti};
use tests::{cloud_hub::CloudHub, eventually, hooks::Log};
use tokio::sync::Semaphore;

use crate::people::{Heard, Person};

/// Takes as long as it is to, for each user of whom it hears.
#[derive(Debug)]
struct Slow {
    heard: Log,
    goes_on: Semaphore,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self { heard: Log::default(), goes_on: Semaphore::new(0) })
    }

    async fn hear(&self, presence: &Presence) {
        self.heard.add(presence.user_id());
        // An error is that it goes on for good.
        let _ = self.goes_on.acquire().await;
    }
}

#[async_trait]
impl PresenceListener for Slow {
    async fn added(&self, presence: &Presence) {
        self.hear(presence).await;
    }

    async fn removed(&self, presence: &Presence) {
        self.hear(presence).await;
    }
}

async fn alone() -> (Seti, Person) {
    let cloud = CloudHub::default().cloud("a", "http://a:8080/cometd");
    let oort = Oort::start(&Server::new(), cloud).await.unwrap();
    let seti = Seti::start(&oort).await.unwrap();
    (seti, Person::on(&oort).await)
}

/// Has a listener that is slow hear of ann, while one user goes and dave comes.
async fn users_come_and_go(seti: &Seti, person: &Person, slow: &Slow) {
    seti.associate("ann", &person.session).unwrap();
    slow.heard.until("ann").await;
    assert!(seti.disassociate("gone", &person.session));
    seti.associate("dave", &person.session).unwrap();
}

async fn hears_of_the_last_alone(seti: &Seti, person: &Person, late: &Heard) {
    let there: Vec<_> = seti.user_ids().iter().map(ToString::to_string).collect();
    assert_eq!(there, ["ann", "dave"]);
    seti.associate("last", &person.session).unwrap();
    seti.disassociate("dave", &person.session);
    late.was_told("-dave", 1).await;
    let url = "http://a:8080/cometd here";
    assert_eq!(late.all(), [format!("+last@{url}"), format!("-dave@{url}")]);
}

#[tokio::test]
async fn one_beside_a_slow_one_hears_of_nobody_who_came_or_went_before() {
    let (seti, person) = alone().await;
    seti.associate("gone", &person.session).unwrap();
    let (slow, late) = (Slow::new(), Arc::new(Heard::default()));
    seti.add_presence_listener(slow.clone()).keep();
    users_come_and_go(&seti, &person, &slow).await;
    seti.add_presence_listener(late.clone()).keep();
    slow.goes_on.close();
    hears_of_the_last_alone(&seti, &person, &late).await;
    eventually("all to be told", || slow.heard.count("dave") == 2).await;
}

#[tokio::test]
async fn one_in_the_place_of_another_hears_of_nobody_who_came_or_went_before() {
    let (seti, person) = alone().await;
    seti.associate("gone", &person.session).unwrap();
    let (stuck, late) = (Slow::new(), Arc::new(Heard::default()));
    let former = seti.add_presence_listener(stuck.clone());
    users_come_and_go(&seti, &person, &stuck).await;
    drop(former);
    seti.add_presence_listener(late.clone()).keep();
    hears_of_the_last_alone(&seti, &person, &late).await;
}
