//! Services: how much of them there may be at the same time.

use std::{future::pending, time::Duration};

use bayeux_oort::{OortService, Request, ServiceError};
use serde_json::json;
use tests::{cloud_hub::CloudHub, eventually, within};

use crate::{
    service::{NAME, echo, forward, hanging, service},
    wire::{nodes, patient, url},
};

#[tokio::test]
async fn no_more_requests_wait_than_may() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let mut config = patient();
    config.max_pending = 2;
    let service = service(&a, config);
    let (_other, calls) = hanging(&b, patient());
    let mut asked = Vec::new();
    for _ in 0..2 {
        let (service, to) = (service.clone(), url("b"));
        asked.push(tokio::spawn(async move { service.forward_json(Some(&to), "P").await }));
        within("the call", calls.acquire()).await.unwrap().forget();
    }
    assert_eq!(forward(&service, Some("a")).await, Err(ServiceError::TooMany(2)));
    asked.iter().for_each(|asked| asked.abort());
    eventually("the requests to be given up", || service.statistics().pending == 0).await;
    assert!(forward(&service, Some("a")).await.is_ok());
}

#[tokio::test]
async fn what_is_handled_slowly_delays_nothing_else() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let service = service(&a, patient());
    let handler = async |request: Request| match request.parameter == json!("slow") {
        true => pending().await,
        false => echo(request).await,
    };
    let other = OortService::start_with(&b, NAME, patient(), handler).unwrap();
    let (asking, to) = (service.clone(), url("b"));
    let slow = tokio::spawn(async move { asking.forward_json(Some(&to), "slow").await });
    eventually("the slow one to be handled", || other.statistics().being_handled == 1).await;
    assert!(forward(&service, Some("b")).await.is_ok());
    slow.abort();
}

#[tokio::test]
async fn a_node_that_asks_too_much_is_refused_and_others_are_not() {
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let greedy = service(&a, patient());
    let modest = service(&b, patient());
    let mut config = patient();
    config.max_handled_of_node = 2;
    let handler = async |request: Request| match request.from.url() == url("a") {
        true => pending().await,
        false => echo(request).await,
    };
    let asked = OortService::start_with(&c, NAME, config, handler).unwrap();
    for handled in 1..=2 {
        let (greedy, to) = (greedy.clone(), url("c"));
        tokio::spawn(async move { greedy.forward_json(Some(&to), "P").await });
        eventually("it to be handled", || asked.statistics().being_handled == handled).await;
    }
    let refused = forward(&greedy, Some("c")).await.unwrap_err();
    assert_eq!(refused, ServiceError::Failure("the node handles too many requests".into()));
    assert_eq!(asked.statistics().overloads, 1);
    assert!(forward(&modest, Some("c")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_has_failed() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let service = service(&a, patient());
    let mut config = patient();
    config.handler_timeout = Duration::from_secs(1);
    let (other, _calls) = hanging(&b, config);
    let failure = forward(&service, Some("b")).await.unwrap_err();
    assert_eq!(failure, ServiceError::Failure("the request takes the node too long".into()));
    eventually("its place to be free", || other.statistics().being_handled == 0).await;
}
