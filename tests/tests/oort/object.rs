//! `OortObject`: each node has a part that the others see.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_oort::{Info, OortLong, OortObject, mergers, object::OortObjectListener};
use futures_util::poll;
use serde_json::json;
use tests::{
    cloud_hub::CloudHub,
    cloud_scene::{Joint, Scene},
    eventually, over_every_cloud, within,
};

use crate::{nodes::Nodes, told::Told};

/// Starts an object on all nodes, and waits until each has all parts.
async fn everywhere(scene: &Scene, name: &str, initial: i64) -> Vec<OortObject<i64>> {
    let mut objects = Vec::new();
    for oort in scene.oorts() {
        objects.push(OortObject::start(oort, name, initial).await.unwrap());
    }
    have_all(&objects, objects.len()).await;
    objects
}

async fn have_all(objects: &[OortObject<i64>], count: usize) {
    let have = || objects.iter().all(|object| object.infos().len() == count);
    eventually("each to have all parts", have).await;
}

async fn what_is_shared_is_told_with_old_and_new(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let objects = everywhere(&scene, "shared", 0).await;
    let told = [Told::new(), Told::new()];
    for (object, told) in objects.iter().zip(&told) {
        object.add_listener(told.clone()).keep();
    }
    let shared = objects[0].set_and_share(5).await.unwrap();
    assert_eq!(shared.into_value(), 0);
    told[0].until("own Some(0) to 5").await;
    told[1].until("other Some(0) to 5").await;
    assert_eq!(objects[1].merge(mergers::long_sum), 5);
    assert_eq!(objects[1].get(), 0);
    let info = objects[1].info(scene.url(0)).unwrap();
    assert_eq!((info.object(), info.is_local(), info.name()), (&5, false, "shared"));
    assert!(objects[1].info(scene.url(1)).unwrap().is_local());
    assert_eq!(objects[1].info_by_object(&5).unwrap().url(), scene.url(0));
    assert!(objects[1].info_by_object(&6).is_none() && objects[1].info("http://other").is_none());
}

async fn an_observed_channel_for_everything_changes_nothing(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    scene.oorts().for_each(|oort| oort.observe_channel("/**").unwrap());
    let objects = everywhere(&scene, "all", 0).await;
    let told = Told::new();
    objects[1].add_listener(told.clone()).keep();
    for value in 1..=3 {
        objects[0].set_and_share(value).await.unwrap().applied().await.unwrap();
    }
    told.count(3).await;
    assert_eq!(told.all(), ["other Some(0) to 1", "other Some(1) to 2", "other Some(2) to 3"]);
}

async fn a_node_that_joins_has_all_parts_and_all_have_its(joint: Joint) {
    let mut scene = Scene::start(joint, 1).await;
    let first = OortObject::start(scene.oort(0), "joins", 7).await.unwrap();
    first.set_and_share(8).await.unwrap();
    let number = scene.add().await;
    let second = OortObject::start(scene.oort(number), "joins", 9).await.unwrap();
    have_all(&[first.clone(), second.clone()], 2).await;
    for object in [first, second] {
        let values = scene.oorts().map(|oort| *object.info(oort.own().url()).unwrap().object());
        assert_eq!(values.collect::<Vec<_>>(), [8, 9]);
    }
}

async fn nodes_that_join_have_objects_already(joint: Joint) {
    let mut scene = Scene::start(joint, 1).await;
    let mut objects = vec![OortObject::start(scene.oort(0), "before", 0).await.unwrap()];
    for _ in 1..3 {
        let number = scene.add().await;
        objects.push(OortObject::start(scene.oort(number), "before", 0).await.unwrap());
    }
    have_all(&objects, 3).await;
}

async fn a_part_goes_when_its_node_leaves(joint: Joint) {
    let mut scene = Scene::start(joint, 2).await;
    let objects = everywhere(&scene, "leaves", 3).await;
    let told = Told::new();
    objects[0].add_listener(told.clone()).keep();
    scene.stop(1).await;
    told.until("other 3 gone").await;
    assert_eq!(objects[0].infos().len(), 1);
    assert_eq!(objects[0].merge(mergers::long_sum), 3);
}

async fn objects_that_are_started_one_after_the_other_have_all_parts(joint: Joint) {
    let scene = Scene::start(joint, 4).await;
    let told: Vec<_> = (0..4).map(|_| Told::new()).collect();
    let mut objects = Vec::new();
    for (oort, told) in scene.oorts().zip(&told) {
        let object = OortObject::start(oort, "startup", 1).await.unwrap();
        object.add_listener(told.clone()).keep();
        objects.push(object);
    }
    have_all(&objects, 4).await;
    for object in &objects {
        let infos = object.infos();
        let is_sorted = infos.iter().map(|info| info.comet().id()).is_sorted();
        assert!(is_sorted && infos.iter().all(|info| *info.object() == 1));
    }
}

async fn many_at_the_same_time_end_at_one_value(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let objects = everywhere(&scene, "concurrent", 0).await;
    let told = Told::new();
    objects[1].add_listener(told.clone()).keep();
    let tasks = (0..64_i64).map(|task| {
        let object = objects[0].clone();
        tokio::spawn(async move {
            for number in 0..32 {
                object.set_and_share(task * 32 + number).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within("a task", task).await.unwrap();
    }
    let last = objects[0].set_and_share(-1).await.unwrap();
    within("all to have it", last.applied()).await.unwrap();
    assert_eq!(*objects[1].info(scene.url(0)).unwrap().object(), -1);
    let is_last = || told.all().last().is_some_and(|last| last.ends_with(" to -1"));
    eventually("the last to be told", is_last).await;
    let own = objects[0].own_info().version();
    assert_eq!(objects[1].info(scene.url(0)).unwrap().version(), own);
}

async fn a_change_is_known_to_be_applied_everywhere(joint: Joint) {
    let scene = Scene::start(joint, 3).await;
    let objects = everywhere(&scene, "applied", 0).await;
    for value in 1..20 {
        let shared = objects[0].set_and_share(value).await.unwrap();
        let applied = within("all to have it", shared.applied()).await.unwrap();
        assert_eq!((applied.by.len(), applied.left.len()), (2, 0));
        for object in &objects {
            assert_eq!(*object.info(scene.url(0)).unwrap().object(), value);
        }
    }
}

async fn an_object_that_stops_is_gone_elsewhere_and_may_start_again(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let mut objects = everywhere(&scene, "again", 5).await;
    objects[1].set_and_share(6).await.unwrap().applied().await.unwrap();
    let told = Told::new();
    objects[0].add_listener(told.clone()).keep();
    drop(objects.pop());
    told.until("other 6 gone").await;
    // Nobody is waited for who has it no longer.
    let shared = objects[0].set_and_share(1).await.unwrap();
    assert!(within("nobody", shared.applied()).await.unwrap().by.is_empty());
    let again = OortObject::start(scene.oort(1), "again", 7).await.unwrap();
    told.until("other None to 7").await;
    have_all(&[objects[0].clone(), again], 2).await;
}

async fn numbers_are_counted_and_summed_up(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let mut longs = Vec::new();
    for oort in scene.oorts() {
        longs.push(OortLong::start(oort, "long", 0).await.unwrap());
    }
    eventually("both", || longs.iter().all(|long| long.infos().len() == 2)).await;
    assert_eq!(longs[0].add_and_get(2).await.unwrap().into_value(), 2);
    // What is shared is the new value, and not the old one.
    let shared = longs[1].get_and_add(3).await.unwrap();
    assert_eq!(*shared.value(), 0);
    shared.applied().await.unwrap();
    eventually("the sum", || longs.iter().all(|long| long.sum() == 5)).await;
    assert_eq!(longs[0].get_and_set(10).await.unwrap().into_value(), 2);
    assert!(longs[0].compare_and_set(10, 20).await.unwrap().into_value());
    let before = longs[0].statistics().shared;
    assert!(!longs[0].compare_and_set(10, 30).await.unwrap().into_value());
    assert_eq!((longs[0].get(), longs[0].statistics().shared), (20, before));
    eventually("the sum", || longs.iter().all(|long| long.sum() == 23)).await;
}

async fn additions_at_the_same_time_are_all_in_the_sum(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let long = OortLong::start(scene.oort(0), "sum", 0).await.unwrap();
    let other = OortLong::start(scene.oort(1), "sum", 0).await.unwrap();
    let tasks = (0..16).map(|_| {
        let long = long.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                long.add_and_get(1).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within("a task", task).await.unwrap();
    }
    assert_eq!(long.get(), 800);
    eventually("the sum", || other.sum() == 800).await;
}

over_every_cloud!(
    what_is_shared_is_told_with_old_and_new,
    an_observed_channel_for_everything_changes_nothing,
    a_node_that_joins_has_all_parts_and_all_have_its,
    nodes_that_join_have_objects_already,
    a_part_goes_when_its_node_leaves,
    objects_that_are_started_one_after_the_other_have_all_parts,
    many_at_the_same_time_end_at_one_value,
    a_change_is_known_to_be_applied_everywhere,
    an_object_that_stops_is_gone_elsewhere_and_may_start_again,
    numbers_are_counted_and_summed_up,
    additions_at_the_same_time_are_all_in_the_sum,
);

#[tokio::test(start_paused = true)]
async fn a_join_costs_one_whole_part_in_each_direction() {
    let (hub, mut nodes) = Nodes::start(2).await;
    hub.cut("http://0", "http://1");
    let objects = nodes.objects("cost", 1).await;
    hub.heal("http://0", "http://1");
    have_all(&objects, 2).await;
    objects[0].set_and_share(2).await.unwrap().applied().await.unwrap();
    objects[1].set_and_share(2).await.unwrap().applied().await.unwrap();
    for object in &objects {
        let statistics = object.statistics();
        assert_eq!((statistics.pushes, statistics.stale, statistics.pulls), (1, 0, 0));
    }
}

#[tokio::test]
async fn an_old_value_that_comes_late_does_not_replace_a_newer_one() {
    let (hub, mut nodes) = Nodes::start(2).await;
    let objects = nodes.objects("stale", 0).await;
    hub.hold(|_, _, message| message.data.as_ref().unwrap().text().contains(r#"object":1,"#));
    objects[0].set_and_share(1).await.unwrap();
    eventually("the old one to be held", || hub.held() == 1).await;
    objects[0].set_and_share(2).await.unwrap();
    let is_new = || *objects[1].info("http://0").unwrap().object() == 2;
    eventually("the new one", is_new).await;
    hub.release(|_| {});
    eventually("the old one", || objects[1].statistics().stale == 1).await;
    assert!(is_new());
}

/// A listener that waits for a lock of the application's.
#[derive(Debug)]
struct Locking(Arc<tokio::sync::Mutex<()>>);

#[async_trait]
impl OortObjectListener<i64> for Locking {
    async fn updated(&self, _: Option<&Info<i64>>, _: &Info<i64>) {
        drop(self.0.lock().await);
    }
}

#[tokio::test]
async fn a_listener_that_waits_for_who_shares_is_no_deadlock() {
    let (_hub, mut nodes) = Nodes::start(2).await;
    let objects = nodes.objects("locking", 0).await;
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    for object in &objects {
        object.add_listener(Arc::new(Locking(lock.clone()))).keep();
    }
    let held = lock.lock().await;
    for value in 1..100 {
        within("it to be shared", objects[0].set_and_share(value)).await.unwrap();
        let shared = objects[1].set_and_share(value).await.unwrap();
        within("it to be applied", shared.applied()).await.unwrap();
    }
    drop(held);
}

#[tokio::test]
async fn a_listener_that_never_returns_holds_up_nothing_and_needs_no_more_memory() {
    let (_hub, mut nodes) = Nodes::start(2).await;
    let objects = nodes.objects("stuck", 0).await;
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    let held = lock.lock().await;
    let told = Told::new();
    objects[1].add_listener(Arc::new(Locking(lock.clone()))).keep();
    objects[1].add_listener(told.clone()).keep();
    for value in 1..=10_000 {
        objects[0].set_and_share(value).await.unwrap();
    }
    let last = objects[0].set_and_share(-1).await.unwrap();
    within("all to be applied", last.applied()).await.unwrap();
    assert!(objects[1].statistics().summed_up > 1_000);
    drop(held);
    let is_last = || told.all().last().is_some_and(|last| last.ends_with(" to -1"));
    eventually("the last to be told", is_last).await;
    assert!(told.all().len() < 5_000);
}

#[tokio::test]
async fn a_node_that_is_cut_off_has_no_part_and_has_it_again_when_it_is_healed() {
    let (hub, mut nodes) = Nodes::start(2).await;
    let objects = nodes.objects("cut", 0).await;
    hub.cut("http://0", "http://1");
    eventually("no part", || objects.iter().all(|object| object.infos().len() == 1)).await;
    for (object, value) in objects.iter().zip([1, 2]) {
        object.set_and_share(value).await.unwrap();
    }
    hub.heal("http://0", "http://1");
    have_all(&objects, 2).await;
    assert_eq!(objects[0].merge(mergers::long_sum), 3);
    assert_eq!(objects[1].merge(mergers::long_sum), 3);
}

#[tokio::test]
async fn a_node_that_has_not_joined_leaves_no_part_behind() {
    let (hub, mut nodes) = Nodes::start(2).await;
    let objects = nodes.objects("crash", 0).await;
    // What it still sends arrives only after it is known to have left.
    hub.hold(|_, _, _| true);
    objects[0].set_and_share(1).await.unwrap();
    eventually("it to be under way", || hub.held() > 0).await;
    hub.cut("http://0", "http://1");
    eventually("no part", || objects[1].infos().len() == 1).await;
    hub.release(|_| {});
    eventually("it to be refused", || objects[1].statistics().refused > 0).await;
    assert_eq!(objects[1].infos().len(), 1);
    hub.heal("http://0", "http://1");
    have_all(&objects, 2).await;
    assert_eq!(*objects[1].info("http://0").unwrap().object(), 1);
}

#[tokio::test]
async fn who_waits_for_a_node_that_leaves_is_told_that_it_left() {
    let (hub, mut nodes) = Nodes::start(3).await;
    let objects = nodes.objects("leaving", 0).await;
    hub.set_filter(|_, to, _| to.url() != "http://2");
    let shared = objects[0].set_and_share(1).await.unwrap();
    let waits = tokio::spawn(async move { shared.applied().await.unwrap() });
    eventually("one to have it", || *objects[1].info("http://0").unwrap().object() == 1).await;
    assert!(!waits.is_finished());
    hub.cut("http://0", "http://2");
    let applied = within("the other to leave", waits).await.unwrap();
    assert_eq!((applied.by[0].url(), applied.left[0].url()), ("http://1", "http://2"));
}

#[tokio::test]
async fn what_was_lost_is_asked_for_when_somebody_waits() {
    let (hub, mut nodes) = Nodes::start(2).await;
    let long = nodes.objects("lost", 0).await;
    hub.set_filter(|_, _, message| !message.channel().starts_with("/oort/"));
    let shared = long[0].set_and_share(1).await.unwrap();
    let waits = tokio::spawn(async move { shared.applied().await.unwrap() });
    within("it to be pulled", waits).await.unwrap();
    assert_eq!(*long[1].info("http://0").unwrap().object(), 1);
    assert!(long[1].statistics().pulls >= 1);
}

#[tokio::test]
async fn a_stopped_object_ends_who_waits() {
    let (hub, mut nodes) = Nodes::start(2).await;
    let mut objects = nodes.objects("ends", 0).await;
    hub.set_filter(|_, _, _| false);
    let object = objects.remove(0);
    let shared = object.set_and_share(1).await.unwrap();
    let mut waits = std::pin::pin!(shared.applied());
    assert!(poll!(&mut waits).is_pending());
    drop(object);
    assert!(within("it to end", waits).await.is_err());
}

#[tokio::test]
async fn names_are_one_segment() {
    let (_hub, nodes) = Nodes::start(1).await;
    for name in ["", "a/b", "*", "**", "a*"] {
        assert!(OortObject::start(&nodes.oorts[0], name, json!(1)).await.is_err(), "{name:?}");
    }
    let object = OortObject::start(&nodes.oorts[0], "a-b.c~1", json!(1)).await.unwrap();
    object.channel().unwrap().set_lazy(true);
    assert_eq!(object.channel().unwrap().id().as_str(), "/oort/objects/a-b.c~1");
}

#[tokio::test]
async fn null_is_a_value() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let one = OortObject::start(&nodes.oorts[0], "null", Some(1)).await.unwrap();
    let other = OortObject::start(&nodes.oorts[1], "null", None::<i64>).await.unwrap();
    eventually("both", || one.infos().len() == 2 && other.infos().len() == 2).await;
    one.set_and_share(None).await.unwrap().applied().await.unwrap();
    assert_eq!(*other.info("http://0").unwrap().object(), None);
}
