//! A listener that is added hears of nothing that happened before, though others are still to be told of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, CometListener, Info, Oort, OortObject, OortStringMap, PrimaryListener, Role,
    object::{Entries, Entry, EntryListener, OortObjectListener},
};
use bayeux_server::Server;
use tests::{cloud_hub::CloudHub, cluster::Events, eventually, hooks::Log};
use tokio::sync::Semaphore;

use crate::{primary::service, told::Told, wire::nodes};

/// Takes as long as it is to, for each thing that it hears.
#[derive(Debug)]
struct Slow {
    heard: AtomicUsize,
    goes_on: Semaphore,
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self { heard: AtomicUsize::new(0), goes_on: Semaphore::new(0) })
    }

    async fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        // An error is that it goes on for good.
        let _ = self.goes_on.acquire().await;
    }

    /// Waits until it has heard so much.
    async fn has_heard(&self, count: usize) {
        let what = format!("{count} things to be told to the slow one");
        eventually(&what, || self.heard.load(Ordering::Relaxed) == count).await;
    }

    fn goes_on(&self) {
        self.goes_on.close();
    }
}

#[async_trait]
impl CometListener for Slow {
    async fn comet_joined(&self, _comet: &Comet) {
        self.hear().await;
    }

    async fn comet_left(&self, _comet: &Comet) {
        self.hear().await;
    }
}

#[async_trait]
impl<T: Send + Sync> OortObjectListener<T> for Slow {
    async fn updated(&self, _old: Option<&Info<T>>, _new: &Info<T>) {
        self.hear().await;
    }
}

#[async_trait]
impl EntryListener<String, u64> for Slow {
    async fn put(&self, _info: &Info<Entries<String, u64>>, _entry: &Entry<String, u64>) {
        self.hear().await;
    }
}

#[async_trait]
impl PrimaryListener for Slow {
    async fn primary_changed(&self, _primary: Option<&Comet>) {
        self.hear().await;
    }
}

/// Starts one more node of a cloud, and waits until another knows of it.
async fn joins(hub: &CloudHub, id: &str, here: &Oort) -> Oort {
    let url = format!("http://{id}");
    let oort = Oort::start(&Server::new(), hub.cloud(id, &url)).await.unwrap();
    eventually("it to join", || here.comet(&url).is_some()).await;
    // The clock stands still: whoever has something to do has done it then.
    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    oort
}

/// Has a listener that is slow hear that a node joined, while another leaves and a third one joins.
async fn nodes_come_and_go(hub: &CloudHub, here: &Oort, slow: &Slow) -> [Oort; 2] {
    let gone = here.comets().len();
    let joined = joins(hub, "joined", here).await;
    slow.has_heard(1).await;
    hub.lose("http://here", "http://gone");
    let other = joins(hub, "other", here).await;
    assert_eq!(here.comets().len(), gone + 1);
    [joined, other]
}

#[tokio::test(start_paused = true)]
async fn one_beside_a_slow_one_hears_of_no_node_that_came_or_left_before() {
    let hub = CloudHub::default();
    let here = Oort::start(&Server::new(), hub.cloud("here", "http://here")).await.unwrap();
    let _gone = joins(&hub, "gone", &here).await;
    let (slow, late) = (Slow::new(), Arc::new(Events::default()));
    here.add_comet_listener(slow.clone()).keep();
    let _there = nodes_come_and_go(&hub, &here, &slow).await;
    here.add_comet_listener(late.clone()).keep();
    let _last = joins(&hub, "last", &here).await;
    slow.goes_on();
    eventually("the last to be told", || late.count("joined http://last") == 1).await;
    assert_eq!(late.all(), ["joined http://last"]);
}

#[tokio::test(start_paused = true)]
async fn one_in_the_place_of_another_hears_of_no_node_that_came_or_left_before() {
    let hub = CloudHub::default();
    let here = Oort::start(&Server::new(), hub.cloud("here", "http://here")).await.unwrap();
    let _gone = joins(&hub, "gone", &here).await;
    let (stuck, late) = (Slow::new(), Arc::new(Events::default()));
    let former = here.add_comet_listener(stuck.clone());
    let _there = nodes_come_and_go(&hub, &here, &stuck).await;
    drop(former);
    here.add_comet_listener(late.clone()).keep();
    let _last = joins(&hub, "last", &here).await;
    eventually("the last to be told", || late.count("joined http://last") == 1).await;
    assert_eq!(late.all(), ["joined http://last"]);
}

/// What it found there is taken back for it, too, though it is not told at all to those before it.
#[tokio::test(start_paused = true)]
async fn one_that_found_a_node_hears_that_it_leaves_though_it_joined_untold() {
    let hub = CloudHub::default();
    let here = Oort::start(&Server::new(), hub.cloud("here", "http://here")).await.unwrap();
    let slow = Slow::new();
    here.add_comet_listener(slow.clone()).keep();
    let _first = joins(&hub, "first", &here).await;
    slow.has_heard(1).await;
    let second = joins(&hub, "second", &here).await;
    let late = Arc::new(Events::default());
    here.add_comet_listener(late.clone()).keep();
    second.stop().await;
    eventually("it to leave", || here.comets().len() == 1).await;
    slow.goes_on();
    eventually("it to be told", || late.count("left http://second") == 1).await;
    assert_eq!(late.all(), ["left http://second"]);
}

#[tokio::test]
async fn one_beside_a_slow_one_hears_of_no_part_that_was_there_before() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let near = OortObject::start(&a, "parts", 0).await.unwrap();
    let far = OortObject::start(&b, "parts", 0).await.unwrap();
    eventually("each to have all parts", || far.infos().len() == 2).await;
    let (slow, late) = (Slow::new(), Told::new());
    far.add_listener(slow.clone()).keep();
    for value in 1..=3 {
        near.set_and_share(value).await.unwrap().applied().await.unwrap();
    }
    slow.has_heard(1).await;
    far.add_listener(late.clone()).keep();
    assert_eq!(far.infos().iter().map(|info| *info.object()).max(), Some(3));
    near.set_and_share(4).await.unwrap();
    slow.goes_on();
    late.until("other Some(3) to 4").await;
    assert_eq!(late.all(), ["other Some(3) to 4"]);
}

#[tokio::test]
async fn one_beside_a_slow_one_hears_of_no_entry_that_was_there_before() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let near = OortStringMap::<u64>::start(&a, "map").await.unwrap();
    let far = OortStringMap::<u64>::start(&b, "map").await.unwrap();
    eventually("each to have all parts", || far.infos().len() == 2).await;
    let (slow, late) = (Slow::new(), Told::new());
    far.add_entry_listener(slow.clone()).keep();
    for value in 1..=3 {
        near.put_and_share("a".to_owned(), value).await.unwrap().applied().await.unwrap();
    }
    slow.has_heard(1).await;
    far.add_entry_listener(late.clone()).keep();
    near.put_and_share("a".to_owned(), 4).await.unwrap();
    slow.goes_on();
    late.until("other put \"a\" Some(3) Some(4)").await;
    assert_eq!(late.all().len(), 1, "{:?}", late.all());
}

/// Writes down who is primary.
#[derive(Debug, Default)]
struct Primaries(Log);

#[async_trait]
impl PrimaryListener for Primaries {
    async fn primary_changed(&self, primary: Option<&Comet>) {
        self.0.add(primary.map_or("none", Comet::url));
    }
}

#[tokio::test(start_paused = true)]
async fn one_beside_a_slow_one_hears_of_no_primary_that_was_so_before() {
    let [here, a, b] = nodes(&CloudHub::default(), ["here", "a", "b"]).await;
    let own = service(&here, Role::Secondary).await;
    let (slow, late) = (Slow::new(), Arc::new(Primaries::default()));
    own.add_listener(slow.clone()).keep();
    let first = service(&a, Role::Primary).await;
    slow.has_heard(1).await;
    first.stop().await;
    let second = service(&b, Role::Primary).await;
    eventually("the second to be primary", || own.primary().as_ref() == Some(b.own())).await;
    own.add_listener(late.clone()).keep();
    slow.goes_on();
    slow.has_heard(2).await;
    second.stop().await;
    late.0.until("none").await;
    assert_eq!(late.0.entries(), ["none"]);
}

/// What those before it hear of the primary at once, it hears from where it came.
#[tokio::test(start_paused = true)]
async fn one_that_found_a_primary_hears_that_it_is_none_any_more() {
    let [here, a] = nodes(&CloudHub::default(), ["here", "a"]).await;
    let own = service(&here, Role::Secondary).await;
    let (slow, late) = (Slow::new(), Arc::new(Primaries::default()));
    own.add_listener(slow.clone()).keep();
    let first = service(&a, Role::Primary).await;
    slow.has_heard(1).await;
    first.stop().await;
    eventually("it to be none", || own.primary().is_none()).await;
    let again = service(&a, Role::Primary).await;
    eventually("it to be primary", || own.primary().is_some()).await;
    own.add_listener(late.clone()).keep();
    again.stop().await;
    eventually("it to be none", || own.primary().is_none()).await;
    slow.goes_on();
    late.0.until("none").await;
    assert_eq!(late.0.entries(), ["none"]);
}
