//! The cookie that tells browsers apart.

use bayeux_server::{Config, SameSite};
use http::{HeaderValue, Method, Response, header};
use http_body_util::Full;
use serde_json::{Value, json};
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

/// Connects with these bytes as `Cookie` header, in which `{}` stands for the browser's own, and returns
/// whether the server knows the session.
async fn connects_with(cookies: &[u8], browser: &str, http: &Http, client_id: &str) -> bool {
    let place = cookies.windows(2).position(|part| part == b"{}").unwrap();
    let value = [&cookies[..place], browser.as_bytes(), &cookies[place + 2..]].concat();
    let value = HeaderValue::from_bytes(&value).unwrap();
    let connect = json!([{ "channel": "/meta/connect", "clientId": client_id,
        "connectionType": "long-polling", "advice": { "timeout": 0 } }]);
    let request = http.request(Method::POST, "/").header(header::COOKIE, value);
    let request = request.body(Full::new(connect.to_string().into())).unwrap();
    let response = http.send(request).await.unwrap();
    let replies: Vec<Value> = serde_json::from_slice(response.body()).unwrap();
    replies[0]["successful"] == true
}

#[tokio::test]
async fn it_is_found_however_odd_the_others_are() {
    let server = TestServer::start(|_| {}).await;
    for http in [Http::new(server.address), Http::http2(server.address).await] {
        let response = http.post("/", &[], HANDSHAKE).await.unwrap();
        let browser = cookie(&response).unwrap().split_once(';').unwrap().0.to_owned();
        let replies: Vec<Value> = serde_json::from_slice(response.body()).unwrap();
        let client_id = replies[0]["clientId"].as_str().unwrap();
        for cookies in [
            "city=Z\u{fc}rich; {}".as_bytes(),
            b"city=Z\xfcrich; {}",
            b"{}; city=Z\xfcrich",
            b"q=\"open; {}",
            b"q=\"open; {}; r=\"",
            b"q=\"; {}; r=\"; s=1",
            b"q=\"a\"b; {}",
            b"=; ;; {}",
            b"$Version=1; {}; $Path=/",
            b"BAYEUX_BROWSER=; {}",
            b"BAYEUX_BROWSER=not-one; {}",
            b"BAYEUX_BROWSER=Z\xfcrich; {}",
            b"BAYEUX_BROWSER; {}",
            b" {} ",
        ] {
            let connects = connects_with(cookies, &browser, &http, client_id).await;
            assert!(connects, "{}", String::from_utf8_lossy(cookies));
        }
        assert!(!connects_with(b"other=1; X{}", &browser, &http, client_id).await);
    }
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
    let header = [("x-forwarded-proto", "HTTPS, http")];
    let cookie = cookie_of_a_handshake(configure, &header).await.unwrap();
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
