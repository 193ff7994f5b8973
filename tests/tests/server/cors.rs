//! What pages of other origins may read: every answer of the server, also one that refuses.

use std::time::Duration;

use axum::Router;
use bayeux_server::{Config, Server};
use bytes::Bytes;
use http::{Response, Version, header};
use serde_json::{Value, json};
use tests::{Http, TestServer, eventually, raw::Raw, within};

const FRIEND: &str = "https://friend.example";
const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;

/// A server that lets pages of one origin in, as applications do.
async fn start() -> TestServer {
    start_with(|_| {}).await
}

async fn start_with(configure: fn(&mut Config)) -> TestServer {
    let mut config = Config::default();
    config.allowed_origins = Some(vec![FRIEND.to_owned()]);
    config.url_mapping = vec!["/cometd/*".to_owned()];
    config.http.trust_client_session = true;
    config.long_polling.max_message_size = 1_000;
    config.long_polling.timeout = Duration::from_secs(600);
    configure(&mut config);
    let server = Server::builder().config(config).build();
    let app = Router::new().fallback_service(server.service()).layer(server.cors());
    TestServer::serve_router(server, app).await
}

/// Whether a page of the origin can read a response.
fn is_readable(response: &Response<Bytes>) -> bool {
    let headers = response.headers();
    let is_ours = headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).is_some_and(|v| v == FRIEND);
    is_ours && headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS] == "true"
}

async fn each(version: Version) {
    let server = start().await;
    let http = match version {
        Version::HTTP_2 => Http::http2(server.address).await,
        _ => Http::new(server.address),
    };
    let post = async |path: &str, more: &[(&str, &str)], body: &str| {
        let headers = [&[("origin", FRIEND)], more].concat();
        http.post(path, &headers, body.to_owned()).await.unwrap()
    };
    let large = "x".repeat(2_000);
    for (path, more, body, status) in [
        ("/cometd", &[][..], HANDSHAKE, 200),
        ("/cometd", &[], "[", 400),
        ("/cometd", &[], "[]", 400),
        ("/elsewhere", &[], HANDSHAKE, 404),
        ("/cometd", &[], &large, 413),
        ("/cometd", &[("content-encoding", "gzip")], HANDSHAKE, 415),
        ("/cometd", &[("content-type", "a/b;charset=klingon")], HANDSHAKE, 415),
    ] {
        let response = post(path, more, body).await;
        assert_eq!(response.status(), status, "{path} {more:?}");
        assert!(is_readable(&response), "{status} over {version:?}: {response:?}");
    }
    for path in ["/cometd", "/cometd?jsonp=a*b", "/cometd?jsonp=a"] {
        let response = http.get(path, &[("origin", FRIEND)]).await.unwrap();
        assert_eq!(response.status(), 400, "{path}");
        assert!(is_readable(&response), "{path} over {version:?}: {response:?}");
    }
    let response = http.post("/cometd", &[("origin", "https://evil.example")], HANDSHAKE).await;
    let response = response.unwrap();
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));

    let reply = post("/cometd", &[], HANDSHAKE).await;
    let reply: Value = serde_json::from_slice(reply.body()).unwrap();
    let connect = |timeout: Option<u64>| {
        let mut message = json!({
            "channel": "/meta/connect", "clientId": reply[0]["clientId"], "id": "1",
            "connectionType": "long-polling",
        });
        if let Some(timeout) = timeout {
            message["advice"] = json!({ "timeout": timeout });
        }
        json!([message]).to_string()
    };
    post("/cometd", &[], &connect(None)).await;
    let (held, next) = (connect(None), connect(Some(0)));
    let overtake = async {
        let is_held = || server.server.statistics().held_connects == 1;
        eventually("the connect to be held", is_held).await;
        post("/cometd", &[], &next).await
    };
    let both = async { tokio::join!(post("/cometd", &[], &held), overtake) };
    let (overtaken, _) = within("both connects", both).await;
    assert_eq!(overtaken.status(), 500);
    assert!(is_readable(&overtaken), "{overtaken:?}");

    server.server.stop();
    let response = post("/cometd", &[], HANDSHAKE).await;
    assert_eq!(response.status(), 503);
    assert!(is_readable(&response), "{response:?}");
}

#[tokio::test]
async fn every_status_has_the_headers() {
    each(Version::HTTP_11).await;
}

#[tokio::test]
async fn every_status_has_the_headers_over_http2() {
    each(Version::HTTP_2).await;
}

#[tokio::test]
async fn so_has_the_answer_to_a_request_that_never_arrives() {
    let request_timeout = |config: &mut Config| {
        config.http.request_timeout = Duration::from_millis(300);
    };
    let server = start_with(request_timeout).await;
    let mut raw = Raw::connect(server.address).await;
    let head = format!(
        "POST /cometd HTTP/1.1\r\nhost: x\r\norigin: {FRIEND}\r\ncontent-length: 9\r\n\r\n["
    );
    raw.write(head).await;
    let answer = raw.read_to_end().await.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 408 "), "{answer}");
    assert!(answer.contains(&format!("access-control-allow-origin: {FRIEND}\r\n")), "{answer}");
}
