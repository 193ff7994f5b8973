//! The memory of this process, server and clients, while nobody else uses it.

use std::{alloc::System, future::Future, time::Duration};

use bayeux_server::api::{Message, server::Overflow};
use cap::Cap;
use serde_json::{Value, json};

use crate::{
    frames::{handshake, open},
    scene::{SOON, Scene, split},
};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const MIB: usize = 1024 * 1024;

/// Returns how many bytes are in use.
pub(crate) fn used() -> usize {
    ALLOCATOR.allocated()
}

/// Waits for `future`, and returns by how many MiB more memory was in use at the most meanwhile.
pub(crate) async fn growth<T>(future: impl Future<Output = T>) -> (T, usize) {
    let before = used();
    let mut most = before;
    let watch = async {
        loop {
            most = most.max(used());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let value = tokio::select! {
        value = future => value,
        () = watch => unreachable!("it watches for ever"),
    };
    (value, (most - before) / MIB)
}

/// Waits until no more than a MiB is in use over what was `before`.
pub(crate) async fn is_given_back(before: usize) {
    tests::eventually("the memory to be given back", || used() < before + MIB).await;
}

#[tokio::test]
async fn a_hundred_megabytes_are_not_kept() {
    let mut scene = Scene::alone(|_, _| {}).await;
    let before = used();
    let part = vec![b' '; 64 * 1024];
    for head in ["content-length: 104857600", "transfer-encoding: chunked\r\n\r\n6400000"] {
        let raw = scene.raw().await;
        let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n").into_bytes();
        let parts = std::iter::once(&head).chain(std::iter::repeat_n(&part, 1600));
        let (answer, grown) = growth(raw.pour(parts, Duration::ZERO)).await;
        assert_eq!(split(&answer).0, 413, "{answer}");
        assert!(grown < 8, "{grown} MiB were used");
    }
    scene.is_calm().await;
    is_given_back(before).await;
}

#[tokio::test]
async fn connections_and_sessions_give_back_what_they_had() {
    let mut scene = Scene::alone(|config, _| {
        config.websocket.max_interval = SOON;
        config.long_polling.max_interval = SOON;
    })
    .await;
    // What is made once is made before.
    scene.is_calm().await;
    let before = used();
    for _ in 0..5 {
        let mut sockets = Vec::new();
        for _ in 0..100 {
            let mut raw = open(&scene).await;
            handshake(&mut raw).await;
            sockets.push(raw);
            scene.post(r#"[{"channel":"/meta/handshake"}]"#).await;
        }
    }
    scene.is_calm().await;
    is_given_back(before).await;
}

#[tokio::test]
async fn a_queue_of_small_messages_needs_no_more_than_its_bound() {
    let scene = Scene::alone(|config, _| {
        config.long_polling.max_queue = usize::MAX;
        config.long_polling.max_queue_bytes = 4 * MIB;
        config.long_polling.queue_overflow = Overflow::DropNewest;
    })
    .await;
    let (_, reply) = scene.post(r#"[{"channel":"/meta/handshake"}]"#).await;
    let reply: Value = serde_json::from_str(&reply).unwrap();
    let session = scene.server.session(reply[0]["clientId"].as_str().unwrap()).unwrap();
    let before = used_in_peace().await;
    while session.deliver(Message::with_data("/small", json!(1))).await {}
    let (grown, depth) = (grown_since(before), session.queue_depth());
    assert!(depth.messages > 10_000, "{depth:?}");
    assert!(grown <= depth.bytes + MIB / 4, "{grown} bytes for {depth:?}");
}

/// Waits until what tests before had is given back, and returns how many bytes are in use. The runtime of
/// a scene is freed after its turn is over, by a thread that may have to wait for its own.
async fn used_in_peace() -> usize {
    tests::within("the memory to be left alone", async {
        let (mut before, mut same) = (used(), 0);
        while same < 10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let now = used();
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
        before
    })
    .await
}

/// Returns by how many bytes more are in use than `before`.
fn grown_since(before: usize) -> usize {
    used().saturating_sub(before)
}

/// A scene in which nothing is swept.
async fn unswept() -> Scene {
    Scene::alone(|config, _| config.sweep_period = Duration::from_secs(3600)).await
}

/// A name of 64 segments and almost as many characters as it may have.
fn long_name(number: usize) -> String {
    format!("/{number:0>9}{}", format!("/{}", "a".repeat(14)).repeat(63))
}

/// A name as long as that, of almost as many segments as it may have.
fn deep_name(number: usize) -> String {
    format!("/{number:0>9}{}", "/a".repeat(470))
}

#[tokio::test]
async fn subscriptions_to_long_names_need_four_times_their_bytes_at_most() {
    let scene = unswept().await;
    let wild = |n: usize| format!("{}/**", deep_name(n));
    for name in [&long_name as &dyn Fn(usize) -> String, &deep_name, &wild] {
        let visitor = scene.visitor().await;
        let (before, mut sent) = (used_in_peace().await, 0);
        for request in 0..10 {
            let names: Vec<_> = (0..1_000).map(|n| name(1_000 * request + n)).collect();
            let subscribe = json!({ "channel": "/meta/subscribe", "subscription": names });
            let text = visitor.text(&[subscribe]);
            sent += text.len();
            assert_eq!(visitor.send_text(text).await.status(), 200);
        }
        assert_eq!(scene.server.session(&visitor.id).unwrap().subscriptions().len(), 10_000);
        let grown = grown_since(before);
        assert!(grown <= 4 * sent, "{grown} bytes for {sent}");
    }
}

#[tokio::test]
async fn publishing_on_long_names_needs_four_times_their_bytes_at_most() {
    let scene = unswept().await;
    let visitor = scene.visitor().await;
    // Names as long as can be, and as short as they can be with as many segments.
    let short = |n: usize| format!("/{n}{}", "/a".repeat(63));
    for name in [&long_name as &dyn Fn(usize) -> String, &short, &deep_name] {
        let (before, mut sent) = (used_in_peace().await, 0);
        for request in 0..10 {
            let names = (0..1_000).map(|n| name(1_000 * request + n));
            let messages: Vec<_> =
                names.map(|name| json!({ "channel": name, "data": 1 })).collect();
            let text = visitor.text(&messages);
            sent += text.len();
            assert_eq!(visitor.send_text(text).await.status(), 200);
        }
        assert!(scene.server.statistics().channels > 10_000);
        let grown = grown_since(before);
        assert!(grown <= 4 * sent, "{grown} bytes for {sent}");
    }
}

#[tokio::test]
async fn a_channel_with_one_subscriber_needs_four_hundred_bytes() {
    const CHANNELS: usize = 10_000;
    let mut sessions = Vec::new();
    let scene = unswept().await;
    for _ in 0..100 {
        let (_, reply) = scene.post(r#"[{"channel":"/meta/handshake"}]"#).await;
        let reply: Value = serde_json::from_str(&reply).unwrap();
        sessions.push(scene.server.session(reply[0]["clientId"].as_str().unwrap()).unwrap());
    }
    let before = used_in_peace().await;
    for number in 0..CHANNELS {
        let id = format!("/a/channel/{number}");
        let channel = scene.server.create_channel_if_absent(&id).unwrap().channel();
        assert!(channel.subscribe(&*sessions[number % 100]).await);
    }
    let each = grown_since(before) / CHANNELS;
    assert!(each <= 400, "{each} bytes");
}
