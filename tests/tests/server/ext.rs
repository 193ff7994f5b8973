//! The extensions that CometD ships.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bayeux_server::ext::{Activity, ActivityExtension, TimestampExtension, TimesyncExtension};
use serde_json::{Value, json};
use tests::{TestServer, Transport, eventually, over_every_transport, within};

over_every_transport!(
    a_client_is_told_how_wrong_its_clock_is,
    a_held_connect_says_how_long_it_was_held,
    whatever_a_client_says_of_its_clock_is_no_failure,
    each_message_that_goes_out_says_when,
    a_client_that_only_connects_is_ended,
);

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

async fn timesync() -> TestServer {
    let server = TestServer::start(|_| {}).await;
    server.server.add_extension(Arc::new(TimesyncExtension::default())).keep();
    server
}

/// The field of a reply's `ext.timesync`.
fn told(reply: &Value, name: &str) -> i64 {
    reply["ext"]["timesync"][name].as_i64().unwrap_or_else(|| panic!("{name} in {reply}"))
}

async fn a_client_is_told_how_wrong_its_clock_is(transport: Transport) {
    let server = timesync().await;
    let mut client = server.client(transport).await;
    let before = now();
    // Its clock goes 10 s behind, and it takes the offset for 4 s.
    let tc = before - 10_000;
    let sync = json!({ "tc": tc, "l": 0, "o": 4000 });
    let reply = client.try_handshake(json!({ "ext": { "timesync": sync } })).await;
    let after = now();
    assert_eq!(told(&reply, "tc"), tc);
    let ts = told(&reply, "ts");
    assert!((before..=after).contains(&ts), "{ts}");
    assert!((0..=after - ts).contains(&told(&reply, "p")), "{reply}");
    assert_eq!(told(&reply, "a"), tc + 4000 - ts);

    // What it says of the lag is kept.
    let accurate = json!({ "tc": now(), "l": 7, "o": 0 });
    client
        .try_connect(json!({ "ext": { "timesync": accurate }, "advice": { "timeout": 0 } }))
        .await;
    let session = server.session(&client);
    assert_eq!(TimesyncExtension::lag(&*session), Some(Duration::from_millis(7)));
}

async fn a_held_connect_says_how_long_it_was_held(transport: Transport) {
    let server = timesync().await;
    let mut client = server.connected(transport).await;
    let begun = now();
    let sync = json!({ "tc": begun, "l": 0, "o": 0 });
    let held = 300;
    let fields = json!({ "ext": { "timesync": sync }, "advice": { "timeout": held } });
    let reply = client.try_connect(fields).await;
    let p = told(&reply, "p");
    // The clock of the day may be set by a hair meanwhile.
    assert!((held - 50..=now() - begun).contains(&p), "{reply}");
}

async fn whatever_a_client_says_of_its_clock_is_no_failure(transport: Transport) {
    let server = timesync().await;
    let mut client = server.connected(transport).await;
    for sync in [
        json!(null),
        json!(1),
        json!({}),
        json!({ "tc": "now", "l": "none" }),
        json!({ "tc": 1e308, "l": 1e308, "o": 1e308 }),
        json!({ "tc": -5, "l": -5, "o": -5 }),
        json!({ "ts": 1, "p": "x", "a": [] }),
    ] {
        let fields = json!({ "ext": { "timesync": sync }, "subscription": "/a" });
        let reply = client.request("/meta/subscribe", fields).await;
        assert_eq!(reply["successful"], true, "{sync}: {reply}");
    }
    // One that has none hears nothing of it.
    assert_eq!(client.subscribe("/b").await.get("ext"), None);
}

async fn each_message_that_goes_out_says_when(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    server.server.add_extension(Arc::new(TimestampExtension)).keep();
    let mut client = server.client(transport).await;
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let before = second();
    let mut sent = vec![client.handshake().await, client.connect_at_once().await];
    sent.push(client.subscribe("/a").await);
    client.hold().await;
    client.publish("/a", json!(1)).await;
    sent.push(client.message_on("/a").await);
    let after = second();
    for message in sent {
        let at = httpdate::parse_http_date(message["timestamp"].as_str().unwrap()).unwrap();
        let at = at.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((before..=after).contains(&at), "{message}");
    }
}

async fn a_client_that_only_connects_is_ended(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let activity = ActivityExtension::new(Activity::Client, Duration::from_millis(100));
    server.server.add_extension(Arc::new(activity)).keep();
    let mut client = server.client(transport).await;
    client.handshake().await;
    // It may be so slow that already its first connect comes too late.
    let session = server.session(&client);
    within("its end", async {
        while session.is_handshook() {
            client.try_connect(json!({ "advice": { "timeout": 20 } })).await;
        }
    })
    .await;
    eventually("the session to be gone", || server.server.sessions().is_empty()).await;
}
