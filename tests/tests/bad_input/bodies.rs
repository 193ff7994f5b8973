//! Bodies that are not Bayeux messages, or too many of them, or that never end.

use std::time::Duration;

use crate::scene::{Scene, split};

#[tokio::test]
async fn what_is_not_messages_is_refused() {
    let mut scene = Scene::new().await;
    for (body, expected) in [
        (&b""[..], 400),
        (b"hello", 400),
        (b"null", 400),
        (b"[1]", 400),
        (b"[[{\"channel\":\"/meta/handshake\"}]]", 400),
        (b"[{\"channel\":\"/meta/handshake\"}", 400),
        (b"[{\"channel\":\"/meta/hand", 400),
        (b"[{\"channel\":\"/meta/handshake\"}]]", 400),
        (b"[{\"channel\":\"/meta/handshake\"}]\0", 400),
        (b"\xef\xbb\xbf\xef\xbb\xbf[{\"channel\":\"/meta/handshake\"}]", 400),
        (b"[{\"channel\":\"/meta/hand\xff\"}]", 400),
        (b"\xff\xfe[\0{\0}\0]\0", 400),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", 400),
        (b"[{\"channel\":\"/meta/handshake\",\"\\ud80\":1}]", 400),
        (b"[{\"channel\":\"/meta/handshake\",\"\n\":1}]", 400),
        (b"[]", 400),
        (b" \r\n", 400),
    ] {
        let (status, text) = scene.post(body).await;
        assert_eq!(status, expected, "{} got {text}", String::from_utf8_lossy(body));
        assert!(!text.trim().is_empty(), "there is a reason");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn ten_thousand_levels_are_refused() {
    let mut scene = Scene::new().await;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let (open, close) = (open.repeat(10_000), close.repeat(10_000));
        for body in [
            open.clone(),
            format!("{open}1{close}"),
            format!(r#"[{{"channel":"/meta/handshake","ext":{open}1{close}}}]"#),
            format!(r#"[{{"channel":"/meta/handshake","unknown":{open}1{close}}}]"#),
        ] {
            let (status, text) = scene.post(body).await;
            assert_eq!((status, text.trim()), (400, "nested deeper than 1000 levels"));
        }
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_million_messages_are_refused() {
    let mut scene = Scene::with(|config, _| config.long_polling.max_message_size = 1 << 22).await;
    let body = format!("[{}{{}}]", "{},".repeat(999_999));
    let (status, text) = scene.post(&body).await;
    assert_eq!((status, text.trim()), (413, "more than 10000 messages"));
    scene.is_calm().await;
}

#[tokio::test]
async fn as_many_messages_as_are_allowed_are_answered_one_by_one() {
    let mut scene = Scene::new().await;
    let (status, text) = scene.post(format!("[{}{{}}]", "{},".repeat(9_999))).await;
    assert_eq!(status, 200);
    assert_eq!(text.matches("400::channel_missing").count(), 10_000);
    scene.is_calm().await;
}

#[tokio::test]
async fn too_large_a_body_is_refused_before_it_is_sent() {
    let mut scene = Scene::new().await;
    let mut raw = scene.raw().await;
    raw.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\n\r\n").await;
    let (status, text) = split(&raw.read_to_end().await);
    assert_eq!((status, text.trim()), (413, "more than 1048576 bytes"));
    scene.is_calm().await;
}

#[tokio::test]
async fn a_form_without_messages_is_refused() {
    let mut scene = Scene::new().await;
    for (content_type, body, expected) in [
        ("application/x-www-form-urlencoded", "a=b", 400),
        ("application/x-www-form-urlencoded", "message=hello", 400),
        ("application/x-www-form-urlencoded", "message=%5B%FF%5D", 400),
        ("application/x-www-form-urlencoded", "message=%5B%7B%7D&message=%5D", 400),
        ("application/json;charset=klingon", "[{}]", 415),
        ("application/json;charset=utf-16", "[{}]", 400),
    ] {
        let mut raw = scene.raw().await;
        raw.post(&format!("connection: close\r\ncontent-type: {content_type}\r\n"), body).await;
        let (status, text) = split(&raw.read_to_end().await);
        assert_eq!(status, expected, "{content_type} {body} got {text}");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_broken_chunk_is_refused() {
    let mut scene = Scene::new().await;
    for chunks in ["x\r\n", "-1\r\n[]\r\n", "2\r\n[]]]]\r\n", "fffffffffffffffff\r\n", "2;\x01\n"] {
        let mut raw = scene.raw().await;
        raw.write(format!(
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
        ))
        .await;
        let (status, text) = split(&raw.read_to_end().await);
        assert_eq!(status, 400, "{chunks:?} got {text}");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn an_endless_body_is_refused_at_the_limit() {
    let mut scene = Scene::new().await;
    let raw = scene.raw().await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let parts = std::iter::once(head).chain(std::iter::repeat(chunk));
    let (status, text) = split(&raw.pour(parts, Duration::ZERO).await);
    assert_eq!((status, text.trim()), (413, "more than 1048576 bytes"));
    scene.is_calm().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let mut scene = Scene::new().await;
    for sent in ["", "[", r#"[{"channel":"/meta/handshake"}"#] {
        let mut raw = scene.raw().await;
        raw.write(format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{sent}"))
            .await;
        drop(raw);
    }
    scene.is_calm().await;
    assert_eq!(scene.server.statistics().handshakes, 2, "the bystander and a newcomer");
}
