//! `OortMap`: each node has a map that changes entry by entry.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bayeux_oort::{
    Info, Oort, OortLongMap, OortMap, OortStringMap, mergers,
    object::{Entries, Entry, EntryDeltas, EntryListener, MapKey, Shareable},
};
use bayeux_server::api::implement::lock;
use serde_json::json;
use tests::{
    cloud_hub::CloudHub,
    cloud_scene::{Joint, Scene},
    eventually, over_every_cloud, within,
};

use crate::{nodes::Nodes, told::Told};

async fn start<'a, K: MapKey, V: Shareable>(
    oorts: impl Iterator<Item = &'a Oort>,
    name: &str,
) -> Vec<OortMap<K, V>> {
    let mut maps = Vec::new();
    for oort in oorts {
        maps.push(OortMap::start(oort, name).await.unwrap());
    }
    let have_all = || maps.iter().all(|map| map.infos().len() == maps.len());
    eventually("each to have all parts", have_all).await;
    maps
}

fn key(number: usize) -> String {
    format!("key{number:05}")
}

/// Waits until two nodes have the same of the part of the first.
async fn are_equal(maps: &[OortStringMap<i64>], url: &str) {
    let part = |map: &OortStringMap<i64>| map.info(url).map(|info| info.object().to_map());
    eventually("parts to be equal", || part(&maps[0]) == part(&maps[1])).await;
}

async fn entries_that_are_put_are_told_everywhere(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let maps = start::<String, i64>(scene.oorts(), "put").await;
    let told = [Told::new(), Told::new()];
    for (map, told) in maps.iter().zip(&told) {
        map.add_entry_listener(told.clone()).keep();
    }
    let old = maps[0].put_and_share("a".to_owned(), 1).await.unwrap();
    assert_eq!(old.into_value(), None);
    let old = maps[0].put_and_share("a".to_owned(), 2).await.unwrap();
    assert_eq!(old.into_value(), Some(1));
    for (told, of) in told.iter().zip(["own", "other"]) {
        told.count(2).await;
        let first = format!("{of} put \"a\" None Some(1)");
        assert_eq!(told.all(), [first, format!("{of} put \"a\" Some(1) Some(2)")]);
    }
}

async fn entries_that_are_removed_are_told_everywhere(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let maps = start::<String, i64>(scene.oorts(), "removed").await;
    let told = Told::new();
    maps[1].add_entry_listener(told.clone()).keep();
    maps[0].put_and_share("a".to_owned(), 1).await.unwrap();
    let removed = maps[0].remove_and_share("a".to_owned()).await.unwrap();
    assert_eq!(removed.into_value(), Some(1));
    let removed = maps[0].remove_and_share("a".to_owned()).await.unwrap();
    assert_eq!(removed.into_value(), None);
    told.count(3).await;
    let expected =
        ["other put \"a\" None Some(1)", "other removed \"a\" Some(1)", "other removed \"a\" None"];
    assert_eq!(told.all(), expected);
}

async fn what_is_there_is_not_put_if_absent(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let maps = start::<String, i64>(scene.oorts(), "absent").await;
    let told = Told::new();
    maps[1].add_entry_listener(told.clone()).keep();
    for (value, expected) in [(1, None), (2, Some(1))] {
        let there = maps[0].put_if_absent_and_share("a".to_owned(), value).await.unwrap();
        assert_eq!(there.value(), &expected);
        there.applied().await.unwrap();
    }
    told.count(1).await;
    assert_eq!(maps[1].find("a"), Some(1));
    assert_eq!(told.all(), ["other put \"a\" None Some(1)"]);
}

async fn whole_maps_are_told_as_what_is_different(joint: Joint) {
    let mut scene = Scene::start(joint, 2).await;
    let maps = start::<String, i64>(scene.oorts(), "delta").await;
    let told = Told::new();
    maps[0].add_entry_listener(told.clone()).keep();
    maps[0].add_listener(Arc::new(EntryDeltas::new(told.clone()))).keep();
    maps[1].put_and_share("a".to_owned(), 1).await.unwrap();
    maps[1].put_and_share("b".to_owned(), 2).await.unwrap();
    let new = [("b", 2), ("c", 3), ("d", 4)].map(|(key, value)| (key.to_owned(), value));
    let old = maps[1].set_and_share(new).await.unwrap();
    assert_eq!(old.into_value().len(), 2);
    told.count(5).await;
    let put = ["other put \"a\" None Some(1)", "other put \"b\" None Some(2)"];
    let different = [
        "other removed \"a\" Some(1)",
        "other put \"c\" None Some(3)",
        "other put \"d\" None Some(4)",
    ];
    let all = told.take();
    assert_eq!(
        (&all[..2], &all[2..]),
        (&put.map(str::to_owned)[..], &different.map(str::to_owned)[..])
    );
    scene.stop(1).await;
    told.count(3).await;
    let gone = ["b\" Some(2)", "c\" Some(3)", "d\" Some(4)"];
    assert_eq!(told.all(), gone.map(|entry| format!("other removed \"{entry}")));
}

async fn own_entries_are_got_and_those_of_all_found(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let maps = start::<String, i64>(scene.oorts(), "find").await;
    maps[0].put_and_share("a".to_owned(), 1).await.unwrap();
    maps[1].put_and_share("b".to_owned(), 2).await.unwrap().applied().await.unwrap();
    assert_eq!((maps[0].get("a"), maps[0].get("b")), (Some(1), None));
    assert_eq!((maps[0].find("a"), maps[0].find("b"), maps[0].find("c")), (Some(1), Some(2), None));
    assert_eq!(maps[0].find_info("b").unwrap().url(), scene.url(1));
    assert!(maps[0].find_info("c").is_none());
    let union = maps[0].merge(mergers::map_union);
    assert_eq!(union, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
    let own = [("a".to_owned(), 1)].into();
    assert_eq!(maps[0].info_by_object(&own).unwrap().url(), scene.url(0));
}

async fn maps_that_many_change_at_the_same_time_are_equal(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let maps = start::<String, i64>(scene.oorts(), "many").await;
    let told = Told::new();
    maps[1].add_entry_listener(told.clone()).keep();
    let tasks = (0..64_usize).map(|task| {
        let map = maps[0].clone();
        tokio::spawn(async move {
            for number in 0..32 {
                map.put_and_share(key(task * 32 + number), 1).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within("a task", task).await.unwrap();
    }
    are_equal(&maps, scene.url(0)).await;
    told.count(64 * 32).await;
    assert_eq!(maps[1].info(scene.url(0)).unwrap().object().len(), 64 * 32);
}

async fn keys_that_are_numbers_are_numbers_everywhere(joint: Joint) {
    let mut scene = Scene::start(joint, 1).await;
    let first = OortLongMap::<String>::start(scene.oort(0), "long").await.unwrap();
    for (key, value) in [(1, "one"), (-2, "two"), (i64::MAX, "max")] {
        first.put_and_share(key, value.to_owned()).await.unwrap();
    }
    let number = scene.add().await;
    // Keys of whole maps are texts, those of single entries numbers.
    let second = OortLongMap::<String>::start(scene.oort(number), "long").await.unwrap();
    eventually("the whole map", || second.find(&i64::MAX).is_some()).await;
    first.put_and_share(5, "five".to_owned()).await.unwrap().applied().await.unwrap();
    first.remove_and_share(1).await.unwrap().applied().await.unwrap();
    let info = second.info(scene.url(0)).unwrap();
    let entries: Vec<_> = info.object().iter().map(|(key, value)| (*key, value.clone())).collect();
    let expected = [(-2, "two"), (5, "five"), (i64::MAX, "max")];
    assert_eq!(entries, expected.map(|(key, value)| (key, value.to_owned())));
}

async fn a_value_that_is_changed_is_put_again(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let maps = start::<i64, Vec<i64>>(scene.oorts(), "mutable").await;
    let absent = maps[0].put_if_absent_and_share(1, vec![]).await.unwrap();
    let mut value = absent.into_value().unwrap_or_default();
    value.push(7);
    // What the application changes is its own until it is put.
    assert_eq!(maps[0].get(&1), Some(vec![]));
    maps[0].put_and_share(1, value).await.unwrap().applied().await.unwrap();
    assert_eq!(maps[1].find(&1), Some(vec![7]));
}

/// CometD's test of a mass of clients that leave, as far as it is about maps.
async fn users_that_come_and_go_in_masses_are_gone_everywhere(joint: Joint) {
    let scene = Scene::start(joint, 4).await;
    let maps = start::<String, i64>(scene.oorts(), "users").await;
    for is_there in [true, false] {
        let tasks = maps.iter().enumerate().map(|(node, map)| {
            let map = map.clone();
            tokio::spawn(async move {
                for user in 0..500 {
                    let name = format!("{node}/{user}");
                    match is_there {
                        true => drop(map.put_and_share(name, user).await.unwrap()),
                        false => drop(map.remove_and_share(name).await.unwrap()),
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            within("a task", task).await.unwrap();
        }
        let expected = if is_there { 2000 } else { 0 };
        let all_have = || {
            maps.iter().all(|map| map.merge(mergers::map_union::<String, i64>).len() == expected)
        };
        eventually("all users to be seen", all_have).await;
    }
}

async fn a_large_map_reaches_a_node_that_joins(joint: Joint) {
    let mut scene = Scene::start(joint, 1).await;
    let first = OortStringMap::<i64>::start(scene.oort(0), "large").await.unwrap();
    first.set_and_share((0..MANY).map(|number| (key(number), 1))).await.unwrap();
    let number = scene.add().await;
    let second = OortStringMap::<i64>::start(scene.oort(number), "large").await.unwrap();
    let has_all = || second.info(scene.url(0)).is_some_and(|info| info.object().len() == MANY);
    eventually("the whole map", has_all).await;
    first.put_and_share("more".to_owned(), 1).await.unwrap().applied().await.unwrap();
    assert_eq!(second.find("more"), Some(1));
}

const MANY: usize = 64 * 1024;

over_every_cloud!(
    entries_that_are_put_are_told_everywhere,
    entries_that_are_removed_are_told_everywhere,
    what_is_there_is_not_put_if_absent,
    whole_maps_are_told_as_what_is_different,
    own_entries_are_got_and_those_of_all_found,
    maps_that_many_change_at_the_same_time_are_equal,
    keys_that_are_numbers_are_numbers_everywhere,
    a_value_that_is_changed_is_put_again,
    users_that_come_and_go_in_masses_are_gone_everywhere,
    a_large_map_reaches_a_node_that_joins,
);

#[tokio::test]
async fn an_entry_that_comes_before_its_map_is_found_when_that_comes() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let told = Told::new();
    // The whole map is lost, and so is the first pull.
    let count = Arc::new(Mutex::new(0));
    hub.set_filter(move |_, to, message| {
        *lock(&count) += usize::from(message.channel().starts_with("/service/") && to.id() == "1");
        !message.channel().starts_with("/service/") || to.id() == "0" || *lock(&count) > 2
    });
    let first = OortStringMap::<i64>::start(&nodes.oorts[0], "before").await.unwrap();
    first.put_and_share("a".to_owned(), 1).await.unwrap();
    let second = OortStringMap::<i64>::start(&nodes.oorts[1], "before").await.unwrap();
    second.add_entry_listener(told.clone()).keep();
    first.put_and_share("b".to_owned(), 2).await.unwrap();
    let maps = [first, second];
    eventually("the part to be known", || maps[1].info("http://0").is_some()).await;
    are_equal(&maps, "http://0").await;
    maps[0].put_and_share("c".to_owned(), 3).await.unwrap();
    told.until("other put \"c\" None Some(3)").await;
    are_equal(&maps, "http://0").await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_entry_is_found_by_the_next() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let maps = start::<String, i64>(nodes.oorts.iter(), "lost").await;
    let told = Told::new();
    maps[1].add_entry_listener(told.clone()).keep();
    maps[1].add_listener(Arc::new(EntryDeltas::new(told.clone()))).keep();
    for name in ["a", "b"] {
        maps[0].put_and_share(name.to_owned(), 1).await.unwrap();
    }
    told.count(2).await;
    hub.set_filter(|_, _, message| !message.data.as_ref().unwrap().text().contains("map.remove"));
    maps[0].remove_and_share("a".to_owned()).await.unwrap();
    maps[0].put_and_share("c".to_owned(), 1).await.unwrap();
    are_equal(&maps, "http://0").await;
    told.count(4).await;
    assert_eq!(told.all()[2..], ["other removed \"a\" Some(1)", "other put \"c\" None Some(1)"]);
    let statistics = maps[1].statistics();
    assert!(statistics.pulls >= 1 && statistics.early == 1, "{statistics:?}");
}

#[tokio::test(start_paused = true)]
async fn entries_in_any_order_end_equal() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let maps = start::<String, i64>(nodes.oorts.iter(), "order").await;
    hub.hold(|_, _, message| message.channel().starts_with("/oort/objects/"));
    for number in 0..100 {
        maps[0]
            .put_and_share(key(number % 7), number.cast_signed().try_into().unwrap())
            .await
            .unwrap();
    }
    eventually("all to be held", || hub.held() >= 100).await;
    hub.release(|messages| messages.reverse());
    are_equal(&maps, "http://0").await;
    assert_eq!(maps[1].statistics().early, 99);
}

#[tokio::test]
async fn a_node_that_was_lost_by_one_side_only_is_seen_again() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let maps = start::<String, i64>(nodes.oorts.iter(), "half").await;
    maps[0].put_and_share("a".to_owned(), 1).await.unwrap();
    maps[1].put_and_share("b".to_owned(), 1).await.unwrap().applied().await.unwrap();
    hub.lose("http://0", "http://1");
    eventually("the part to go", || maps[0].infos().len() == 1).await;
    maps[0].put_and_share("c".to_owned(), 1).await.unwrap();
    maps[1].put_and_share("d".to_owned(), 1).await.unwrap();
    eventually("it to be refused", || maps[0].statistics().refused > 0).await;
    let keys = |map: &OortStringMap<i64>| map.merge(mergers::map_union::<String, i64>).len();
    assert_eq!(keys(&maps[0]), 2, "its own");
    assert_eq!((maps[1].infos().len(), keys(&maps[1])), (2, 3), "the other has lost nobody");
    hub.heal("http://0", "http://1");
    eventually("all keys on both", || maps.iter().all(|map| keys(map) == 4)).await;
}

#[tokio::test(start_paused = true)]
async fn values_of_another_type_are_left_out_and_the_rest_goes_on() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let first = OortStringMap::<serde_json::Value>::start(&nodes.oorts[0], "typed").await.unwrap();
    let whole = [("a", json!(1)), ("b", json!("text")), ("c", json!({ "x": [] })), ("d", json!(4))];
    first.set_and_share(whole.map(|(key, value)| (key.to_owned(), value))).await.unwrap();
    let second = OortStringMap::<i64>::start(&nodes.oorts[1], "typed").await.unwrap();
    let told = Told::new();
    second.add_listener(told.clone()).keep();
    second.add_entry_listener(told.clone()).keep();
    told.until("malformed 2 \"b\"").await;
    first.put_and_share("e".to_owned(), json!([5])).await.unwrap();
    first.put_and_share("f".to_owned(), json!(6)).await.unwrap();
    told.until("other put \"f\" None Some(6)").await;
    assert!(told.all().contains(&"malformed 1 \"\\\"e\\\"\"".to_owned()), "{:?}", told.all());
    let entries = second.info("http://0").unwrap().object().to_map();
    assert_eq!(
        entries,
        [("a", 1), ("d", 4), ("f", 6)].map(|(key, value)| (key.to_owned(), value)).into()
    );
    let statistics = second.statistics();
    // The whole may have come twice, as what was shared and to who has just started.
    assert!(statistics.malformed >= 3 && statistics.pulls == 0, "{statistics:?}");
}

/// Waits in the first call until it is told to go on.
#[derive(Debug)]
struct Slow(tokio::sync::Semaphore, Arc<Told>);

#[async_trait]
impl EntryListener<String, i64> for Slow {
    async fn put(&self, info: &Info<Entries<String, i64>>, entry: &Entry<String, i64>) {
        self.0.acquire().await.unwrap().forget();
        EntryListener::put(&*self.1, info, entry).await;
    }
}

#[tokio::test]
async fn what_a_slow_listener_missed_is_told_as_the_difference() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let maps = start::<String, i64>(nodes.oorts.iter(), "slow").await;
    let told = Told::new();
    let slow = Arc::new(Slow(tokio::sync::Semaphore::new(0), told.clone()));
    maps[1].add_entry_listener(slow.clone()).keep();
    for number in 0..5000_usize {
        maps[0].put_and_share(key(number % 4500), number.try_into().unwrap()).await.unwrap();
    }
    let last = maps[0].put_and_share("last".to_owned(), 1).await.unwrap();
    within("all to be applied", last.applied()).await.unwrap();
    slow.0.add_permits(10_000);
    told.until("other put \"last\" None Some(1)").await;
    // The first 500 keys were put twice; what is different in the end is told once for each.
    assert_eq!(told.all().len(), 4500 + 500 + 1);
    assert!(maps[1].statistics().summed_up > 500);
}
