//! Services: what a node asks of another one, or of all, and what becomes of it.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bayeux_oort::{
    Answer, Oort, OortService, Request, SendError, ServiceConfig, ServiceError,
    api::{Json, Message, implement::lock},
};
use serde_json::json;
use tests::{
    cloud_hub::CloudHub,
    cloud_scene::{Joint, Scene},
    eventually, over_every_cloud, within,
};
use tokio::sync::{Notify, Semaphore};

use crate::wire::{nodes, patient, url};

pub(crate) const NAME: &str = "svc";
pub(crate) const REQUESTS: &str = "/service/oort/service/svc";
pub(crate) const BROADCASTS: &str = "/oort/service/svc";

fn brief() -> ServiceConfig {
    let mut config = patient();
    config.timeout = Duration::from_secs(5);
    config
}

/// Answers with what was asked, and who asked.
pub(crate) async fn echo(request: Request) -> Answer {
    Answer::success(json!({ "echo": request.parameter, "from": request.from.url() }))
}

pub(crate) fn service(oort: &Oort, config: ServiceConfig) -> OortService {
    OortService::start_with(oort, NAME, config, echo).unwrap()
}

fn answering(oort: &Oort, answer: &Answer) -> OortService {
    let answer = answer.clone();
    let handler = move |_| std::future::ready(answer.clone());
    OortService::start_with(oort, NAME, patient(), handler).unwrap()
}

/// A service whose handler never comes to an end, and how often it was called.
pub(crate) fn hanging(oort: &Oort, config: ServiceConfig) -> (OortService, Arc<Semaphore>) {
    let calls = Arc::new(Semaphore::new(0));
    let called = calls.clone();
    let handler = move |_| {
        called.add_permits(1);
        pending::<Answer>()
    };
    (OortService::start_with(oort, NAME, config, handler).unwrap(), calls)
}

pub(crate) async fn forward(service: &OortService, to: Option<&str>) -> Result<Json, ServiceError> {
    ask(service, to.map(url).as_deref()).await
}

async fn ask(service: &OortService, url: Option<&str>) -> Result<Json, ServiceError> {
    within("a result", service.forward_json(url, "P")).await
}

/// Has times pass at once, where that is possible: what comes by a socket does not come at once.
fn pause_without_sockets(joint: Joint) {
    if joint == Joint::InProcess {
        tokio::time::pause();
    }
}

async fn a_request_is_handled_by_the_node_that_is_named_even_if_it_is_the_own_one(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let (service, _other) = (service(scene.oort(0), patient()), service(scene.oort(1), patient()));
    for to in 0..2 {
        let result = ask(&service, Some(scene.url(to))).await.unwrap();
        assert_eq!(result, json!({ "echo": "P", "from": scene.url(0) }));
    }
    assert_eq!(service.statistics().handled, 1);
    assert_eq!(service.statistics().pending, 0);
}

#[tokio::test]
async fn what_is_asked_and_answered_may_be_of_any_type() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let add = async |request: Request| {
        let (one, other): (i64, i64) = request.to()?;
        Ok::<_, serde_json::Error>(Answer::success(one + other))
    };
    let service = OortService::start(&a, NAME, add).unwrap();
    let _other = OortService::start(&b, NAME, add).unwrap();
    assert_eq!(service.forward(Some(&url("b")), (20, 22)).await, Ok(42));
    let text = service.forward::<String>(Some(&url("b")), (20, 22)).await;
    assert!(matches!(text, Err(ServiceError::Result(_))), "{text:?}");
    let failed = service.forward::<i64>(Some(&url("b")), "x").await;
    assert!(matches!(failed, Err(ServiceError::Failure(_))), "{failed:?}");
    let unnamed = std::collections::BTreeMap::from([([1], 1)]);
    let unsent = service.forward::<i64>(Some(&url("b")), unnamed).await;
    assert!(matches!(unsent, Err(ServiceError::Parameter(_))), "{unsent:?}");
}

async fn a_node_that_is_not_there_is_not_asked(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let (service, _other) = (service(scene.oort(0), patient()), service(scene.oort(1), patient()));
    let unknown = ask(&service, Some(NOWHERE)).await;
    assert_eq!(unknown, Err(ServiceError::Unknown(NOWHERE.to_owned())));
    assert_eq!(service.statistics().pending, 0);
}

async fn of_all_nodes_the_one_that_has_something_to_say_answers(joint: Joint) {
    let scene = Scene::start(joint, 3).await;
    let ignoring = answering(scene.oort(0), &Answer::ignore("I"));
    let _ignoring = answering(scene.oort(1), &Answer::ignore("I"));
    let answering = answering(scene.oort(2), &Answer::success("R"));
    scene.is_observed(BROADCASTS).await;
    assert_eq!(ask(&ignoring, None).await, Ok("R".into()));
    assert_eq!(ask(&answering, None).await, Ok("R".into()), "its own answer");
}

async fn who_is_asked_alone_and_ignores_it_has_failed(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let service = answering(scene.oort(0), &Answer::ignore("I"));
    let _other = answering(scene.oort(1), &Answer::ignore("I"));
    for to in 0..2 {
        assert_eq!(
            ask(&service, Some(scene.url(to))).await,
            Err(ServiceError::Failure("I".into()))
        );
    }
}

async fn a_failure_is_told_to_one_who_asked_one_node_or_all(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let service = answering(scene.oort(0), &Answer::ignore("I"));
    let _other = answering(scene.oort(1), &Answer::failure(json!({ "code": 7 })));
    scene.is_observed(BROADCASTS).await;
    for to in [Some(scene.url(1)), None] {
        let failure = ask(&service, to).await.unwrap_err();
        assert_eq!(failure, ServiceError::Failure(json!({ "code": 7 }).into()));
    }
}

async fn a_panic_or_error_is_a_failure_with_what_it_says(joint: Joint) {
    let scene = Scene::start(joint, 2).await;
    let service = service(scene.oort(0), patient());
    let at_once = |_| -> std::future::Ready<Answer> { panic!("at once") };
    let later = async |_| -> Answer {
        tokio::task::yield_now().await;
        panic!("later")
    };
    let error = async |_| Err::<Answer, _>("an error");
    let other = OortService::start(scene.oort(1), NAME, at_once).unwrap();
    let failure = |text: &str| Err(ServiceError::Failure(text.into()));
    assert_eq!(ask(&service, Some(scene.url(1))).await, failure("at once"));
    drop(other);
    let other = OortService::start(scene.oort(1), NAME, later).unwrap();
    assert_eq!(ask(&service, Some(scene.url(1))).await, failure("later"));
    drop(other);
    let _other = OortService::start(scene.oort(1), NAME, error).unwrap();
    assert_eq!(ask(&service, Some(scene.url(1))).await, failure("an error"));
}

#[tokio::test]
async fn a_panic_is_nothing_to_one_who_asked_all_nodes() {
    let [a, b, c] = nodes(&CloudHub::default(), ["a", "b", "c"]).await;
    let panics = |_| -> std::future::Ready<Answer> { panic!("at once") };
    let service = OortService::start_with(&a, NAME, patient(), panics).unwrap();
    let other = OortService::start_with(&b, NAME, patient(), panics).unwrap();
    let goes_on = Arc::new(Notify::new());
    let waits = goes_on.clone();
    let slow = move |_| {
        let waits = waits.clone();
        async move {
            waits.notified().await;
            Answer::success("R")
        }
    };
    let _slow = OortService::start_with(&c, NAME, patient(), slow).unwrap();
    let asking = service.clone();
    let asked = tokio::spawn(async move { forward(&asking, None).await });
    let has_panicked = |service: &OortService| {
        let statistics = service.statistics();
        statistics.handled == 1 && statistics.being_handled == 0
    };
    eventually("both to panic", || has_panicked(&service) && has_panicked(&other)).await;
    goes_on.notify_one();
    assert_eq!(within("the result", asked).await.unwrap(), Ok("R".into()));
}

async fn what_nobody_answers_fails_at_its_time(joint: Joint) {
    pause_without_sockets(joint);
    let scene = Scene::start(joint, 2).await;
    let service =
        OortService::start_with(scene.oort(0), NAME, brief(), async |_| Answer::ignore(()))
            .unwrap();
    let (_other, calls) = hanging(scene.oort(1), patient());
    scene.is_observed(BROADCASTS).await;
    for to in [None, Some(scene.url(1))] {
        let timeout = ask(&service, to).await;
        assert_eq!(timeout, Err(ServiceError::Timeout(Duration::from_secs(5))));
        calls.acquire().await.unwrap().forget();
    }
    assert_eq!(service.statistics().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn times_may_be_as_long_or_short_as_there_are() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let with = |time| {
        let mut config = ServiceConfig::default();
        (config.timeout, config.handler_timeout) = (time, time);
        config
    };
    let (long, _other) = (service(&a, with(Duration::MAX)), service(&b, with(Duration::MAX)));
    for to in [None, Some("a"), Some("b")] {
        assert!(forward(&long, to).await.is_ok());
    }
    drop(long);
    let short = service(&a, with(Duration::ZERO));
    for to in [None, Some("a"), Some("b")] {
        assert_eq!(forward(&short, to).await, Err(ServiceError::Timeout(Duration::ZERO)));
    }
}

async fn a_late_result_is_nobodys(joint: Joint) {
    pause_without_sockets(joint);
    let scene = Scene::start(joint, 2).await;
    let service = service(scene.oort(0), brief());
    let goes_on = Arc::new(Notify::new());
    let waits = goes_on.clone();
    let handler = move |request| {
        let waits = waits.clone();
        async move {
            waits.notified().await;
            echo(request).await
        }
    };
    let other = OortService::start_with(scene.oort(1), NAME, patient(), handler).unwrap();
    let late = ask(&service, Some(scene.url(1))).await;
    assert!(matches!(late, Err(ServiceError::Timeout(_))), "{late:?}");
    let to = scene.url(1).to_owned();
    let next = tokio::spawn(async move {
        let result = ask(&service, Some(&to)).await;
        (service, result)
    });
    eventually("both to be handled", || other.statistics().being_handled == 2).await;
    goes_on.notify_one();
    goes_on.notify_one();
    let (service, result) = within("the next result", next).await.unwrap();
    assert_eq!(result.unwrap(), json!({ "echo": "P", "from": scene.url(0) }));
    assert_eq!(service.statistics().late, 1);
}

over_every_cloud!(
    a_request_is_handled_by_the_node_that_is_named_even_if_it_is_the_own_one,
    a_node_that_is_not_there_is_not_asked,
    of_all_nodes_the_one_that_has_something_to_say_answers,
    who_is_asked_alone_and_ignores_it_has_failed,
    a_failure_is_told_to_one_who_asked_one_node_or_all,
    a_panic_or_error_is_a_failure_with_what_it_says,
    what_nobody_answers_fails_at_its_time,
    a_late_result_is_nobodys,
);

/// Where no node is.
const NOWHERE: &str = "http://nowhere.invalid:8080/cometd";

#[tokio::test]
async fn a_node_that_leaves_fails_what_it_was_asked_at_once() {
    let hub = CloudHub::default();
    let [a, b] = nodes(&hub, ["a", "b"]).await;
    let service = service(&a, patient());
    let (_other, calls) = hanging(&b, patient());
    let (asking, to) = (service.clone(), url("b"));
    let asked = tokio::spawn(async move { asking.forward_json(Some(&to), "P").await });
    within("the call", calls.acquire()).await.unwrap().forget();
    hub.cut(&url("a"), &url("b"));
    let left = within("the failure", asked).await.unwrap();
    assert_eq!(left, Err(ServiceError::Left(url("b"))));
}

#[tokio::test]
async fn a_request_to_all_fails_when_no_node_is_left_that_could_answer() {
    let hub = CloudHub::default();
    let [a, b] = nodes(&hub, ["a", "b"]).await;
    let service = answering(&a, &Answer::ignore("I"));
    let (_other, calls) = hanging(&b, patient());
    let asking = service.clone();
    let asked = tokio::spawn(async move { asking.forward_json(None, "P").await });
    within("the call", calls.acquire()).await.unwrap().forget();
    b.stop().await;
    assert_eq!(within("the failure", asked).await.unwrap(), Err(ServiceError::Nobody));
    assert_eq!(forward(&service, None).await, Err(ServiceError::Nobody), "it is alone");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_ends_fails_what_it_asked_and_is_asked_no_more() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let (service, calls) = hanging(&a, patient());
    let other = OortService::start_with(&b, NAME, brief(), echo).unwrap();
    let asking = service.clone();
    let asked = tokio::spawn(async move { asking.forward_json(Some(&url("a")), "P").await });
    within("the call", calls.acquire()).await.unwrap().forget();
    service.stop();
    assert_eq!(within("the end", asked).await.unwrap(), Err(ServiceError::Stopped));
    assert_eq!(forward(&service, Some("b")).await, Err(ServiceError::Stopped));
    let unanswered = forward(&other, Some("a")).await;
    assert!(matches!(unanswered, Err(ServiceError::Timeout(_))), "{unanswered:?}");
    assert_eq!(calls.available_permits(), 0);
}

#[tokio::test]
async fn a_handler_may_hold_its_service_and_goes_with_it() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let _other = service(&b, patient());
    let own = Arc::new(Mutex::new(None::<OortService>));
    let held = Arc::downgrade(&own);
    let handler = move |request: Request| {
        let service = lock(&own).clone();
        async move {
            let service = service.ok_or("not yet")?;
            let result = service.forward_json(Some(&url("b")), request.parameter).await;
            result.map(Answer::success).map_err(|_| "it failed")
        }
    };
    let service = OortService::start_with(&a, NAME, patient(), handler).unwrap();
    *lock(&held.upgrade().unwrap()) = Some(service.clone());
    assert!(forward(&service, Some("a")).await.is_ok());
    service.stop();
    eventually("the handler to be dropped", || held.upgrade().is_none()).await;
}

#[tokio::test]
async fn a_node_that_has_left_the_cloud_asks_nobody() {
    let [a, b] = nodes(&CloudHub::default(), ["a", "b"]).await;
    let (service, _other) = (service(&a, patient()), service(&b, patient()));
    a.stop().await;
    let unknown = forward(&service, Some("b")).await;
    assert_eq!(unknown, Err(ServiceError::Unknown(url("b"))));
    let sent = a.send(b.own(), Message::with_data(REQUESTS, json!({}))).await;
    assert_eq!(sent, Err(SendError::NotJoined(url("b"))));
}
