//! `OortList`: each node has a list that changes element by element.

use std::sync::Arc;

use bayeux_oort::{Oort, OortList, mergers, object::ElementDeltas};
use tests::{
    cloud_hub::CloudHub,
    cloud_scene::{Joint, Scene},
    eventually, over_every_cloud, within,
};

use crate::{nodes::Nodes, told::Told};

async fn start<'a>(oorts: impl Iterator<Item = &'a Oort>, name: &str) -> Vec<OortList<i64>> {
    let mut lists = Vec::new();
    for oort in oorts {
        lists.push(OortList::start(oort, name).await.unwrap());
    }
    let have_all = || lists.iter().all(|list| list.infos().len() == lists.len());
    eventually("each to have all parts", have_all).await;
    lists
}

async fn elements_that_are_added_are_told_everywhere(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let lists = start(scene.oorts(), "added").await;
    let told = [Told::new(), Told::new()];
    for (list, told) in lists.iter().zip(&told) {
        list.add_element_listener(told.clone()).keep();
    }
    assert!(lists[0].add_and_share([1, 2, 1]).await.unwrap().into_value());
    assert!(!lists[0].add_and_share([]).await.unwrap().into_value());
    for (told, of) in told.iter().zip(["own", "other"]) {
        told.count(2).await;
        assert_eq!(told.all(), [format!("{of} added [1, 2, 1]"), format!("{of} added []")]);
    }
    // Equal elements are kept.
    assert_eq!(lists[1].info(scene.url(0)).unwrap().object().to_vec(), [1, 2, 1]);
}

async fn elements_that_are_removed_are_told_everywhere(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let lists = start(scene.oorts(), "removed").await;
    let told = Told::new();
    lists[1].add_element_listener(told.clone()).keep();
    lists[0].add_and_share([1, 2, 1]).await.unwrap();
    assert!(lists[0].remove_and_share([1]).await.unwrap().into_value());
    assert!(!lists[0].remove_and_share([1, 3]).await.unwrap().into_value());
    told.count(3).await;
    assert_eq!(told.all(), ["other added [1, 2, 1]", "other removed [1]", "other removed [1, 3]"]);
    assert_eq!(lists[1].info(scene.url(0)).unwrap().object().to_vec(), [2]);
}

async fn whole_lists_are_told_as_what_is_different(joint: Joint) {
    let mut scene = Scene::start(joint, 2).await;
    let lists = start(scene.oorts(), "delta").await;
    let told = Told::new();
    lists[0].add_element_listener(told.clone()).keep();
    lists[0].add_listener(Arc::new(ElementDeltas::new(told.clone()))).keep();
    lists[1].add_and_share([1, 2]).await.unwrap();
    let old = lists[1].set_and_share([2, 3, 4]).await.unwrap();
    assert_eq!(old.into_value().to_vec(), [1, 2]);
    told.count(3).await;
    assert_eq!(told.take(), ["other added [1, 2]", "other added [3, 4]", "other removed [1]"]);
    scene.stop(1).await;
    told.count(1).await;
    assert_eq!(told.all(), ["other removed [2, 3, 4]"]);
}

async fn own_elements_are_contained_and_those_of_all_present(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let lists = start(scene.oorts(), "contains").await;
    lists[0].add_and_share([1]).await.unwrap().applied().await.unwrap();
    lists[1].add_and_share([2]).await.unwrap().applied().await.unwrap();
    assert!(lists[0].contains(&1) && !lists[0].contains(&2));
    assert!(lists[0].is_present(&1) && lists[0].is_present(&2) && !lists[0].is_present(&3));
    assert_eq!(lists[0].info_by_object(&[2]).unwrap().url(), scene.url(1));
    let mut union = lists[0].merge(mergers::list_union);
    union.sort_unstable();
    assert_eq!((union, lists[0].get().to_vec()), (vec![1, 2], vec![1]));
}

async fn lists_that_many_change_at_the_same_time_are_equal(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let lists = start(scene.oorts(), "many").await;
    let tasks = (0..64_i64).map(|task| {
        let list = lists[0].clone();
        tokio::spawn(async move {
            for number in 0..32 {
                list.add_and_share([task * 32 + number]).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within("a task", task).await.unwrap();
    }
    let last = lists[0].remove_and_share([0]).await.unwrap();
    within("all to have it", last.applied()).await.unwrap();
    let own = lists[0].get().to_vec();
    assert_eq!(own.len(), 64 * 32 - 1);
    assert_eq!(lists[1].info(scene.url(0)).unwrap().object().to_vec(), own);
}

over_every_cloud!(
    elements_that_are_added_are_told_everywhere,
    elements_that_are_removed_are_told_everywhere,
    whole_lists_are_told_as_what_is_different,
    own_elements_are_contained_and_those_of_all_present,
    lists_that_many_change_at_the_same_time_are_equal,
);

/// In CometD a push may have an element under the version before it, so that it is added once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_element_is_doubled_however_updates_and_whole_lists_meet() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let lists = start(nodes.oorts.iter(), "doubled").await;
    for round in 0..20 {
        let first = round * EACH;
        hub.hold(|_, _, message| message.channel().starts_with("/oort/objects/"));
        for number in first..first + EACH / 2 {
            lists[0].add_and_share([number]).await.unwrap();
        }
        eventually("elements to be held", || hub.held() >= EACH as usize / 2).await;
        let list = lists[0].clone();
        let adding = tokio::spawn(async move {
            for number in first + EACH / 2..first + EACH {
                list.add_and_share([number]).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        // A whole list is pushed in their midst: what it has of them is on its way, too.
        hub.cut("http://0", "http://1");
        hub.heal("http://0", "http://1");
        let seen = || lists[1].info("http://0").map(|info| info.object().to_vec());
        let is_pushed = || seen().is_some_and(|seen| seen.len() as i64 >= first + EACH / 2);
        eventually("the whole list to come", is_pushed).await;
        let round = usize::try_from(round).unwrap();
        hub.release(|messages| {
            let first = round % messages.len().max(1);
            messages.rotate_left(first);
        });
        within("the others to be added", adding).await.unwrap();
        let all: Vec<_> = (0..first + EACH).collect();
        eventually("the list to be equal", || seen().as_ref() == Some(&all)).await;
    }
    assert!(lists[1].statistics().stale > 0, "what was in the whole came once more");
}

/// How many elements are added in a round.
const EACH: i64 = 10;

thread_local! {
    /// How many elements this thread has compared.
    static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
struct Compared(usize);

impl PartialEq for Compared {
    fn eq(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.0 == other.0
    }
}

#[tokio::test]
async fn much_that_is_removed_from_a_long_list_holds_up_no_thread_of_the_runtime() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let mut lists = Vec::new();
    for oort in &nodes.oorts {
        lists.push(OortList::<Compared>::start(oort, "long").await.unwrap());
    }
    eventually("each to have all parts", || lists.iter().all(|it| it.infos().len() == 2)).await;
    let all = (0..2000).map(Compared);
    lists[0].add_and_share(all).await.unwrap().applied().await.unwrap();
    let removed = lists[0].remove_and_share((1000..2000).map(Compared)).await.unwrap();
    assert!(removed.value());
    removed.applied().await.unwrap();
    assert_eq!(COMPARED.get(), 0);
    for list in &lists {
        assert_eq!(list.info("http://0").unwrap().object().len(), 1000);
    }
}
