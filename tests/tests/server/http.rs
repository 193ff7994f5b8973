//! The HTTP face: which transport takes a request, and what the responses look like.

use axum::Router;
use bayeux_server::{Config, Server, api::ConnectionType};
use http::{Method, Response, Version, header};
use http_body_util::Full;
use tests::{Http, TestServer, raw::Raw};

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;
const CONNECT: &str = "%5B%7B%22channel%22:%22/meta/connect%22%7D%5D";

fn content_type<B>(response: &Response<B>) -> &str {
    response.headers()[header::CONTENT_TYPE].to_str().unwrap()
}

#[tokio::test]
async fn long_polling_answers_with_json() {
    let server = TestServer::start(|_| {}).await;
    let response = Http::new(server.address).post("/", &[], HANDSHAKE).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(content_type(&response), "application/json");
    assert!(response.body().starts_with(b"[{") && response.body().ends_with(b"}]"));
}

#[tokio::test]
async fn callback_polling_answers_with_a_call() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    let response = http.get(&format!("/?jsonp=a.b_c-1&message={CONNECT}"), &[]).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(content_type(&response), "text/javascript;charset=UTF-8");
    // Neither a comment before it nor a semicolon behind it.
    assert!(response.body().starts_with(b"a.b_c-1([{") && response.body().ends_with(b"}])"));
    let several = format!("/?message={CONNECT}&jsonp=f&message={CONNECT}");
    let response = http.get(&several, &[]).await.unwrap();
    let body = str::from_utf8(response.body()).unwrap();
    assert_eq!(body.matches("402::session_unknown").count(), 2);
}

#[tokio::test]
async fn a_callback_is_one_plain_name() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    for callback in [
        "jsonp=",
        "jsonp=a%28",
        "jsonp=%3Cscript%3E",
        "jsonp=a%0Ab",
        "jsonp=a&jsonp=b",
        "x=y",
        &format!("jsonp={}", "a".repeat(65)),
    ] {
        let path = format!("/?{callback}&message={CONNECT}");
        let response = http.get(&path, &[]).await.unwrap();
        assert_eq!(response.status(), 400, "{callback}");
        let body = str::from_utf8(response.body()).unwrap();
        assert!(body.contains("Unknown Bayeux Transport"), "{body}");
    }
}

#[tokio::test]
async fn the_callback_parameter_is_configured() {
    let server = TestServer::start(|config| {
        config.jsonp.callback_parameter = "call".to_owned();
        config.jsonp.callback_parameter_max_length = 10;
    })
    .await;
    let http = Http::new(server.address);
    for (parameter, status) in
        [("call=0123456789", 200), ("call=0123456789a", 400), ("jsonp=a", 400)]
    {
        let path = format!("/?{parameter}&message={CONNECT}");
        let response = http.get(&path, &[]).await.unwrap();
        assert_eq!(response.status(), status, "{parameter}");
    }
}

#[tokio::test]
async fn without_messages_a_callback_fails() {
    let server = TestServer::start(|_| {}).await;
    let response = Http::new(server.address).get("/?jsonp=f", &[]).await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn what_no_transport_takes_is_told() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD] {
        let request = http.request(method.clone(), "/").body(Full::default()).unwrap();
        assert_eq!(http.send(request).await.unwrap().status(), 400, "{method}");
    }
}

#[tokio::test]
async fn a_request_is_for_one_host() {
    let server = TestServer::start(|_| {}).await;
    for (hosts, status) in [
        ("", "400 Bad Request"),
        ("host: a\r\nhost: b\r\n", "400 Bad Request"),
        ("host: a\r\nHost: a\r\n", "400 Bad Request"),
        ("host: a\r\n", "200 OK"),
        ("host:\r\n", "200 OK"),
        ("host: a_b.example:8080\r\n", "200 OK"),
        ("host: a:\r\n", "200 OK"),
        ("host: [::1]\r\n", "200 OK"),
        ("host: [::1]:80\r\n", "200 OK"),
        // What is no host (RFC 9112, section 3.2).
        ("host: a b\r\n", "400 Bad Request"),
        ("host: a/b\r\n", "400 Bad Request"),
        ("host: a?b\r\n", "400 Bad Request"),
        ("host: a#b\r\n", "400 Bad Request"),
        ("host: u@a\r\n", "400 Bad Request"),
        ("host: a, b\r\n", "400 Bad Request"),
        ("host: a\\b\r\n", "400 Bad Request"),
        ("host: <a>\r\n", "400 Bad Request"),
        ("host: a:b\r\n", "400 Bad Request"),
        ("host: a:1:2\r\n", "400 Bad Request"),
        ("host: [::1\r\n", "400 Bad Request"),
        ("host: [::1]x\r\n", "400 Bad Request"),
        ("host: \u{e9}\r\n", "400 Bad Request"),
    ] {
        let length = HANDSHAKE.len();
        let mut raw = Raw::connect(server.address).await;
        let head = format!("POST / HTTP/1.1\r\n{hosts}content-length: {length}\r\n\r\n{HANDSHAKE}");
        assert!(raw.write(head).await);
        let read = raw.read_until("\r\n").await;
        assert!(read.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{hosts:?}: {read}");
    }
}

#[tokio::test]
async fn a_browser_remembers_that_it_may_ask() {
    for age in [1_800, 7, 0] {
        let server = Server::builder();
        let mut config = Config::default();
        config.preflight_max_age = age;
        let server = server.config(config).build();
        let app = Router::new().fallback_service(server.service()).layer(server.cors());
        let server = TestServer::serve_router(server, app).await;
        let http = Http::new(server.address);
        let request =
            http.request(Method::OPTIONS, "/").header(header::ORIGIN, "https://a.example");
        let request = request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        let response = http.send(request.body(Full::default()).unwrap()).await.unwrap();
        let told = response.headers()[header::ACCESS_CONTROL_MAX_AGE].to_str().unwrap();
        assert_eq!(told, age.to_string());
    }
}

#[tokio::test]
async fn options_are_answered_with_nothing() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    let request = http.request(Method::OPTIONS, "/").body(Full::default()).unwrap();
    let response = http.send(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn a_transport_that_is_not_allowed_takes_nothing() {
    let server = TestServer::start(|config| {
        config.allowed_transports = vec![ConnectionType::CallbackPolling];
    })
    .await;
    assert_eq!(server.server.allowed_transports(), [ConnectionType::CallbackPolling]);
    let http = Http::new(server.address);
    assert_eq!(http.post("/", &[], HANDSHAKE).await.unwrap().status(), 400);
    let path = format!("/?jsonp=f&message={CONNECT}");
    assert_eq!(http.get(&path, &[]).await.unwrap().status(), 200);
    let upgrade = tests::upgrade_request(server.address, Version::HTTP_11, "/");
    let refused = tests::open_websocket(server.address, upgrade).await.unwrap_err();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn pages_of_other_origins_may_be_kept_out() {
    let server = TestServer::start(|config| {
        config.allowed_origins = Some(vec!["https://friend.example".to_owned()]);
    })
    .await;
    for (version, http) in [
        (Version::HTTP_11, Http::new(server.address)),
        (Version::HTTP_2, Http::http2(server.address).await),
    ] {
        let own = format!("http://{}", server.address);
        for (origin, status) in
            [("https://friend.example", 200), (&own, 200), ("https://evil.example", 403)]
        {
            let response = http.post("/", &[("origin", origin)], HANDSHAKE).await.unwrap();
            assert_eq!(response.status(), status, "{origin} over {version:?}");
            let mut upgrade = tests::upgrade_request(server.address, version, "/");
            upgrade.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
            let opened = tests::open_websocket(server.address, upgrade).await;
            assert_eq!(opened.is_ok(), status == 200, "{origin} over {version:?}");
        }
    }
}

#[tokio::test]
async fn bad_requests_get_cometds_statuses() {
    let server = TestServer::start(|_| {}).await;
    let http = Http::new(server.address);
    for (body, status) in [
        (&b"[{\"channel\":"[..], 400),
        (b"not json", 400),
        (b"", 400),
        (b"[]", 400),
        (b"[[]]", 400),
        (b"7", 400),
    ] {
        let response = http.post("/", &[], body).await.unwrap();
        assert_eq!(response.status(), status, "{body:?}");
        assert!(!response.body().is_empty());
    }
    assert_eq!(server.server.statistics().malformed, 6);
}
