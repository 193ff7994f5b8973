//! WebSocket frames that break the protocol of WebSocket, or of Bayeux.

use std::{iter::repeat_n, time::Duration};

use serde_json::Value;
use tests::raw::Raw;

use crate::scene::{SOON, Scene};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;

/// Opens a WebSocket whose frames are bare bytes.
pub(crate) async fn open(scene: &Scene) -> Raw {
    upgrade(scene.raw().await).await
}

pub(crate) async fn upgrade(mut raw: Raw) -> Raw {
    raw.write(
        "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-extensions: permessage-deflate\r\n\r\n",
    )
    .await;
    let head = raw.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(!head.contains("sec-websocket-extensions"), "{head}");
    raw
}

/// Makes a frame as clients do, with a mask that changes nothing.
fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = head(first, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match u16::try_from(length) {
        Ok(short @ 0..126) => head.push(0x80 | short as u8),
        Ok(length) => {
            head.push(0x80 | 126);
            head.extend(length.to_be_bytes());
        }
        Err(_) => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}

pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FINAL | TEXT, text)
}

/// Reads a frame of the server: its first byte and its payload.
async fn read(raw: &mut Raw) -> Option<(u8, Vec<u8>)> {
    let start = raw.take(2).await?;
    let length = match start[1] {
        126 => raw.take(2).await?,
        127 => raw.take(8).await?,
        short => vec![short],
    };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Some((start[0], raw.take(length).await?))
}

/// Reads the messages of the next text frame.
pub(crate) async fn messages(raw: &mut Raw) -> Vec<Value> {
    let (first, payload) = read(raw).await.expect("a frame comes");
    assert_eq!(first, FINAL | TEXT);
    serde_json::from_slice(&payload).unwrap()
}

/// Reads until the server closes, and returns its code and its reason.
async fn closed(raw: &mut Raw) -> (u16, String) {
    loop {
        let (first, payload) = read(raw).await.expect("a close frame comes first");
        if first == FINAL | CLOSE {
            let (code, reason) = payload.split_at(2);
            let code = u16::from_be_bytes([code[0], code[1]]);
            return (code, String::from_utf8(reason.to_vec()).unwrap());
        }
    }
}

/// Starts a session over `raw`, and returns its id.
pub(crate) async fn handshake(raw: &mut Raw) -> String {
    raw.write(text(r#"[{"channel":"/meta/handshake"}]"#)).await;
    messages(raw).await[0]["clientId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_breach_closes_with_its_code() {
    let mut scene = Scene::with(|config, _| config.websocket.max_interval = SOON).await;
    let unmasked = vec![FINAL | TEXT, 2, b'[', b']'];
    let long = "x".repeat(700_000);
    for (name, frames, expected) in [
        ("unmasked", unmasked, 1002),
        ("compressed", frame(FINAL | COMPRESSED | TEXT, "\u{2}\0"), 1002),
        ("reserved bit 2", frame(FINAL | 0x20 | TEXT, "[]"), 1002),
        ("reserved bit 3", frame(FINAL | 0x10 | TEXT, "[]"), 1002),
        ("unknown data", frame(FINAL | 0x3, "[]"), 1002),
        ("unknown control", frame(FINAL | 0xb, "[]"), 1002),
        ("an end without a beginning", frame(FINAL, "[]"), 1002),
        ("a beginning before the end", [frame(TEXT, "["), text("]")].concat(), 1002),
        ("a fragmented ping", frame(PING, ""), 1002),
        ("a long ping", frame(FINAL | PING, [0; 126]), 1002),
        ("a long close", frame(FINAL | CLOSE, [3; 126]), 1002),
        ("half a close code", frame(FINAL | CLOSE, [3]), 1002),
        ("a close code that is never sent", frame(FINAL | CLOSE, 1005_u16.to_be_bytes()), 1002),
        ("a close code out of range", frame(FINAL | CLOSE, 0_u16.to_be_bytes()), 1002),
        ("a farewell that is no text", frame(FINAL | CLOSE, b"\x03\xe8\xff"), 1007),
        ("a farewell", frame(FINAL | CLOSE, b"\x03\xe8bye"), 1000),
        ("no text", text(b"[\xff]"), 1007),
        ("no text in parts", [frame(TEXT, b"\xe2"), frame(FINAL, b"\x28\xa1")].concat(), 1007),
        ("half a character", text(b"[\"\xe2\x82"), 1007),
        ("binary", frame(FINAL | BINARY, "[]"), 1003),
        ("a hundred megabytes announced", head(FINAL | TEXT, 100 << 20), 1009),
        ("all there is announced", head(FINAL | TEXT, u64::MAX), 1009),
        ("too large", text(long.repeat(2)), 1009),
        ("too large in parts", [frame(TEXT, &long), frame(FINAL, &long)].concat(), 1009),
        ("too many messages", text(format!("[{}{{}}]", "{},".repeat(10_000))), 1009),
        ("not JSON", text("hello"), 1011),
        ("truncated", text("[{\"channel\":"), 1011),
        ("not a message", text("[1]"), 1011),
        ("too deep", text("[".repeat(10_000)), 1011),
    ] {
        // With a session and without.
        let mut raw = open(&scene).await;
        raw.write(&frames).await;
        let (code, reason) = closed(&mut raw).await;
        assert_eq!(code, expected, "{name}: {reason}");
        assert!(code == 1000 || !reason.is_empty(), "{name} gets a reason");
        let mut raw = open(&scene).await;
        handshake(&mut raw).await;
        raw.write(&frames).await;
        assert_eq!(closed(&mut raw).await.0, expected, "{name}, in a session");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn who_gets_too_much_at_once_is_not_sent_the_same_for_ever() {
    let mut scene = Scene::with(|config, _| config.acknowledgements = true).await;
    for (ext, code, is_ended) in [
        (r#"{"ack":true}"#, 1009_u16, true),
        (r#"{"ack":true}"#, 1000, false),
        // Nothing is sent to it again.
        ("{}", 1009, false),
    ] {
        let mut raw = open(&scene).await;
        raw.write(text(format!(r#"[{{"channel":"/meta/handshake","ext":{ext}}}]"#))).await;
        let id = messages(&mut raw).await[0]["clientId"].as_str().unwrap().to_owned();
        raw.write(frame(FINAL | CLOSE, code.to_be_bytes())).await;
        assert_eq!(closed(&mut raw).await.0, code);
        let session = || scene.server.session(&id);
        if is_ended {
            tests::eventually("the session ends", || session().is_none()).await;
        } else {
            let mut again = open(&scene).await;
            let connect = format!(
                r#"[{{"channel":"/meta/connect","clientId":"{id}","connectionType":"websocket","advice":{{"timeout":0}}}}]"#
            );
            again.write(text(connect)).await;
            assert_eq!(messages(&mut again).await[0]["successful"], true, "{ext} {code}");
            session().unwrap().disconnect().await;
        }
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn fragments_may_be_tiny_empty_and_mixed_with_pings() {
    let mut scene = Scene::new().await;
    let mut raw = open(&scene).await;
    let mut frames = frame(TEXT, "");
    for byte in r#"[{"channel":"/meta/handshake","id":"é"}]"#.bytes() {
        frames.extend(frame(0, [byte]));
        frames.extend(frame(FINAL | PING, [byte]));
        frames.extend(frame(0, ""));
    }
    frames.extend(frame(FINAL, ""));
    raw.write(frames).await;
    let payload = loop {
        let (first, payload) = read(&mut raw).await.unwrap();
        if first == FINAL | TEXT {
            break payload;
        }
    };
    let replies: Vec<Value> = serde_json::from_slice(&payload).unwrap();
    assert_eq!(replies[0]["error"], "405::message_id_invalid");
    drop(raw);
    scene.is_calm().await;
}

#[tokio::test]
async fn endless_pings_are_answered_and_delay_nobody() {
    let mut scene = Scene::new().await;
    let mut raw = open(&scene).await;
    for _ in 0..20 {
        raw.write(repeat_n(frame(FINAL | PING, "?"), 1_000).collect::<Vec<_>>().concat()).await;
        scene.bystander.is_served().await;
    }
    assert_eq!(read(&mut raw).await, Some((FINAL | 0xa, b"?".to_vec())));
    drop(raw);
    scene.is_calm().await;
}

#[tokio::test]
async fn endless_frames_without_messages_delay_nobody() {
    let mut scene = Scene::new().await;
    let nothing = ["[]", "", " \r\n"].map(|nothing| (Vec::new(), text(nothing)));
    // A message of parts without anything does not end either.
    for (first, next) in nothing.into_iter().chain([(frame(TEXT, ""), frame(0, ""))]) {
        let mut raw = open(&scene).await;
        raw.write(first).await;
        for _ in 0..20 {
            raw.write(next.repeat(1_000)).await;
            scene.bystander.is_served().await;
        }
        drop(raw);
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_message_that_never_ends_is_no_life() {
    let mut scene = Scene::with(|config, _| config.ws.idle_timeout = SOON).await;
    for part in [frame(0, ""), frame(0, "x"), vec![0]] {
        let mut raw = open(&scene).await;
        raw.write(frame(TEXT, "[")).await;
        if part.len() == 1 {
            // One frame whose payload comes a byte at a time.
            raw.write(head(0, 1_000)).await;
        }
        let mut is_open = true;
        while is_open {
            raw.write(&part).await;
            scene.bystander.is_served().await;
            let mut byte = [0];
            let wait = tokio::time::timeout(Duration::from_millis(10), raw.0.peek(&mut byte));
            is_open = wait.await.is_err();
        }
        assert_eq!(closed(&mut raw).await, (1000, "idle for too long".to_owned()));
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_connection_that_breaks_off_leaves_nothing() {
    let mut scene = Scene::with(|config, _| config.websocket.max_interval = SOON).await;
    for frames in [Vec::new(), vec![FINAL | TEXT], head(FINAL | TEXT, 100), frame(TEXT, "[")] {
        let mut raw = open(&scene).await;
        let id = handshake(&mut raw).await;
        let connect = format!(r#"{{"channel":"/meta/connect","clientId":"{id}"}}"#);
        raw.write(text(format!("[{connect},{connect}]"))).await;
        messages(&mut raw).await;
        raw.write(frames).await;
        drop(raw);
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn what_is_no_upgrade_is_refused() {
    let mut scene = Scene::new().await;
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "sec-websocket-version: 13\r\n";
    for (headers, expected) in [
        (format!("connection: close\r\nupgrade: websocket\r\n{version}{key}"), 400),
        (format!("connection: upgrade, close\r\nupgrade: websocket\r\n{version}"), 400),
        (format!("connection: upgrade, close\r\nupgrade: websocket\r\n{key}"), 400),
        (
            format!(
                "connection: upgrade, close\r\nupgrade: websocket\r\n{key}\
                 sec-websocket-version: 12\r\n"
            ),
            400,
        ),
        (format!("connection: upgrade, close\r\nupgrade: h2c\r\n{version}{key}"), 400),
    ] {
        let mut raw = scene.raw().await;
        raw.write(format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
        let (status, text) = crate::scene::split(&raw.read_to_end().await);
        assert_eq!(status, expected, "{headers} got {text}");
    }
    scene.is_calm().await;
}
