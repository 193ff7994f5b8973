//! Peers that send a byte now and then, or nothing at all.

use std::{iter, time::Duration};

use tests::raw::Raw;

use crate::scene::{Scene, split};

const SHORT: Duration = Duration::from_millis(600);
const PAUSE: Duration = Duration::from_millis(20);

/// A server on which everybody has 600 ms for everything.
async fn hasty() -> Scene {
    Scene::with(|config, serve| {
        config.http.request_timeout = SHORT;
        serve.header_timeout = SHORT;
        serve.write_timeout = SHORT;
    })
    .await
}

/// Writes `start` and then one byte after the other, until the server closes; returns its answer.
async fn trickle(mut raw: Raw, start: &str, byte: &str) -> String {
    raw.write(start).await;
    raw.pour(iter::repeat(byte), PAUSE).await
}

#[tokio::test]
async fn a_trickling_body_is_refused() {
    let mut scene = hasty().await;
    for (length, byte) in
        [("content-length: 1000", " "), ("transfer-encoding: chunked", "1\r\n \r\n")]
    {
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n");
        let (status, text) = split(&trickle(scene.raw().await, &head, byte).await);
        assert_eq!((status, text.trim()), (408, "the request did not arrive within 600 ms"));
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_trickling_head_is_cut_off() {
    let mut scene = hasty().await;
    for start in ["", "P", "POST / HTTP/1.1\r\nhost: ", "GET /?jsonp=a&message=", "PRI * HTTP/2.0"]
    {
        let (status, _) = split(&trickle(scene.raw().await, start, "x").await);
        assert!([0, 400, 408].contains(&status), "{start:?} got {status}");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn connections_that_never_finish_their_heads_are_cut_off() {
    let mut scene = hasty().await;
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut raw = scene.raw().await;
        let head = ["", "P", "POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: x\r\n"][n % 4];
        raw.write(head).await;
        silent.push(raw);
    }
    scene.bystander.is_served().await;
    for mut raw in silent {
        raw.read_to_end().await;
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_connection_without_a_second_request_is_closed() {
    let mut scene = hasty().await;
    for more in ["", "POST / HT"] {
        let mut raw = scene.raw().await;
        raw.post("", "[{}]").await;
        raw.read_until("channel_missing").await;
        raw.write(more).await;
        raw.read_to_end().await;
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_peer_that_hangs_up_half_way_is_no_trouble() {
    use tokio::io::AsyncWriteExt as _;
    let mut scene = hasty().await;
    for start in
        ["", "POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n["]
    {
        let mut raw = scene.raw().await;
        raw.write(start).await;
        raw.0.shutdown().await.unwrap();
        let answer = raw.read_to_end().await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    scene.is_calm().await;
}
