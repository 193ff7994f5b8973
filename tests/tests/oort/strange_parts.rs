//! What CometD's nodes send about objects is taken, and what nobody should send is refused, while the parts of
//! others go on.

use std::time::Duration;

use bayeux_oort::{OortList, OortObject, OortStringMap};
use serde_json::{Value, json};
use tests::{cloud_hub::CloudHub, eventually, hooks::Log};

use crate::{
    nodes::{Nodes, Stranger},
    told::Told,
};

const STRANGER: &str = "http://stranger";

async fn map_and_stranger() -> (CloudHub, Nodes, OortStringMap<i64>, Stranger) {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 1).await;
    let map = OortStringMap::start(&nodes.oorts[0], "m").await.unwrap();
    let stranger = Stranger::join(&hub, "m").await;
    (hub, nodes, map, stranger)
}

fn entry(version: &Value, action: &str, key: &str, value: i64) -> Value {
    json!({
        "version": version, "type": "oort.map.entry", "action": action,
        "object": { "oort.map.key": key, "oort.map.value": value },
    })
}

/// Waits until the stranger's part is as it should be.
async fn has(map: &OortStringMap<i64>, expected: &[(&str, i64)]) {
    let part = || {
        let info = map.info(STRANGER)?;
        Some(info.object().iter().map(|(key, value)| (key.clone(), *value)).collect::<Vec<_>>())
    };
    let expected: Vec<_> =
        expected.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
    eventually(&format!("{expected:?}"), || part().as_ref() == Some(&expected)).await;
}

#[tokio::test]
async fn what_cometds_nodes_send_is_taken() {
    let (_hub, nodes, map, stranger) = map_and_stranger().await;
    let node = nodes.oorts[0].own().clone();
    let told = Told::new();
    map.add_entry_listener(told.clone()).keep();
    let whole = json!({ "version": 0, "object": {}, "unknown": [1] });
    stranger.send(&node, &whole).await;
    stranger.send(&node, &entry(&json!(1), "oort.map.put", "a", 1)).await;
    has(&map, &[("a", 1)]).await;
    // However a version is written; what comes late or twice is nothing.
    stranger.send(&node, &entry(&json!(2.0), "oort.map.put.absent", "a", 2)).await;
    stranger.send(&node, &entry(&json!(2.0), "oort.map.put", "a", 3)).await;
    stranger.send(&node, &entry(&json!(3), "oort.map.put.absent", "b", 3)).await;
    has(&map, &[("a", 1), ("b", 3)]).await;
    let mut removal = entry(&json!(4), "oort.map.remove", "a", 0);
    removal["object"].as_object_mut().unwrap().remove("oort.map.value");
    stranger.send(&node, &removal).await;
    has(&map, &[("b", 3)]).await;
    // A whole part may jump, and counts only if it is newer.
    stranger.send(&node, &json!({ "version": 20, "object": { "c": 1 } })).await;
    has(&map, &[("c", 1)]).await;
    stranger.send(&node, &json!({ "version": 19, "object": { "d": 1 } })).await;
    stranger.send(&node, &entry(&json!(21.0), "oort.map.put", "e", 5)).await;
    has(&map, &[("c", 1), ("e", 5)]).await;
    assert_eq!((map.statistics().stale, map.statistics().refused), (2, 0));
    // Another task tells.
    told.count(4).await;
    assert_eq!(told.all().len(), 4);
}

#[tokio::test]
async fn an_item_that_misses_others_waits_for_them_or_for_the_whole() {
    let (_hub, nodes, map, stranger) = map_and_stranger().await;
    let node = nodes.oorts[0].own().clone();
    stranger.send(&node, &json!({ "version": 5, "object": {} })).await;
    stranger.send(&node, &entry(&json!(7), "oort.map.put", "b", 7)).await;
    eventually("it to be pulled", || map.statistics().pulls >= 1).await;
    stranger.send(&node, &entry(&json!(6), "oort.map.put", "a", 6)).await;
    has(&map, &[("a", 6), ("b", 7)]).await;
}

#[tokio::test]
async fn what_is_not_as_it_should_be_is_refused_and_the_part_goes_on() {
    let (_hub, nodes, map, stranger) = map_and_stranger().await;
    let node = nodes.oorts[0].own().clone();
    stranger.send(&node, &json!({ "version": 1, "object": { "a": 1 } })).await;
    has(&map, &[("a", 1)]).await;
    let wrong = [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!("x"),
        json!(-1),
        json!(0.5),
        json!(1e300),
    ];
    let mut count = 0;
    let good = entry(&json!(2), "oort.map.put", "b", 2);
    for field in ["url", "name", "version", "type", "action"] {
        for wrong in &wrong {
            let mut bad = good.clone();
            bad[field] = wrong.clone();
            stranger.send(&node, &bad).await;
            count += 1;
        }
    }
    // `null` as an action is none: a whole part, which is then of the wrong form.
    let refused = || map.statistics().refused + map.statistics().malformed;
    for action in ["oort.list.add", "oort.object.explode", "oort.map.putIfAbsent", ""] {
        let mut bad = good.clone();
        bad["action"] = json!(action);
        stranger.send(&node, &bad).await;
        count += 1;
    }
    for object in
        [json!([1]), json!("text"), json!({}), json!({ "oort.map.key": "k" }), json!(null)]
    {
        let mut bad = good.clone();
        bad["object"] = object;
        stranger.send(&node, &bad).await;
        count += 1;
    }
    for data in [json!(null), json!("text"), json!(1), json!([]), json!({})] {
        stranger.send_data(&node, data).await;
        count += 1;
    }
    eventually("all to be refused", || refused() == count).await;
    stranger.send(&node, &json!({ "version": 30, "object": { "c": 3 } })).await;
    has(&map, &[("c", 3)]).await;
}

#[tokio::test]
async fn nobody_speaks_for_another_node() {
    let (hub, nodes, map, stranger) = map_and_stranger().await;
    let node = nodes.oorts[0].own().clone();
    let other = hub.cloud("other", "http://other");
    let _other = bayeux_oort::Oort::start(&bayeux_server::Server::new(), other).await.unwrap();
    for url in ["http://other", "http://0", "http://unknown"] {
        for action in [json!("oort.object.push"), json!("oort.object.pull")] {
            let forged =
                json!({ "url": url, "version": 9, "object": { "x": 1 }, "action": action });
            stranger.send(&node, &forged).await;
        }
    }
    eventually("all to be refused", || map.statistics().refused == 6).await;
    assert_eq!(map.infos().len(), 1);
}

#[tokio::test]
async fn a_flood_of_items_that_come_too_early_needs_no_memory() {
    let (_hub, nodes, map, stranger) = map_and_stranger().await;
    let node = nodes.oorts[0].own().clone();
    stranger.send(&node, &json!({ "version": 1, "object": {} })).await;
    for version in 0..20_000 {
        stranger.send(&node, &entry(&json!(3 + version * 2), "oort.map.put", "a", 1)).await;
    }
    eventually("overflows", || map.statistics().overflows >= 4).await;
    assert!(map.statistics().pulls <= 20, "{:?}", map.statistics());
    stranger.send(&node, &json!({ "version": 50_000, "object": { "b": 1 } })).await;
    has(&map, &[("b", 1)]).await;
}

#[tokio::test]
async fn pulls_without_end_are_answered_within_bounds() {
    let (_hub, nodes, map, stranger) = map_and_stranger().await;
    let node = nodes.oorts[0].own().clone();
    map.put_and_share("a".to_owned(), 1).await.unwrap();
    for _ in 0..1000 {
        stranger.send(&node, &json!({ "action": "oort.object.pull" })).await;
    }
    eventually("all to be heard", || map.statistics().pulled == 1000).await;
    assert!(map.statistics().raises <= 20, "{:?}", map.statistics());
}

#[tokio::test]
async fn a_part_of_the_wrong_kind_is_reported_and_the_node_may_do_better() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 1).await;
    let node = nodes.oorts[0].own().clone();
    let object = OortObject::start(&nodes.oorts[0], "m", 0_i64).await.unwrap();
    let told = Told::new();
    object.add_listener(told.clone()).keep();
    let stranger = Stranger::join(&hub, "m").await;
    stranger.send(&node, &json!({ "version": 1, "object": "text" })).await;
    told.until("malformed 1 \"\"").await;
    assert_eq!(object.infos().len(), 1);
    // Items are nothing to an object that has none.
    stranger.send(&node, &entry(&json!(2), "oort.map.put", "b", 2)).await;
    stranger.send(&node, &json!({ "version": 3, "object": 5 })).await;
    told.until("other None to 5").await;
    assert_eq!((object.statistics().malformed, object.statistics().refused), (1, 1));
}

#[tokio::test]
async fn elements_of_another_type_are_left_out() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 1).await;
    let node = nodes.oorts[0].own().clone();
    let list = OortList::<i64>::start(&nodes.oorts[0], "m").await.unwrap();
    let stranger = Stranger::join(&hub, "m").await;
    stranger.send(&node, &json!({ "version": 1, "object": [1, "x", 2, null] })).await;
    let add = json!({
        "version": 2, "object": [[], 3], "action": "oort.list.add", "type": "oort.list.element",
    });
    stranger.send(&node, &add).await;
    let part = || list.info(STRANGER).map(|info| info.object().to_vec());
    eventually("the rest", || part() == Some(vec![1, 2, 3])).await;
    assert_eq!(list.statistics().malformed, 3);
}

/// What nodes of ours alone know.
const OURS: [&str; 3] = ["oort.object.ask", "oort.object.reached", "oort.object.gone"];

#[tokio::test(start_paused = true)]
async fn a_node_of_cometds_is_never_sent_what_it_does_not_know() {
    let hub = CloudHub::default();
    let nodes = Nodes::on(&hub, 2).await;
    let mut maps = Vec::new();
    for oort in &nodes.oorts {
        maps.push(OortStringMap::<i64>::start(oort, "m").await.unwrap());
    }
    let sent = Log::default();
    let noted = sent.clone();
    hub.set_filter(move |_, to, message| {
        let text = message.data.as_ref().unwrap().text();
        for action in OURS.iter().filter(|action| text.contains(*action)) {
            noted.add(format!("{action} to {}", to.url()));
        }
        true
    });
    let stranger = Stranger::join(&hub, "m").await;
    let _place = stranger.oort().observe_channel("/oort/objects/m");
    let node = nodes.oorts[0].own().clone();
    let push = json!({ "version": 0, "object": {}, "action": "oort.object.push" });
    stranger.send(&node, &push).await;
    eventually("all parts", || maps[0].infos().len() == 3).await;
    let shared = maps[0].put_and_share("a".to_owned(), 1).await.unwrap();
    let applied = tests::within("both", shared.applied()).await.unwrap();
    assert_eq!(applied.by.len(), 2);
    let ask = format!("{} to http://1", OURS[0]);
    let asked = sent.count(&ask);
    maps[0].put_and_share("b".to_owned(), 1).await.unwrap();
    // By the clock of the test: long enough for those to be asked who can be.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(sent.count(&ask) > asked, "nobody waits, and it is asked when it is quiet");
    drop(maps.remove(0));
    for sent_to_ours in
        [ask, format!("{} to http://0", OURS[1]), format!("{} to http://1", OURS[2])]
    {
        sent.until(&sent_to_ours).await;
    }
    let all = sent.entries();
    assert!(!all.iter().any(|sent| sent.ends_with(STRANGER)), "{all:?}");
}
