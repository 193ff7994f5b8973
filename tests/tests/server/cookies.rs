//! The cookie that tells browsers apart.

use bayeux_server::{Config, SameSite};
use http::{Response, header};
use serde_json::json;
use tests::{Http, TestServer};

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;

fn cookie<B>(response: &Response<B>) -> Option<&str> {
    response.headers().get(header::SET_COOKIE).map(|value| value.to_str().unwrap())
}

async fn cookie_of_a_handshake(
    configure: impl FnOnce(&mut Config),
    headers: &[(&str, &str)],
) -> Option<String> {
    let server = TestServer::start(configure).await;
    let response = Http::new(server.address).post("/", headers, HANDSHAKE).await.unwrap();
    assert_eq!(response.status(), 200);
    cookie(&response).map(str::to_owned)
}

#[tokio::test]
async fn a_handshake_without_one_sets_one() {
    let cookie = cookie_of_a_handshake(|_| {}, &[]).await.unwrap();
    let value = cookie.strip_prefix("BAYEUX_BROWSER=").unwrap();
    let value = value.strip_suffix("; Path=/; HttpOnly").unwrap();
    assert_eq!(value.len(), 16);
    assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[tokio::test]
async fn a_handshake_with_one_keeps_it() {
    let headers = [("cookie", "a=b; BAYEUX_BROWSER=0123456789abcdef")];
    assert_eq!(cookie_of_a_handshake(|_| {}, &headers).await, None);
}

#[tokio::test]
async fn a_handshake_with_one_that_is_not_ours_gets_another() {
    let headers = [("cookie", "BAYEUX_BROWSER=<script>")];
    assert!(cookie_of_a_handshake(|_| {}, &headers).await.is_some());
}

#[tokio::test]
async fn a_refused_handshake_sets_none() {
    let server = TestServer::serve(
        bayeux_server::Server::builder().policy(crate::policy::Denies("handshake")).build(),
    )
    .await;
    let response = Http::new(server.address).post("/", &[], HANDSHAKE).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(cookie(&response), None);
}

#[tokio::test]
async fn only_a_handshake_sets_one() {
    let server = TestServer::start(|_| {}).await;
    let body = json!([{ "channel": "/meta/connect", "clientId": "x" }]).to_string();
    let response = Http::new(server.address).post("/", &[], body).await.unwrap();
    assert_eq!(cookie(&response), None);
}

#[tokio::test]
async fn its_attributes_are_configured() {
    let configure = |config: &mut Config| {
        let cookie = &mut config.http.cookie;
        cookie.name = "TAB".to_owned();
        cookie.domain = Some("example.org".to_owned());
        cookie.path = Some("/cometd".to_owned());
        cookie.max_age = Some(0);
        cookie.http_only = false;
        cookie.secure = true;
        cookie.same_site = Some(SameSite::None);
        cookie.partitioned = true;
    };
    let attributes = |cookie: String| cookie.split_once("; ").unwrap().1.to_owned();
    let cookie = cookie_of_a_handshake(configure, &[("x-forwarded-proto", "https")]).await.unwrap();
    assert!(cookie.starts_with("TAB="), "{cookie}");
    assert_eq!(
        attributes(cookie),
        "Domain=example.org; Path=/cometd; Max-Age=0; Secure; SameSite=None; Partitioned"
    );
    // Secure only if the request is.
    let cookie = cookie_of_a_handshake(configure, &[]).await.unwrap();
    assert_eq!(
        attributes(cookie),
        "Domain=example.org; Path=/cometd; Max-Age=0; SameSite=None; Partitioned"
    );
}
