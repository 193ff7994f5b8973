//! Values that are many, and values whose own code goes wrong.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use bayeux_oort::{Oort, OortObject, OortStringMap, ShareError};
use bayeux_server::Server;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use tests::{cloud_hub::CloudHub, eventually, within};

use crate::nodes::{Nodes, Stranger};

/// So many that they are worked on by a thread of its own.
const MANY: usize = 1000;

/// How many values of a test there are.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug, Serialize)]
struct Alive(usize);

impl Alive {
    fn new(number: usize) -> Self {
        ALIVE.fetch_add(1, SeqCst);
        Self(number)
    }
}

impl Clone for Alive {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
    }
}

impl<'de> Deserialize<'de> for Alive {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        usize::deserialize(from).map(Self::new)
    }
}

#[test]
fn a_large_map_that_is_put_into_needs_no_other_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (_hub, nodes) = Nodes::start(1).await;
        let map = OortStringMap::start(&nodes.oorts[0], "m").await.unwrap();
        let entries = (0..MANY).map(|number| (number.to_string(), Alive::new(number)));
        drop(map.set_and_share(entries).await.unwrap());
        eventually("the empty map to go", || ALIVE.load(SeqCst) == MANY).await;
        // The one thread for long work has other things to do.
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || waits.recv());
        for number in 0..100 {
            drop(map.put_and_share("1".to_owned(), Alive::new(number)).await.unwrap());
        }
        let are_gone = || ALIVE.load(SeqCst) == MANY;
        eventually("what was replaced to go", are_gone).await;
        drop(go_on);
        busy.await.unwrap().unwrap_err();
    });
}

/// How often values were written.
static WRITTEN: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Debug, Deserialize)]
struct Counted(usize);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        WRITTEN.fetch_add(1, SeqCst);
        self.0.serialize(to)
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_part_is_written_once_for_all_that_need_it_soon() {
    let hub = CloudHub::default();
    let mut nodes = Nodes::on(&hub, 1).await;
    let first = OortStringMap::start(&nodes.oorts[0], "m").await.unwrap();
    let entries = (0..MANY).map(|number| (number.to_string(), Counted(number)));
    first.set_and_share(entries).await.unwrap();
    let mut others = Vec::new();
    for (id, written) in [("1", MANY), ("2", MANY), ("3", 2 * MANY)] {
        if id == "3" {
            // Nobody needs it any more.
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        let cloud = hub.cloud(id, &format!("http://{id}"));
        nodes.oorts.push(Oort::start(&Server::new(), cloud).await.unwrap());
        let oort = nodes.oorts.last().unwrap();
        let other = OortStringMap::<Counted>::start(oort, "m").await.unwrap();
        let has_all = || other.info("http://0").is_some_and(|info| info.object().len() == MANY);
        eventually("the map", has_all).await;
        assert_eq!(WRITTEN.load(SeqCst), written);
        others.push(other);
    }
}

/// A value that cannot be written as long as its switch is on.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Fragile<const SWITCH: usize>(i64);

static ARE_FRAGILE: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

impl<const SWITCH: usize> Serialize for Fragile<SWITCH> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        assert!(!ARE_FRAGILE[SWITCH].load(SeqCst), "it is fragile");
        self.0.serialize(to)
    }
}

fn set_fragile<const SWITCH: usize>(is_fragile: bool) {
    ARE_FRAGILE[SWITCH].store(is_fragile, SeqCst);
}

#[tokio::test]
async fn a_value_that_panics_is_not_shared_and_nothing_is_changed() {
    let (_hub, nodes) = Nodes::start(2).await;
    let few = OortObject::start(&nodes.oorts[0], "few", Fragile::<0>(1)).await.unwrap();
    let many = OortStringMap::start(&nodes.oorts[0], "many").await.unwrap();
    let other = OortObject::start(&nodes.oorts[1], "few", Fragile::<0>(0)).await.unwrap();
    set_fragile::<0>(true);
    let set = within("it to fail", few.set_and_share(Fragile(2))).await;
    assert!(matches!(set, Err(ShareError::Panicked)), "{set:?}");
    let entries = (0..MANY).map(|number| (number.to_string(), Fragile::<0>(1)));
    let set = within("it to fail", many.set_and_share(entries)).await;
    assert!(matches!(set, Err(ShareError::Panicked)), "{set:?}");
    let put = within("it to fail", many.put_and_share("a".to_owned(), Fragile(1))).await;
    assert!(matches!(put, Err(ShareError::Panicked)), "{put:?}");
    set_fragile::<0>(false);
    assert_eq!((few.get(), many.own_info().object().len()), (Fragile(1), 0));
    few.set_and_share(Fragile(3)).await.unwrap();
    let has_it = || other.info("http://0").is_some_and(|info| *info.object() == Fragile(3));
    eventually("what is good to be shared", has_it).await;
}

#[tokio::test(start_paused = true)]
async fn a_part_that_panics_when_it_is_sent_to_a_node_is_sent_again() {
    let hub = CloudHub::default();
    let mut nodes = Nodes::on(&hub, 1).await;
    set_fragile::<1>(true);
    let one = OortObject::start(&nodes.oorts[0], "o", Fragile::<1>(1)).await.unwrap();
    nodes.oorts.push(Oort::start(&Server::new(), hub.cloud("1", "http://1")).await.unwrap());
    let other = OortObject::start(&nodes.oorts[1], "o", 0_i64).await.unwrap();
    eventually("the push to fail", || one.statistics().failed_pushes >= 1).await;
    set_fragile::<1>(false);
    eventually("the part", || other.info("http://0").is_some()).await;
}

#[tokio::test(start_paused = true)]
async fn a_part_that_panics_when_it_is_sent_to_all_holds_up_no_other_change() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let one = OortObject::start(&nodes.oorts[0], "o", Fragile::<2>(1)).await.unwrap();
    let other = OortObject::start(&nodes.oorts[1], "o", 0_i64).await.unwrap();
    eventually("the part", || other.info("http://0").is_some()).await;
    let stranger = Stranger::join(&hub, "o").await;
    stranger.send(nodes.oorts[0].own(), &json!({ "version": 1, "object": 1 })).await;
    eventually("the stranger's", || one.info("http://stranger").is_some()).await;
    set_fragile::<2>(true);
    // The second asks for what the first has not brought: all are sent it.
    for _ in 0..2 {
        stranger.send(nodes.oorts[0].own(), &json!({ "action": "oort.object.pull" })).await;
    }
    eventually("the broadcast to fail", || one.statistics().failed_broadcasts == 1).await;
    set_fragile::<2>(false);
    one.set_and_share(Fragile(2)).await.unwrap();
    let has_it = || other.info("http://0").is_some_and(|info| *info.object() == 2);
    eventually("what is good to be shared", has_it).await;
}
