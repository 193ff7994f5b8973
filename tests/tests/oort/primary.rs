//! What one node does for all, and which one that is where it is set.

use bayeux_oort::{
    Answer, Oort, OortPrimaryLong, OortPrimaryService, Request, Role, ServiceError, api::Message,
};
use serde_json::json;
use tests::{
    cloud_hub::CloudHub,
    cloud_scene::{Joint, Scene},
    eventually, over_every_cloud, within,
};

use crate::wire::{Wire, nodes, patient, url};

pub(crate) const NAME: &str = "ids";

async fn long(oort: &Oort, role: Role, initial: i64) -> OortPrimaryLong {
    OortPrimaryLong::start_with(oort, NAME, role, patient(), initial).await.unwrap()
}

/// A service that says which node did it.
pub(crate) async fn service(oort: &Oort, role: Role) -> OortPrimaryService {
    let own = oort.own().url().to_owned();
    let handler = move |_: Request| std::future::ready(Answer::success(own.clone()));
    OortPrimaryService::start_with(oort, NAME, role, patient(), handler).await.unwrap()
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
