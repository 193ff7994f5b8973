//! Headers of the application: configured ones, and those of its hook.

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use async_trait::async_trait;
use bayeux_api::{Flow, client::FailureKind};
use std::sync::{Arc, Mutex};

use super::*;
use crate::transport::settings::HttpHook;

#[derive(Debug, Default)]
struct Hook {
    stop: Option<StatusCode>,
    seen: Mutex<Vec<(StatusCode, Option<HeaderValue>)>>,
}

#[async_trait]
impl HttpHook for Hook {
    async fn request(&self, headers: &mut HeaderMap) {
        tokio::task::yield_now().await;
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer fresh"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("1000"));
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }

    fn response(&self, status: StatusCode, headers: &HeaderMap) -> Flow {
        self.seen.lock().unwrap().push((status, headers.get("x-test").cloned()));
        if self.stop == Some(status) { Flow::Stop } else { Flow::Continue }
    }
}

#[tokio::test]
async fn configured_headers_replace_the_clients_own() {
    let (url, server) = server(vec![ok()]).await;
    let mut config = NetworkConfig::default();
    config.headers.insert("x-a", HeaderValue::from_static("1"));
    config.headers.append("x-a", HeaderValue::from_static("2"));
    config.headers.insert(header::USER_AGENT, HeaderValue::from_static("mine"));
    config.headers.insert(header::COOKIE, HeaderValue::from_static("own=1"));
    config.headers.insert(header::AUTHORIZATION, HeaderValue::from_static("secret"));
    assert!(!format!("{config:?}").contains("secret"));
    let network = Network::new(config).unwrap();
    network.put_cookie(&url, "stored=2");
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    let requests = server.await.unwrap();
    let header = |name| requests[0].header(name).unwrap();
    assert_eq!(header("x-a"), "1,2");
    assert_eq!(header("user-agent"), "mine");
    assert_eq!(header("cookie"), "own=1; stored=2");
    assert_eq!(header("authorization"), "secret");
}

#[tokio::test]
async fn a_hook_changes_requests_and_sees_responses() {
    let hook = Arc::new(Hook::default());
    let config =
        NetworkConfig { hook: Some(Arc::<Hook>::clone(&hook)), ..NetworkConfig::default() };
    let network = Network::new(config).unwrap();
    let answers = vec![
        response("200 OK", "X-Test: 1\r\n", "[]"),
        response("401 No", "X-Test: 2\r\n", ""),
        response("403 No", "X-Test: 3\r\n", ""),
    ];
    let (url, server) = server(answers).await;
    within(network.post(&url, b"[]".to_vec())).await.unwrap();
    within(network.post(&url, b"[]".to_vec())).await.unwrap_err();
    network.close_idle();
    within(network.open_websocket(&url)).await.unwrap_err();
    for request in server.await.unwrap() {
        assert_eq!(request.header("authorization").as_deref(), Some("Bearer fresh"));
        assert_ne!(request.header("content-length").as_deref(), Some("1000"));
        assert_eq!(request.header("transfer-encoding"), None);
    }
    let seen = hook.seen.lock().unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|(status, value)| (status.as_u16(), value.as_ref().unwrap().to_str().unwrap()))
        .collect();
    assert_eq!(seen, [(200, "1"), (401, "2"), (403, "3")]);
}

#[tokio::test]
async fn a_hook_stops_an_exchange() {
    let answers = vec![ok(), response("401 No", "", "")];
    let (url, server) = server(answers).await;
    for (status, is_websocket) in [(StatusCode::OK, false), (StatusCode::UNAUTHORIZED, true)] {
        let config = NetworkConfig {
            hook: Some(Arc::new(Hook { stop: Some(status), ..Hook::default() })),
            ..NetworkConfig::default()
        };
        let network = Network::new(config).unwrap();
        let failure = match is_websocket {
            false => within(network.post(&url, b"[]".to_vec())).await.unwrap_err(),
            true => within(network.open_websocket(&url)).await.unwrap_err(),
        };
        assert_eq!(failure.kind, FailureKind::Aborted, "{failure}");
    }
    server.await.unwrap();
}
