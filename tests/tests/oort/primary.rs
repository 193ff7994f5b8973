//! What one node does for all: which one that is, and what becomes of it.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails a test")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_oort::{
    Answer, Comet, ElectionConfig, Oort, OortObject, OortPrimaryLong, OortPrimaryService,
    Participant, PrimaryListener, Request, Role, ServiceConfig, ServiceError,
    api::{ChannelId, Json, Message, Registration, implement::lock},
};
use bayeux_server::Server;
use serde_json::{Value, json};
use tests::{
    AGES,
    cloud_hub::CloudHub,
    cloud_scene::{Joint, Scene},
    eventually,
    hooks::Log,
    over_every_cloud, within,
};

const NAME: &str = "ids";

fn url(id: &str) -> String {
    format!("http://{id}:8080/cometd")
}

async fn node(hub: &CloudHub, id: &str) -> Oort {
    Oort::start(&Server::new(), hub.cloud(id, &url(id))).await.unwrap()
}

async fn nodes<const N: usize>(hub: &CloudHub, ids: [&str; N]) -> [Oort; N] {
    let mut nodes = Vec::new();
    for id in ids {
        nodes.push(node(hub, id).await);
    }
    nodes.try_into().unwrap()
}

/// Waits so long for answers that no test is helped by the end of a time.
fn patient() -> ServiceConfig {
    let mut config = ServiceConfig::default();
    (config.timeout, config.handler_timeout) = (AGES, AGES);
    config
}

async fn long(oort: &Oort, role: Role, initial: i64) -> OortPrimaryLong {
    OortPrimaryLong::start_with(oort, NAME, role, patient(), initial).await.unwrap()
}

/// A service that says which node did it.
async fn service(oort: &Oort, role: Role) -> OortPrimaryService {
    let own = oort.own().url().to_owned();
    let handler = move |_: Request| std::future::ready(Answer::success(own.clone()));
    OortPrimaryService::start_with(oort, NAME, role, patient(), handler).await.unwrap()
}

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

/// The other end of the wire, which writes down what comes.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<Mutex<Vec<(String, Json)>>>);

impl Wire {
    fn of(oort: &Oort, channels: &[&str]) -> (Self, Registration) {
        let wire = Self::default();
        let channels: Vec<_> = channels.iter().map(|one| ChannelId::new(one).unwrap()).collect();
        let registration = oort.add_participant(&channels, Arc::new(wire.clone())).unwrap();
        (wire, registration)
    }

    /// Waits for a message on `channel`.
    async fn next(&self, channel: &str) -> Value {
        let find = || lock(&self.0).iter().position(|(one, _)| one == channel);
        eventually("a message", || find().is_some()).await;
        let index = find().unwrap();
        lock(&self.0).remove(index).1.value()
    }
}

#[async_trait]
impl Participant for Wire {
    async fn received(&self, _from: &Comet, message: Message) {
        lock(&self.0).push((message.channel().to_owned(), message.data.clone().unwrap()));
    }
}

async fn all_count_with_the_number_of_the_primary(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let primary = long(scene.oort(0), Role::Primary, 3).await;
    let other = long(scene.oort(1), Role::Secondary, 0).await;
    eventually("the primary to be known", || other.primary().is_some()).await;
    assert_eq!(other.primary().as_ref(), Some(scene.oort(0).own()));
    assert_eq!((primary.is_primary(), other.is_primary()), (true, false));
    for number in [&primary, &other] {
        let before = number.get().await.unwrap();
        assert_eq!(number.get_and_add(1).await, Ok(before));
        assert_eq!(number.add_and_get(2).await, Ok(before + 3));
        assert_eq!(number.add_and_get(-2).await, Ok(before + 1));
    }
    assert_eq!(primary.value(), 5);
    assert_eq!(other.value(), 0);
}

over_every_cloud!(all_count_with_the_number_of_the_primary);

#[tokio::test]
async fn without_a_primary_it_fails_at_once() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let (one, _other) = (long(&a, Role::Secondary, 3).await, long(&b, Role::Secondary, 3).await);
    assert_eq!(within("a failure", one.get()).await, Err(ServiceError::Nobody));
    assert_eq!(one.primary(), None);
}

#[tokio::test]
async fn a_node_that_is_not_primary_ignores_what_it_is_asked() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let primary = service(&a, Role::Primary).await;
    let other = service(&b, Role::Secondary).await;
    eventually("the nodes to join", || !a.comets().is_empty() && !b.comets().is_empty()).await;
    let alone = primary.service().forward_json(Some(&url("b")), "P").await;
    assert_eq!(alone, Err(ServiceError::Failure(json!(null).into())));
    assert_eq!(other.service().forward_json(None, "P").await, Ok(url("a").into()));
}

#[tokio::test]
async fn a_primary_is_on_the_wire_as_one_of_cometd_is() {
    let hub = CloudHub::default();
    let [a, b] = nodes(&hub, ["a", "b"]).await;
    let channels =
        ["/oort/objects/ids", "/service/oort/objects/ids", "/service/oort/service/ids/result"];
    let (wire, _registration) = Wire::of(&b, &channels);
    let _primary = long(&a, Role::Primary, 3).await;
    let pushed = wire.next("/service/oort/objects/ids").await;
    assert_eq!(pushed["oort.info.url"], url("a"));
    assert_eq!(pushed["oort.info.name"], "ids");
    assert_eq!(pushed["oort.info.object"], true);
    assert!(pushed["oort.info.version"].is_number());
    for (delta, result, data) in [
        (json!(2), true, json!(3)),
        (json!(0.0), true, json!(5)),
        (json!("2"), false, json!("what is to be added is no whole number of 64 bits")),
    ] {
        let request = json!({
            "oort.service.id": 7,
            "oort.service.url": url("b"),
            "oort.service.parameter": delta,
        });
        let message = Message::with_data("/service/oort/service/ids", request);
        b.send(a.own(), message).await.unwrap();
        let answer = json!({
            "oort.service.id": 7,
            "oort.service.url": url("a"),
            "oort.service.result": result,
            "oort.service.data": data,
        });
        assert_eq!(wire.next("/service/oort/service/ids/result").await, answer);
    }
}

#[tokio::test]
async fn a_primary_of_cometd_is_asked() {
    let hub = CloudHub::default();
    let [a, b] = nodes(&hub, ["a", "b"]).await;
    let (wire, _registration) = Wire::of(&b, &["/service/oort/service/ids"]);
    let number = long(&a, Role::Secondary, 0).await;
    eventually("the nodes to join", || !a.comets().is_empty()).await;
    let part = json!({
        "oort.info.url": url("b"),
        "oort.info.name": "ids",
        "oort.info.object": true,
        "oort.info.version": 1,
        "oort.info.action": "oort.object.push",
    });
    b.send(a.own(), Message::with_data("/service/oort/objects/ids", part)).await.unwrap();
    eventually("the primary to be known", || number.primary().is_some()).await;
    let asking = number.clone();
    let asked = tokio::spawn(async move { asking.add_and_get(2).await });
    let request = json!({
        "oort.service.id": 1,
        "oort.service.url": url("a"),
        "oort.service.parameter": 2,
    });
    assert_eq!(wire.next("/service/oort/service/ids").await, request);
    let result = json!({
        "oort.service.id": 1,
        "oort.service.url": url("b"),
        "oort.service.result": true,
        "oort.service.data": 40.0,
    });
    let message = Message::with_data("/service/oort/service/ids/result", result);
    b.send(a.own(), message).await.unwrap();
    assert_eq!(within("the number", asked).await.unwrap(), Ok(42));
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
