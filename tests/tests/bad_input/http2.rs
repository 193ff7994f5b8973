//! HTTP/2 as no decent client speaks it: streams opened and reset, heads that never end, windows
//! that never open.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{eventually, raw::Raw, within};

use crate::{
    memory::{is_given_back, used},
    scene::{SOON, Scene},
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const CANCEL: u32 = 8;

/// `:method: POST`, `:scheme: http`, `:path: /`, `:authority: x` (RFC 7541, appendix A).
const POST: &[u8] = b"\x83\x86\x84\x41\x01x";

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;

/// A connection of frames.
struct Frames(Raw);

#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The error code of a reset or a farewell.
    fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Frames {
    async fn open(scene: &Scene, settings: &[u8]) -> Self {
        let mut raw = scene.raw().await;
        raw.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        raw.write(frame(SETTINGS, 0, 0, settings)).await;
        Self(raw)
    }

    async fn write(&mut self, frames: impl AsRef<[u8]>) -> bool {
        self.0.write(frames).await
    }

    /// Reads the next frame; none when the server has closed the connection.
    async fn read(&mut self) -> Option<Frame> {
        let head = self.0.take(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        let payload = self.0.take(usize::try_from(length).unwrap()).await?;
        Some(Frame { kind: head[3], stream, payload })
    }

    /// Reads on until a frame is of this kind.
    async fn until(&mut self, kind: u8) -> Option<Frame> {
        let read = async {
            loop {
                let frame = self.read().await?;
                if frame.kind == kind {
                    return Some(frame);
                }
            }
        };
        within("a frame", read).await
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A whole request.
fn post(stream: u32, body: &str) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, POST);
    [head, frame(DATA, END_STREAM, stream, body)].concat()
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RESET, 0, stream, CANCEL.to_be_bytes())
}

/// The ids of a client's streams.
fn streams(count: usize) -> impl Iterator<Item = u32> {
    (1..).step_by(2).take(count)
}

#[tokio::test]
async fn streams_opened_and_reset_at_once_are_cut_off() {
    let mut scene = Scene::new().await;
    let mut frames = Frames::open(&scene, &[]).await;
    let rapid = streams(10_000)
        .flat_map(|stream| [frame(HEADERS, END_HEADERS, stream, POST), reset(stream)].concat());
    frames.write(rapid.collect::<Vec<_>>()).await;
    scene.bystander.is_served().await;
    let goaway = frames.until(GOAWAY).await.expect("there is a reason");
    assert_eq!(goaway.code(), 11, "enhance your calm");
    drop(frames);
    scene.is_calm().await;
}

#[tokio::test]
async fn requests_that_are_reset_leave_nothing() {
    let mut scene = Scene::with(|config, _| {
        config.long_polling.max_interval = SOON;
    })
    .await;
    let mut frames = Frames::open(&scene, &[]).await;
    for stream in streams(500) {
        frames.write([post(stream, HANDSHAKE), reset(stream)].concat()).await;
        if stream % 100 == 1 {
            scene.bystander.is_served().await;
        }
    }
    drop(frames);
    scene.is_calm().await;
}

#[tokio::test]
async fn held_connects_that_are_reset_are_let_go() {
    let mut scene = Scene::with(|config, _| {
        config.long_polling.max_interval = SOON;
        config.http.trust_client_session = true;
    })
    .await;
    let visitor = scene.visitor().await;
    visitor.connect().await;
    let connect = visitor.text(&[json!({ "channel": "/meta/connect" })]);
    let mut frames = Frames::open(&scene, &[]).await;
    let statistics = || scene.server.statistics();
    for stream in streams(20) {
        frames.write(post(stream, &connect)).await;
        eventually("the connect to be held", || statistics().held_connects == 2).await;
        frames.write(reset(stream)).await;
        eventually("the connect to be let go", || statistics().held_connects == 1).await;
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let mut scene = Scene::new().await;
    let mut frames = Frames::open(&scene, &[]).await;
    frames.write(frame(HEADERS, 0, 1, POST)).await;
    // `x: yyy…`, never indexed.
    let field = [b"\x10\x01x\x7f\x81\x07".as_slice(), &[b'y'; 1024]].concat();
    let more = frame(CONTINUATION, 0, 1, field);
    let mut is_open = true;
    for _ in 0..10_000 {
        is_open = is_open && frames.write(&more).await;
    }
    assert!(!is_open || frames.until(GOAWAY).await.is_some());
    drop(frames);
    scene.is_calm().await;
}

#[tokio::test]
async fn each_breach_closes_with_its_code() {
    let mut scene = Scene::new().await;
    let huge = 0x7fff_ffff_u32.to_be_bytes();
    for (name, bytes, expected) in [
        ("data on no stream", frame(DATA, 0, 0, "x"), 1),
        ("data on an idle stream", frame(DATA, 0, 1, "x"), 1),
        ("a stream of the server's", frame(HEADERS, END_HEADERS, 2, POST), 1),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, POST), 1),
        ("a window without end", frame(WINDOW_UPDATE, 0, 0, huge).repeat(2), 3),
        ("a frame too large", vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1], 6),
        // RFC 9113 wants 6 and 9; h2 has one code for both.
        ("half a setting", frame(SETTINGS, 0, 0, [0; 5]), 1),
        ("no HPACK", frame(HEADERS, END_HEADERS, 1, [0xfe]), 1),
    ] {
        let mut frames = Frames::open(&scene, &[]).await;
        frames.write(bytes).await;
        let goaway = frames.until(GOAWAY).await.expect(name);
        assert_eq!(goaway.code(), expected, "{name}");
    }
    scene.is_calm().await;
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_and_unfinished_ones_answered() {
    let mut scene = Scene::with(|config, serve| {
        config.http.request_timeout = Duration::from_millis(600);
        serve.max_concurrent_streams = 10;
    })
    .await;
    let mut frames = Frames::open(&scene, &[]).await;
    for stream in streams(20) {
        frames.write(frame(HEADERS, END_HEADERS, stream, POST)).await;
        frames.write(frame(DATA, 0, stream, "[")).await;
    }
    let (mut refused, mut late) = (0, 0);
    while refused + late < 20 {
        let frame = frames.read().await.expect("the connection stays");
        refused += usize::from(frame.kind == RESET && frame.code() == 7);
        let text = String::from_utf8_lossy(&frame.payload);
        late += usize::from(frame.kind == DATA && text.contains("did not arrive within 600 ms"));
    }
    assert_eq!((refused, late), (10, 10));
    drop(frames);
    scene.is_calm().await;
}

#[tokio::test]
async fn a_window_that_never_opens_keeps_no_messages() {
    let mut scene = Scene::alone(|config, _| {
        config.long_polling.max_queue_bytes = 8 << 20;
        config.http.response_timeout = Duration::from_millis(300);
    })
    .await;
    scene.is_calm().await;
    let before = used();
    let visitor = scene.visitor().await;
    visitor.ask(json!({ "channel": "/meta/subscribe", "subscription": "/flood" })).await;
    let data = Value::from("x".repeat(100_000));
    for _ in 0..60 {
        scene.bystander.publish("/flood", &data).await;
    }
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    let mut frames = Frames::open(&scene, &[0, 4, 0, 0, 0, 0]).await;
    let connect = visitor.text(&[json!({ "channel": "/meta/connect" })]);
    let cookie = visitor.cookie();
    let cookie = cookie.trim_start_matches("cookie: ").trim_end();
    // `cookie`, which is name 32 of the static table, never indexed.
    let length = u8::try_from(cookie.len()).unwrap();
    let head = [POST, &[0x1f, 17, length], cookie.as_bytes()].concat();
    frames.write(frame(HEADERS, END_HEADERS, 1, head)).await;
    frames.write(frame(DATA, END_STREAM, 1, connect)).await;
    scene.hurry(&visitor.id).await;
    assert_eq!(frames.until(HEADERS).await.map(|frame| frame.stream), Some(1));
    let statistics = || scene.server.statistics();
    eventually("the session to end", || statistics().sessions_expired == 1).await;
    scene.is_calm().await;
    is_given_back(before).await;
}
