//! Heads of requests that are no HTTP, too large, contradictory, or never finished.

use std::time::Duration;

use crate::scene::{SOON, Scene, split};

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let mut scene = Scene::new().await;
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    for bytes in [
        &tls[..],
        &[0; 64],
        b"\r\n\r\nhello, is anybody there?\r\n\r\n",
        b"GET / HTTP/4.0\r\nhost: x\r\n\r\n",
        b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n[]",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\0y\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut raw = scene.raw().await;
        raw.write(bytes).await;
        let (status, _) = split(&raw.read_to_end().await);
        assert_eq!(status, 400, "{}", String::from_utf8_lossy(bytes));
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn what_is_no_request_of_bayeux_is_refused() {
    let mut scene = Scene::new().await;
    for line in ["GET /", "PUT /", "DELETE /", "TRACE /", "EVIL /", "HEAD /?jsonp=a", "GET *"] {
        let mut raw = scene.raw().await;
        raw.write(format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        let (status, text) = split(&raw.read_to_end().await);
        assert_eq!(status, 400, "{line} got {text}");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn too_large_a_head_is_refused() {
    let mut scene = Scene::new().await;
    // hyper doubles its buffer once more than the limit says.
    let long = "x".repeat(200_000);
    let many: String = (0..1_000).map(|n| format!("x{n}: y\r\n")).collect();
    for (head, expected) in [
        (format!("GET /?jsonp=a&message={long} HTTP/1.1\r\nhost: x\r\n\r\n"), [414, 431]),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"), [431, 431]),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{long}: x\r\n\r\n"), [431, 431]),
        (format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"), [431, 431]),
    ] {
        let raw = scene.raw().await;
        let (status, text) = split(&raw.pour([&head], Duration::ZERO).await);
        assert!(expected.contains(&status), "{} got {status} {text}", &head[..40]);
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_length_beside_chunks_starts_no_second_request() {
    let mut scene = Scene::new().await;
    let mut raw = scene.raw().await;
    raw.write(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\nPOST / HTTP/1.1\r\nhost: x\r\ncontent-length: 30\r\nconnection: close\r\n\r\n\
         [{\"channel\":\"/meta/handshake\"}]",
    )
    .await;
    let answer = raw.read_to_end().await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(!answer.contains("clientId"), "{answer}");
    scene.is_calm().await;
}

#[tokio::test]
async fn cookies_that_no_server_gave_start_a_browser_anew() {
    let mut scene = Scene::with(|config, _| config.long_polling.max_interval = SOON).await;
    let long = "a".repeat(5_000);
    for cookie in ["", "=", ";;;=;", "<script>", "\u{e9}", "a b", &long] {
        let mut raw = scene.raw().await;
        let head = format!("cookie: BAYEUX_BROWSER={cookie}; =\r\nconnection: close\r\n");
        raw.post(&head, r#"[{"channel":"/meta/handshake"}]"#).await;
        let answer = raw.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("set-cookie: BAYEUX_BROWSER="), "{cookie:?}");
        assert!(cookie.len() < 3 || !answer.contains(cookie), "{answer}");
    }
    scene.is_calm().await;
}
