//! What one node does for all, where that one is elected: who becomes it, and what becomes of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, ElectionConfig, Oort, OortObject, OortPrimaryService, PrimaryListener, Role,
    ServiceError, api::Message,
};
use serde_json::json;
use tests::{AGES, cloud_hub::CloudHub, eventually, hooks::Log, within};

use crate::{
    primary::{NAME, service},
    wire::{node, nodes, url},
};

/// One that becomes primary soon, with time enough for others to say what they are.
async fn candidate(oort: &Oort) -> OortPrimaryService {
    service(oort, with(Duration::from_secs(1), 1)).await
}

/// One that does not become primary as long as there is another.
async fn reserve(oort: &Oort) -> OortPrimaryService {
    service(oort, with(AGES, 1)).await
}

fn with(patience: Duration, quorum: usize) -> Role {
    let mut config = ElectionConfig::default();
    (config.patience, config.quorum) = (patience, quorum);
    Role::Candidate(config)
}

async fn agree(services: &[&OortPrimaryService], on: Option<&str>) {
    let on = on.map(url);
    let sees = |it: &OortPrimaryService| {
        it.primary().map(|comet| comet.url().to_owned()) == on
            && it.is_primary() == (Some(it.service().oort().own().url()) == on.as_deref())
    };
    let what = format!("all to see {on:?} as primary");
    eventually(&what, || services.iter().all(|it| sees(it))).await;
}

#[derive(Debug)]
struct Tells(Log);

#[async_trait]
impl PrimaryListener for Tells {
    async fn became_primary(&self) {
        self.0.add("became");
    }

    async fn ceased_to_be_primary(&self) {
        self.0.add("ceased");
    }

    async fn primary_changed(&self, primary: Option<&Comet>) {
        self.0.add(primary.map_or("none", Comet::id));
    }
}

fn log(service: &OortPrimaryService) -> Log {
    let log = Log::default();
    service.add_listener(Arc::new(Tells(log.clone()))).keep();
    log
}

#[tokio::test]
async fn the_candidates_elect_one_and_all_ask_it() {
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let first = candidate(&a).await;
    agree(&[&first], Some("a")).await;
    let services = [first, candidate(&b).await, service(&c, Role::Secondary).await];
    agree(&[&services[0], &services[1], &services[2]], Some("a")).await;
    for service in &services {
        assert_eq!(within("a result", service.forward::<String>("P")).await, Ok(url("a")));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_later_leaves_the_primary_as_it_is() {
    let hub = CloudHub::default();
    let b = node(&hub, "b").await;
    let first = candidate(&b).await;
    agree(&[&first], Some("b")).await;
    let told = log(&first);
    let a = node(&hub, "a").await;
    let second = candidate(&a).await;
    let second_told = log(&second);
    agree(&[&first, &second], Some("b")).await;
    // By the clock of the test: long enough for the newcomer to make a claim, if it would.
    tokio::time::sleep(Duration::from_secs(60)).await;
    agree(&[&first, &second], Some("b")).await;
    assert_eq!(told.entries(), [] as [&str; 0]);
    assert!(!second_told.entries().contains(&"became".to_owned()));
}

#[tokio::test]
async fn when_the_primary_leaves_the_others_elect_another_one() {
    let hub = CloudHub::default();
    let [a, b, c] = nodes(&hub, ["a", "b", "c"]).await;
    let first = candidate(&a).await;
    agree(&[&first], Some("a")).await;
    let (second, third) = (candidate(&b).await, reserve(&c).await);
    agree(&[&first, &second, &third], Some("a")).await;
    let (second_told, third_told) = (log(&second), log(&third));
    a.stop().await;
    agree(&[&second, &third], Some("b")).await;
    second_told.until("b").await;
    third_told.until("b").await;
    let entries = second_told.entries();
    assert_eq!(entries[entries.len() - 2..], ["became", "b"]);
    assert!(!third_told.entries().contains(&"became".to_owned()));
    assert_eq!(within("a result", third.forward::<String>("P")).await, Ok(url("b")));
}

#[tokio::test]
async fn each_side_of_a_partition_has_a_primary_and_one_steps_down_when_it_heals() {
    let hub = CloudHub::default();
    let [a, b, c] = nodes(&hub, ["a", "b", "c"]).await;
    let first = candidate(&a).await;
    agree(&[&first], Some("a")).await;
    let (second, third) = (candidate(&b).await, reserve(&c).await);
    agree(&[&first, &second, &third], Some("a")).await;
    let (first_told, second_told) = (log(&first), log(&second));
    for other in ["b", "c"] {
        hub.cut(&url("a"), &url(other));
    }
    agree(&[&second, &third], Some("b")).await;
    assert!(first.is_primary());
    second_told.until("b").await;
    for other in ["b", "c"] {
        hub.heal(&url("a"), &url(other));
    }
    agree(&[&first, &second, &third], Some("a")).await;
    second_told.until("a").await;
    let entries = second_told.entries();
    assert_eq!(entries[entries.len() - 2..], ["ceased", "a"]);
    assert_eq!(first_told.entries(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_primary_that_ends_hands_over_at_once() {
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let first = candidate(&a).await;
    agree(&[&first], Some("a")).await;
    let (second, third) = (candidate(&b).await, service(&c, Role::Secondary).await);
    agree(&[&first, &second, &third], Some("a")).await;
    let told = log(&first);
    within("the end", first.stop()).await;
    assert!(!first.is_primary());
    agree(&[&second, &third], Some("b")).await;
    told.until("ceased").await;
    assert_eq!(within("a failure", first.forward::<String>("P")).await, Err(ServiceError::Nobody));
    assert_eq!(within("a result", third.forward::<String>("P")).await, Ok(url("b")));
}

#[tokio::test]
async fn a_primary_whose_last_handle_goes_hands_over_too() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let first = candidate(&a).await;
    agree(&[&first], Some("a")).await;
    let second = candidate(&b).await;
    agree(&[&first, &second], Some("a")).await;
    drop(first);
    agree(&[&second], Some("b")).await;
}

#[tokio::test]
async fn one_that_is_set_to_be_primary_replaces_one_that_is_elected() {
    let hub = CloudHub::default();
    let [a, b] = nodes(&hub, ["a", "b"]).await;
    let first = candidate(&a).await;
    agree(&[&first], Some("a")).await;
    let second = candidate(&b).await;
    agree(&[&first, &second], Some("a")).await;
    let j = node(&hub, "j").await;
    // As CometD's is.
    let object = OortObject::start(&j, NAME, true).await.unwrap();
    eventually("it to be seen", || {
        [&first, &second].iter().all(|it| it.primary().as_ref() == Some(j.own()))
    })
    .await;
    assert!(!first.is_primary());
    eventually("it to be the only one", || {
        object.infos().iter().filter(|info| *info.object()).count() == 1
    })
    .await;
    j.stop().await;
    agree(&[&first, &second], Some("a")).await;
}

#[tokio::test]
async fn a_primary_without_a_quorum_steps_down() {
    let hub = CloudHub::default();
    let [a, b, c] = nodes(&hub, ["a", "b", "c"]).await;
    let role = || with(Duration::from_secs(1), 2);
    let (first, second) = (service(&a, role()).await, service(&b, role()).await);
    agree(&[&first, &second], Some("a")).await;
    let third = service(&c, with(AGES, 2)).await;
    agree(&[&first, &second, &third], Some("a")).await;
    hub.cut(&url("a"), &url("b"));
    hub.cut(&url("a"), &url("c"));
    agree(&[&second, &third], Some("b")).await;
    agree(&[&first], None).await;
    hub.heal(&url("a"), &url("b"));
    hub.heal(&url("a"), &url("c"));
    agree(&[&first, &second, &third], Some("b")).await;
}

#[tokio::test]
async fn what_is_said_in_wrong_types_elects_nobody() {
    let hub = CloudHub::default();
    let [a, b] = nodes(&hub, ["a", "b"]).await;
    let first = candidate(&a).await;
    eventually("the nodes to join", || !a.comets().is_empty()).await;
    let strange = [
        json!(null),
        json!("true"),
        json!([true]),
        json!({ "candidate": 1 }),
        json!({ "candidate": true, "since": -1 }),
        json!({ "candidate": true, "since": "x" }),
    ];
    for (version, object) in (1..).zip(&strange) {
        for name in [NAME.to_owned(), format!("{NAME}.election")] {
            let part = json!({
                "oort.info.url": url("b"),
                "oort.info.name": name,
                "oort.info.object": object,
                "oort.info.version": version,
                "oort.info.action": "oort.object.push",
            });
            let channel = format!("/service/oort/objects/{name}");
            b.send(a.own(), Message::with_data(channel, part)).await.unwrap();
        }
    }
    agree(&[&first], Some("a")).await;
    let second = candidate(&b).await;
    agree(&[&first, &second], Some("a")).await;
}

#[derive(Debug)]
struct Panics;

#[async_trait]
impl PrimaryListener for Panics {
    async fn became_primary(&self) {
        panic!("a listener");
    }
}

#[derive(Debug)]
struct Hangs;

#[async_trait]
impl PrimaryListener for Hangs {
    async fn primary_changed(&self, _primary: Option<&Comet>) {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_listener_that_panics_or_hangs_holds_up_no_election() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let first = candidate(&a).await;
    first.add_listener(Arc::new(Panics)).keep();
    let told = log(&first);
    agree(&[&first], Some("a")).await;
    let second = candidate(&b).await;
    second.add_listener(Arc::new(Hangs)).keep();
    agree(&[&first, &second], Some("a")).await;
    told.until("a").await;
    a.stop().await;
    agree(&[&second], Some("b")).await;
    assert_eq!(within("a result", second.forward::<String>("P")).await, Ok(url("b")));
}
