//! Answers that are wrong: statuses, bodies, ids and advice.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, Builder, Credentials, State,
    api::{
        ConnectionType, Message,
        client::{FailureKind, RequestError, TransportFailure},
    },
};
use serde_json::{Value, json};
use tests::{
    arrive, brisk_client, eventually,
    scripted::{Answer, Scripted, WHILE, answer, body, ordinary, replies, reply},
    within,
};

/// Starts making a client that comes by long-polling.
pub(crate) fn builder(url: &str) -> Builder {
    BayeuxClient::builder()
        .url(url)
        .transports(&[ConnectionType::LongPolling])
        .config(brisk_client())
}

/// Returns a client that is connected.
pub(crate) async fn connected(server: &Scripted) -> BayeuxClient {
    let client = builder(&server.url()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    client
}

/// Returns why a request failed below Bayeux.
pub(crate) fn failure(error: RequestError) -> TransportFailure {
    let RequestError::Failed(failure) = error else { panic!("{error:?} is no failure") };
    failure
}

/// Whether the messages have one on `channel`.
pub(crate) fn has(messages: &[Value], channel: &str) -> bool {
    messages.iter().any(|message| message["channel"] == channel)
}

/// Wrong answers, and what the client says of each.
fn wrong() -> Vec<(Answer, FailureKind, &'static str)> {
    use FailureKind::{Invalid, Status, Unanswered};
    vec![
        (body(500, "[]"), Status, "500"),
        (body(503, ""), Status, "503"),
        (body(404, "nothing here"), Status, "404"),
        (body(204, ""), Status, "204"),
        (body(200, "<html><body>Sign in</body></html>"), Invalid, "HTML"),
        (body(200, ""), Invalid, "empty"),
        (body(200, " \r\n"), Invalid, "empty"),
        (body(200, r#"[{"channel":"/meta/handsh"#), Invalid, "not Bayeux"),
        (body(200, "[1]"), Invalid, "not Bayeux"),
        (body(200, "[[]]"), Invalid, "not Bayeux"),
        (body(200, r#"[{"channel":7}]"#), Unanswered, "no reply"),
        (body(200, "null"), Invalid, "not JSON"),
        (body(200, b"[{\"channel\":\"\xff\"}]"), Invalid, "not Bayeux"),
        (body(200, "[]"), Invalid, "not Bayeux"),
        (body(200, "[{}]"), Unanswered, "no reply"),
        (body(200, r#"[{"channel":"/meta/handshake","successful":true}]"#), Unanswered, "no reply"),
        (body(200, r#"[{"id":"4711","channel":"/a","successful":true}]"#), Unanswered, "no reply"),
    ]
}

#[tokio::test]
async fn a_handshake_that_is_answered_wrongly_fails_with_the_reason_and_is_made_again() {
    for (wrong, kind, reason) in wrong() {
        let shown = format!("{wrong:?}");
        let server = Scripted::start(move |nth, messages| match nth {
            0 => wrong.clone(),
            _ => ordinary(&messages),
        })
        .await;
        let client = builder(&server.url()).build().unwrap();
        let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
        assert_eq!(error.kind, kind, "{error} after {shown}");
        assert!(error.to_string().contains(reason), "{error} after {shown}");
        arrive(&client, State::Connected).await;
        assert_eq!(server.on("/meta/handshake").len(), 2, "{shown}");
    }
}

#[tokio::test]
async fn a_connect_that_is_answered_wrongly_is_made_again_in_the_same_session() {
    for (wrong, _, _) in wrong() {
        let shown = format!("{wrong:?}");
        let server = Scripted::start(move |nth, messages| match nth {
            1 => wrong.clone(),
            _ => ordinary(&messages),
        })
        .await;
        let client = builder(&server.url()).build().unwrap();
        within("the handshake", client.handshake()).await.unwrap();
        arrive(&client, State::Connected).await;
        assert_eq!(server.on("/meta/handshake").len(), 1, "{shown}");
    }
}

#[tokio::test]
async fn a_publish_that_is_answered_wrongly_fails_with_the_reason_and_is_not_repeated() {
    for (wrong, kind, reason) in wrong() {
        let shown = format!("{wrong:?}");
        let server = Scripted::start(move |_, messages| match has(&messages, "/a") {
            true => wrong.clone(),
            false => ordinary(&messages),
        })
        .await;
        let client = connected(&server).await;
        let channel = client.channel("/a").unwrap();
        let error = failure(within("the publish", channel.publish(json!(1))).await.unwrap_err());
        assert_eq!(error.kind, kind, "{error} after {shown}");
        assert!(error.to_string().contains(reason), "{error} after {shown}");
        // What comes after it shows that it does not come again.
        within("another", client.channel("/b").unwrap().publish(json!(2))).await.unwrap();
        assert_eq!(server.on("/a").len(), 1, "{shown}");
        assert_eq!(client.state(), State::Connected, "{shown}");
    }
}

#[tokio::test]
async fn the_next_handshake_is_not_before_the_time_that_the_server_asks_for() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => Answer::Reply(503, vec![("retry-after", "1".to_owned())], Vec::new()),
        _ => ordinary(&messages),
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
    assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
    assert_eq!(error.http_code, Some(503));
    arrive(&client, State::Connected).await;
    let times = server.times("/meta/handshake");
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= Duration::from_secs(1), "{:?}", times[1] - times[0]);
}

#[tokio::test]
async fn the_next_connect_is_not_before_the_time_that_the_server_asks_for() {
    let server = Scripted::start(|nth, messages| match nth {
        1 => Answer::Reply(429, vec![("retry-after", "1".to_owned())], Vec::new()),
        _ => ordinary(&messages),
    })
    .await;
    let client = connected(&server).await;
    let times = server.times("/meta/connect");
    assert!(times[1] - times[0] >= Duration::from_secs(1), "{:?}", times[1] - times[0]);
    assert_eq!(server.on("/meta/handshake").len(), 1);
    client.abort();
}

#[tokio::test]
async fn a_handshake_that_is_not_authorized_is_the_last() {
    for status in [400, 401, 403, 405, 413] {
        let server = Scripted::start(move |_, _| body(status, "")).await;
        let client = builder(&server.url()).build().unwrap();
        let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
        assert_eq!(error.http_code, Some(status));
        arrive(&client, State::Disconnected).await;
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

/// Has the right word from the second time on.
#[derive(Debug, Default)]
struct Second(AtomicBool);

#[async_trait]
impl Credentials for Second {
    async fn credentials(&self) -> Result<Message, String> {
        let mut message = Message::default();
        let is_second = self.0.swap(true, Ordering::SeqCst);
        message.ext_mut().insert("token".to_owned(), json!(if is_second { "good" } else { "old" }));
        Ok(message)
    }
}

#[tokio::test]
async fn a_handshake_that_is_not_authorized_is_made_again_with_new_credentials() {
    let server = Scripted::start(|_, messages| {
        let is_stale =
            messages[0]["channel"] == "/meta/handshake" && messages[0]["ext"]["token"] != "good";
        if is_stale { body(401, "") } else { ordinary(&messages) }
    })
    .await;
    let client = builder(&server.url()).credentials(Second::default()).build().unwrap();
    let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
    assert_eq!(error.http_code, Some(401));
    arrive(&client, State::Connected).await;
    let tokens: Vec<_> =
        server.on("/meta/handshake").iter().map(|one| one["ext"]["token"].clone()).collect();
    assert_eq!(tokens, ["old", "good"]);
}

#[tokio::test]
async fn replies_that_come_doubled_or_belong_to_nobody_change_nothing() {
    let server = Scripted::start(|_, messages| match ordinary(&messages) {
        Answer::Hang => Answer::Hang,
        Answer::Reply(..) | Answer::Cut(..) | Answer::Close(_) | Answer::After(..) => {
            let mut all = replies(&messages);
            all.extend(replies(&messages));
            for id in [json!("999999"), json!("x"), json!("-1"), json!(7), Value::Null] {
                let mut other = reply(&messages[0]);
                other["id"] = id;
                other["successful"] = json!(false);
                all.push(other);
            }
            answer(&all)
        }
    })
    .await;
    let client = connected(&server).await;
    let channel = client.channel("/a").unwrap();
    let messages = within("subscribe", channel.subscribe()).await.unwrap();
    for number in 0..3 {
        within("publish", channel.publish(json!(number))).await.unwrap();
    }
    within("unsubscribe", messages.unsubscribe()).await.unwrap();
    assert_eq!(client.state(), State::Connected);
    assert_eq!(server.on("/meta/handshake").len(), 1);
    assert_eq!(server.on("/a").len(), 3);
}

#[tokio::test]
async fn advice_that_makes_no_sense_does_no_harm() {
    let advices = [
        json!("retry"),
        json!([]),
        json!(7),
        json!(null),
        json!({ "reconnect": 7, "interval": "soon" }),
        json!({ "reconnect": "sometimes" }),
        json!({ "interval": -5, "timeout": -5, "maxInterval": -1 }),
        json!({ "timeout": i64::MAX, "maxInterval": i64::MAX }),
        json!({ "timeout": u64::MAX, "maxInterval": u64::MAX }),
        json!({ "timeout": 1e300, "interval": -1e300 }),
        json!({ "interval": 0.5, "timeout": 1.5 }),
        json!({ "hosts": 7 }),
        json!({ "hosts": [7, null, "", "not a host", "http://x/"] }),
        json!({ "multiple-clients": "yes" }),
    ];
    for advice in advices {
        let shown = advice.to_string();
        let server = Scripted::start(move |nth, messages| match nth {
            0 | 1 => {
                let mut reply = reply(&messages[0]);
                reply["advice"] = advice.clone();
                answer(&[reply])
            }
            _ => ordinary(&messages),
        })
        .await;
        let client = builder(&server.url()).build().unwrap();
        // It may say that this is not Bayeux.
        let _ = within("the handshake", client.handshake()).await;
        eventually(&format!("the client to connect with {shown}"), || {
            client.state() == State::Connected
        })
        .await;
        within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
        assert!(server.asked().len() < 12, "{} requests with {shown}", server.asked().len());
    }
}

#[tokio::test]
async fn an_interval_without_end_is_waited_for_and_can_be_ended() {
    let server = Scripted::start(|_, messages| {
        let mut reply = reply(&messages[0]);
        reply["advice"] = json!({ "reconnect": "retry", "interval": i64::MAX });
        answer(&[reply])
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connecting).await;
    tokio::time::sleep(WHILE).await;
    assert_eq!(server.on("/meta/connect").len(), 0);
    within("publish", client.channel("/a").unwrap().publish(json!(1))).await.unwrap();
    within("disconnect", client.disconnect()).await.unwrap();
    arrive(&client, State::Disconnected).await;
}

#[tokio::test]
async fn a_redirect_at_the_same_host_is_followed() {
    let server = Scripted::start(|nth, messages| match nth {
        0 => Answer::Reply(307, vec![("location", "/elsewhere".to_owned())], Vec::new()),
        _ => ordinary(&messages),
    })
    .await;
    connected(&server).await;
    let paths: Vec<_> = server.asked().into_iter().map(|asked| asked.path).take(2).collect();
    assert_eq!(paths, ["/cometd/handshake", "/elsewhere"]);
}

#[tokio::test]
async fn a_redirect_to_elsewhere_is_told_and_not_followed() {
    let other = Scripted::start(|_, messages| ordinary(&messages)).await;
    let location = other.url();
    let told = location.clone();
    let server = Scripted::start(move |_, _| {
        Answer::Reply(302, vec![("location", location.clone())], Vec::new())
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
    assert!(error.reason.contains(&told), "{error}");
    arrive(&client, State::Disconnected).await;
    assert_eq!(other.asked().len(), 0);
}

#[tokio::test]
async fn redirects_that_go_round_end() {
    let server = Scripted::start(|_, _| {
        Answer::Reply(307, vec![("location", "/round".to_owned())], Vec::new())
    })
    .await;
    let client = builder(&server.url()).build().unwrap();
    let error = failure(within("the handshake", client.handshake()).await.unwrap_err());
    assert!(error.reason.contains("redirects"), "{error}");
    arrive(&client, State::Disconnected).await;
    assert!(server.asked().len() < 10);
}
