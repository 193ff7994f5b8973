//! Remote calls: the answer, a failure, and none.

use std::time::Duration;

use bayeux_client::{
    Config,
    api::{
        ChannelIdError, ConnectionType, Json,
        client::{ClientSession, RequestError},
    },
};
use bayeux_server::Request;
use serde_json::json;
use tests::{TestServer, over_every_client_transport, within};

use crate::scene::{Denies, refusal};

over_every_client_transport!(
    it_is_answered,
    a_failure_is_an_answer_that_is_not_successful,
    what_the_server_refuses_fails,
    what_nobody_answers_times_out,
    without_a_session_it_fails,
    calls_are_answered_in_any_order,
    an_abort_ends_it,
);

async fn echo(request: Request) -> Result<Json, Json> {
    let data = request.message.data.unwrap();
    match data.value().get("fail") {
        Some(failure) => Err(failure.clone().into()),
        None => Ok(data),
    }
}

async fn it_is_answered(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let client = server.bayeux_client(transport).await;
    for target in ["rpc/echo", "/rpc/echo"] {
        let call = client.remote_call(target, json!({ "n": 1 })).unwrap();
        let answer = within("the answer", call).await.unwrap();
        assert_eq!(answer.data.unwrap(), json!({ "n": 1 }));
        assert_eq!(answer.successful, Some(true));
    }
    let session: &dyn ClientSession = &client;
    let answer = within("the answer", session.remote_call("rpc/echo", json!([2]).into())).await;
    assert_eq!(answer.unwrap().data.unwrap(), json!([2]));
}

async fn a_failure_is_an_answer_that_is_not_successful(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let client = server.bayeux_client(transport).await;
    let call = client.remote_call("rpc/echo", json!({ "fail": "why" })).unwrap();
    let answer = within("the answer", call).await.unwrap();
    assert_eq!((answer.successful, answer.data.unwrap()), (Some(false), json!("why").into()));
}

async fn what_the_server_refuses_fails(transport: ConnectionType) {
    let server = Denies("publish").server().await;
    let client = server.bayeux_client(transport).await;
    let call = client.remote_call("rpc/echo", json!({})).unwrap();
    assert!(refusal(within("the answer", call).await).starts_with("403"));
    let wild = client.remote_call("rpc/*", json!({}));
    assert_eq!(wild.unwrap_err(), ChannelIdError::Wild);
    assert!(client.remote_call("", json!({})).is_err());
    assert!(client.remote_call("/", json!({})).is_err());
}

async fn what_nobody_answers_times_out(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut config = Config::default();
    config.remote_call_timeout = Duration::from_millis(50);
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let call = client.remote_call("rpc/nobody", json!({})).unwrap();
    assert_eq!(within("the answer", call).await.unwrap_err(), RequestError::Timeout);
    within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
}

async fn without_a_session_it_fails(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.builder(transport).build().unwrap();
    let call = client.remote_call("rpc/echo", json!({})).unwrap();
    assert_eq!(within("the answer", call).await.unwrap_err(), RequestError::NotHandshaken);
}

async fn calls_are_answered_in_any_order(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut service = server.server.new_service("rpc").await.unwrap();
    let (release, released) = tokio::sync::watch::channel(false);
    let slow = move |_: Request| {
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok::<Json, Json>(json!("slow").into())
        }
    };
    service.remote_call("rpc/slow", slow).unwrap();
    service.remote_call("rpc/echo", echo).unwrap();
    let client = server.bayeux_client(transport).await;
    let calls = client.batch(|| {
        ["rpc/slow", "rpc/echo"].map(|target| client.remote_call(target, json!("fast")).unwrap())
    });
    release.send_replace(true);
    let [slow, fast] = calls;
    assert_eq!(within("the answer", fast).await.unwrap().data.unwrap(), json!("fast"));
    assert_eq!(within("the answer", slow).await.unwrap().data.unwrap(), json!("slow"));
}

async fn an_abort_ends_it(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let call = client.remote_call("rpc/nobody", json!({})).unwrap();
    client.abort();
    let failed = within("the answer", call).await;
    assert!(matches!(failed, Err(RequestError::Failed(_))), "{failed:?}");
}
