//! Services: what goes between nodes, and what of it counts for nothing.

use bayeux_oort::{Answer, Oort, OortService, Request, api::Message};
use serde_json::{Value, json};
use tests::{Errors, cloud_hub::CloudHub, eventually, within};

use crate::{
    service::{BROADCASTS, NAME, REQUESTS, echo, forward, hanging, service},
    wire::{Wire, nodes, patient, url},
};

const RESULTS: &str = "/service/oort/service/svc/result";
const CHANNELS: [&str; 3] = [REQUESTS, BROADCASTS, RESULTS];

async fn send(from: &Oort, to: &Oort, channel: &str, data: Value) {
    from.send(to.own(), Message::with_data(channel, data)).await.unwrap();
}

fn result_of(id: impl Into<Value>, from: &Oort) -> Value {
    json!({
        "oort.service.id": id.into(),
        "oort.service.url": from.own().url(),
        "oort.service.result": true,
        "oort.service.data": "R",
    })
}

#[tokio::test]
async fn requests_and_results_are_on_the_wire_as_recorded() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let (wire, _registration) = Wire::of(&b, &CHANNELS);
    let handler = async |request: Request| match request.is_local {
        true => Answer::ignore(()),
        false => echo(request).await,
    };
    let service = OortService::start_with(&a, NAME, patient(), handler).unwrap();
    for (to, id, channel) in [(Some(url("b")), 1, REQUESTS), (None, 2, BROADCASTS)] {
        let asking = service.clone();
        let asked = tokio::spawn(async move { asking.forward_json(to.as_deref(), "P").await });
        let request = json!({
            "oort.service.id": id,
            "oort.service.url": url("a"),
            "oort.service.parameter": "P",
        });
        assert_eq!(wire.next(channel).await, request);
        assert!(wire.is_empty(), "it is asked once");
        send(&b, &a, RESULTS, result_of(f64::from(id), &b)).await;
        assert_eq!(within("the result", asked).await.unwrap(), Ok("R".into()), "1.0 is a number");
    }
    for (id, channel) in [(json!("seven"), REQUESTS), (json!(7.0), BROADCASTS)] {
        let request = json!({
            "oort.service.id": id,
            "oort.service.url": url("b"),
            "oort.service.parameter": null,
            "more": 1,
        });
        send(&b, &a, channel, request).await;
        let result = json!({
            "oort.service.id": id,
            "oort.service.url": url("a"),
            "oort.service.result": true,
            "oort.service.data": { "echo": null, "from": url("b") },
        });
        assert_eq!(wire.next(RESULTS).await, result);
    }
}

#[tokio::test]
async fn a_result_of_a_node_that_was_not_asked_counts_for_nothing() {
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let service = service(&a, patient());
    let (wire, _registration) = Wire::of(&b, &CHANNELS);
    let (asking, to) = (service.clone(), url("b"));
    let asked = tokio::spawn(async move { asking.forward_json(Some(&to), "P").await });
    wire.next(REQUESTS).await;
    send(&c, &a, RESULTS, result_of(1, &c)).await;
    eventually("the forged one", || service.statistics().forged == 1).await;
    // It names the other one, too.
    send(&c, &a, RESULTS, result_of(1, &b)).await;
    eventually("the one in another's name", || service.statistics().malformed == 1).await;
    send(&b, &a, RESULTS, result_of(2, &b)).await;
    eventually("the one to nothing", || service.statistics().late == 1).await;
    send(&b, &a, RESULTS, result_of(1, &b)).await;
    assert_eq!(within("the result", asked).await.unwrap(), Ok("R".into()));
    send(&b, &a, RESULTS, result_of(1, &b)).await;
    eventually("the second one", || service.statistics().late == 2).await;
}

#[tokio::test]
async fn who_sends_what_is_refused_does_not_fill_the_log() {
    let log = Errors::and_warnings();
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let mut config = patient();
    config.max_handled_of_node = 0;
    let service = service(&a, config);
    let (_other, calls) = hanging(&b, patient());
    let (asks, to) = (service.clone(), url("b"));
    let asked = tokio::spawn(async move { asks.forward_json(Some(&to), "P").await });
    within("the call", calls.acquire()).await.unwrap().forget();
    let request = json!({ "oort.service.id": 1, "oort.service.url": url("c") });
    for _ in 0..100 {
        send(&c, &a, RESULTS, result_of(1, &c)).await;
        send(&c, &a, REQUESTS, request.clone()).await;
        send(&c, &a, REQUESTS, json!(1)).await;
    }
    eventually("all to be refused", || service.statistics().malformed == 100).await;
    assert_eq!((service.statistics().forged, service.statistics().overloads), (100, 100));
    let lines = log.take();
    assert!((3..30).contains(&lines.len()), "{lines:#?}");
    asked.abort();
}

#[tokio::test]
async fn a_request_in_another_nodes_name_is_not_handled() {
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let service = service(&a, patient());
    let (wire, _registration) = Wire::of(&b, &CHANNELS);
    let in_the_name_of_b = json!({ "oort.service.id": 1, "oort.service.url": url("b") });
    for channel in [REQUESTS, BROADCASTS] {
        send(&c, &a, channel, in_the_name_of_b.clone()).await;
    }
    eventually("both", || service.statistics().malformed == 2).await;
    assert_eq!(service.statistics().handled, 0);
    assert!(wire.is_empty());
}

#[tokio::test]
async fn values_of_wrong_types_are_counted_and_harm_nobody() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let service = service(&a, patient());
    let strange = [json!(null), json!(true), json!([]), json!({}), json!("x"), json!(-1.5)];
    let mut sent = 0;
    for channel in [REQUESTS, BROADCASTS, RESULTS] {
        for value in &strange {
            for field in ["oort.service.id", "oort.service.url", "oort.service.result"] {
                let mut data = result_of(1, &b);
                data[field] = value.clone();
                send(&b, &a, channel, data).await;
                sent += 1;
            }
            send(&b, &a, channel, value.clone()).await;
            sent += 1;
        }
        b.send(a.own(), Message::new(channel)).await.unwrap();
        sent += 1;
    }
    eventually("all of them", || {
        let it = service.statistics();
        it.malformed + it.late + it.handled == sent
    })
    .await;
    let it = service.statistics();
    // A request may have a text or any number as its id, and whatever it likes as "oort.service.result".
    assert_eq!(it.handled, 2 * (2 + 6));
    // And a result is as it should be if it says that it is one.
    assert_eq!(it.late, 1);
    let _other = OortService::start(&b, NAME, echo).unwrap();
    assert!(forward(&service, Some("b")).await.is_ok());
}
