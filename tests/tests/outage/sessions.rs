//! Sessions that a server grants and ends at once: what was asked of one counts for no other.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use bayeux_client::{BayeuxClient, State, api::ConnectionType};
use serde_json::{Value, json};
use tests::{
    arrive, brisk_client, eventually, over_every_client_transport,
    scripted::{Answer, Scripted, Upgrade, answer, body, ordinary, reply},
    within,
};
use tokio::sync::Notify;

use crate::answers::has;

over_every_client_transport!(
    a_late_grant_counts_for_its_own_session,
    a_grant_behind_a_good_connect_that_ends_the_session_does_not_count_for_the_next,
    the_very_first_subscription_is_made_in_the_session_that_is,
    who_knows_no_session_says_so_in_many_words,
    what_a_lost_session_never_answered_holds_up_nothing,
    an_unsubscribe_of_a_lost_session_ends_nothing_in_the_next,
    many_subscriptions_are_made_again_in_portions,
    portions_become_as_small_as_the_server_takes,
    a_subscription_that_is_too_large_by_itself_is_given_up,
    a_call_that_was_not_sent_goes_to_the_next_session,
    connects_that_are_answered_at_once_are_no_flood,
);

/// What the script of a test says of the requests of the nth session, from 1; none for what a good server
/// would say.
type Says = dyn Fn(usize, &[Value]) -> Option<Answer> + Send + Sync;

/// Starts a server whose sessions are `1`, `2` and so on.
async fn sessions(
    says: impl Fn(usize, &[Value]) -> Option<Answer> + Send + Sync + 'static,
) -> Scripted {
    let (says, last): (Box<Says>, _) = (Box::new(says), Mutex::new(0));
    Scripted::start_with_websocket(
        |_| Upgrade::Accept,
        move |_, messages| {
            if has(&messages, "/meta/handshake") {
                let mut last = last.lock().unwrap();
                *last += 1;
                let mut granted = reply(&messages[0]);
                granted["clientId"] = json!(last.to_string());
                return says(*last, &messages).unwrap_or_else(|| answer(&[granted]));
            }
            let session = messages[0]["clientId"].as_str().unwrap().parse().unwrap();
            says(session, &messages).unwrap_or_else(|| ordinary(&messages))
        },
    )
    .await
}

/// Refuses messages since their session is over, with this error.
fn over(messages: &[Value], error: &str) -> Answer {
    let replies = messages.iter().map(|message| {
        let mut reply = reply(message);
        reply["successful"] = json!(false);
        reply["error"] = json!(error);
        if message["channel"] == "/meta/connect" {
            reply["advice"] = json!({ "reconnect": "handshake", "interval": 0 });
        }
        reply
    });
    answer(&replies.collect::<Vec<_>>())
}

const UNKNOWN: &str = "402::session_unknown";

/// Whether this is the connect that a server holds.
fn is_held(messages: &[Value]) -> bool {
    has(messages, "/meta/connect") && messages[0].get("advice").is_none()
}

/// How often `channel` was asked for in this session.
fn asked(server: &Scripted, session: usize, channel: &str) -> usize {
    let session = session.to_string();
    let is_this =
        |one: &&Value| one["clientId"] == session.as_str() && one["subscription"] == channel;
    server.on("/meta/subscribe").iter().filter(is_this).count()
}

async fn until_asked(server: &Scripted, session: usize) {
    eventually("the subscription", || asked(server, session, "/a") == 1).await;
}

/// A client that is connected in session 1.
async fn first_session(server: &Scripted, transport: ConnectionType) -> BayeuxClient {
    let client = server.builder(transport).config(brisk_client()).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    client
}

/// Session 1 ends when `lost` is signalled; the subscription of session 2 is granted when the third begins,
/// and its first connect is answered by `second`.
async fn late_grant(transport: ConnectionType, second: fn(&[Value]) -> Answer) {
    let (lost, late) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (losing, third) = (lost.clone(), late.clone());
    let server = sessions(move |session, messages| {
        if session == 3 && has(messages, "/meta/handshake") {
            third.notify_one();
        }
        match session {
            1 if is_held(messages) => {
                Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
            }
            2 if has(messages, "/meta/subscribe") => {
                Some(Answer::After(late.clone(), Box::new(ordinary(messages))))
            }
            2 if has(messages, "/meta/connect") => Some(second(messages)),
            _ => None,
        }
    })
    .await;
    let client = first_session(&server, transport).await;
    let mut messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
    lost.notify_one();
    until_asked(&server, 3).await;
    arrive(&client, State::Connected).await;
    assert!(messages.try_next().is_none());
    within("unsubscribe", messages.unsubscribe()).await.unwrap();
}

async fn a_late_grant_counts_for_its_own_session(transport: ConnectionType) {
    late_grant(transport, |messages| over(messages, UNKNOWN)).await;
}

async fn a_grant_behind_a_good_connect_that_ends_the_session_does_not_count_for_the_next(
    transport: ConnectionType,
) {
    late_grant(transport, |messages| {
        let mut good = reply(&messages[0]);
        good["advice"] = json!({ "reconnect": "handshake", "interval": 0 });
        answer(&[good])
    })
    .await;
}

async fn the_very_first_subscription_is_made_in_the_session_that_is(transport: ConnectionType) {
    let (lost, late) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (losing, second) = (lost.clone(), late.clone());
    let server = sessions(move |session, messages| {
        if session == 2 && has(messages, "/meta/handshake") {
            second.notify_one();
        }
        match session {
            1 if is_held(messages) => {
                Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
            }
            1 if has(messages, "/meta/subscribe") => {
                Some(Answer::After(late.clone(), Box::new(ordinary(messages))))
            }
            _ => None,
        }
    })
    .await;
    let client = first_session(&server, transport).await;
    let subscribing = client.channel("/a").unwrap().subscribe();
    until_asked(&server, 1).await;
    lost.notify_one();
    until_asked(&server, 2).await;
    let messages = within("subscribe", subscribing).await.unwrap();
    within("unsubscribe", messages.unsubscribe()).await.unwrap();
}

async fn who_knows_no_session_says_so_in_many_words(transport: ConnectionType) {
    for error in [
        "403::Unknown client",
        "402::Unknown client",
        "401:2:Unknown client",
        "402:2:Unknown Client ID",
        "402::unknown_session",
        UNKNOWN,
    ] {
        // The subscription is refused before the connect is.
        let refused = Arc::<Notify>::default();
        let lost = Arc::<Notify>::default();
        let losing = lost.clone();
        let server = sessions(move |session, messages| match session {
            1 if is_held(messages) => {
                Some(Answer::After(losing.clone(), Box::new(over(messages, error))))
            }
            2 if has(messages, "/meta/subscribe") => {
                refused.notify_one();
                Some(over(messages, error))
            }
            2 if has(messages, "/meta/connect") => {
                let mut over = over(messages, error);
                // An error that is known needs no advice.
                if let Answer::Reply(_, _, body) = &mut over {
                    let mut replies: Vec<Value> = serde_json::from_slice(body).unwrap();
                    replies[0].as_object_mut().unwrap().remove("advice");
                    *body = Value::from(replies).to_string().into_bytes();
                }
                Some(Answer::After(refused.clone(), Box::new(over)))
            }
            _ => None,
        })
        .await;
        let client = first_session(&server, transport).await;
        let messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
        lost.notify_one();
        until_asked(&server, 3).await;
        within("unsubscribe", messages.unsubscribe()).await.unwrap();
    }
}

async fn what_a_lost_session_never_answered_holds_up_nothing(transport: ConnectionType) {
    let lost = Arc::<Notify>::default();
    let losing = lost.clone();
    let server = sessions(move |session, messages| match session {
        1 if is_held(messages) => {
            Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
        }
        1 if has(messages, "/p") => Some(Answer::Hang),
        _ => None,
    })
    .await;
    let client = first_session(&server, transport).await;
    let _messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
    let published = client.channel("/p").unwrap().publish(json!(1));
    server.until("/p", 1).await;
    lost.notify_one();
    until_asked(&server, 2).await;
    within("another", client.channel("/q").unwrap().publish(json!(2))).await.unwrap();
    within("the disconnect", client.disconnect()).await.unwrap();
    within("the first publish", published).await.unwrap_err();
}

async fn an_unsubscribe_of_a_lost_session_ends_nothing_in_the_next(transport: ConnectionType) {
    let lost = Arc::<Notify>::default();
    let late = Arc::<Notify>::default();
    let (losing, answering) = (lost.clone(), late.clone());
    let server = sessions(move |session, messages| match session {
        1 if is_held(messages) => {
            Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
        }
        1 if has(messages, "/meta/unsubscribe") => {
            Some(Answer::After(answering.clone(), Box::new(ordinary(messages))))
        }
        _ => None,
    })
    .await;
    let client = first_session(&server, transport).await;
    let channel = client.channel("/a").unwrap();
    let messages = within("it", channel.subscribe()).await.unwrap();
    let left = messages.unsubscribe();
    server.until("/meta/unsubscribe", 1).await;
    lost.notify_one();
    server.until("/meta/handshake", 2).await;
    let again = within("it", channel.subscribe()).await.unwrap();
    late.notify_one();
    within("the unsubscribe", left).await.unwrap();
    assert_eq!(asked(&server, 2, "/a"), 1);
    assert_eq!(server.on("/meta/unsubscribe").len(), 1);
    within("unsubscribe", again.unsubscribe()).await.unwrap();
    assert_eq!(server.on("/meta/unsubscribe").len(), 2);
}

/// How a server refuses what is larger than it takes.
fn too_large(transport: ConnectionType) -> Answer {
    if transport == ConnectionType::WebSocket { Answer::Close(1009) } else { body(413, "") }
}

/// Subscribes to that many channels with names of 28 characters in session 1, and sees that the next one has
/// them all though its server takes no more than so many bytes and messages at once.
async fn all_again(transport: ConnectionType, count: usize, bytes: usize, most: usize) {
    let lost = Arc::<Notify>::default();
    let losing = lost.clone();
    let granted = Arc::<Mutex<BTreeSet<String>>>::default();
    let granting = granted.clone();
    let server = sessions(move |session, messages| match session {
        1 if is_held(messages) => {
            Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
        }
        2 if messages.len() > most || json!(messages).to_string().len() > bytes => {
            Some(too_large(transport))
        }
        2 => {
            let names = messages.iter().filter_map(|one| one["subscription"].as_str());
            granting.lock().unwrap().extend(names.map(str::to_owned));
            None
        }
        _ => None,
    })
    .await;
    let client = first_session(&server, transport).await;
    let mut streams = Vec::new();
    for number in 0..count {
        let channel = client.channel(&format!("/some/where/channel/{number:08}")).unwrap();
        streams.push(within("subscribe", channel.subscribe()).await.unwrap());
    }
    lost.notify_one();
    eventually("all subscriptions", || granted.lock().unwrap().len() == count).await;
    arrive(&client, State::Connected).await;
    assert_eq!(server.on("/meta/handshake").len(), 2);
    // Not one by one.
    let requests = server.asked().into_iter().filter(|asked| {
        has(&asked.messages, "/meta/subscribe") && asked.messages[0]["clientId"] == "2"
    });
    let requests = requests.count();
    assert!(requests < count / 2 + 10, "{requests} requests for {count} subscriptions");
}

async fn many_subscriptions_are_made_again_in_portions(transport: ConnectionType) {
    all_again(transport, 600, 65_536, 10_000).await;
}

async fn portions_become_as_small_as_the_server_takes(transport: ConnectionType) {
    all_again(transport, 100, 2000, 10_000).await;
    all_again(transport, 30, 65_536, 4).await;
}

async fn a_subscription_that_is_too_large_by_itself_is_given_up(transport: ConnectionType) {
    let lost = Arc::<Notify>::default();
    let losing = lost.clone();
    let is_small =
        move |message: &Value| message["subscription"].as_str().is_none_or(|name| name.len() < 100);
    let server = sessions(move |session, messages| match session {
        1 if is_held(messages) => {
            Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
        }
        2 if !messages.iter().all(is_small) => Some(too_large(transport)),
        _ => None,
    })
    .await;
    let client = first_session(&server, transport).await;
    let long = format!("/{}", "x".repeat(200));
    let mut large = within("it", client.channel(&long).unwrap().subscribe()).await.unwrap();
    let _messages = within("it", client.channel("/a").unwrap().subscribe()).await.unwrap();
    lost.notify_one();
    assert!(within("the end of the stream", large.next()).await.is_none());
    eventually("the subscription", || asked(&server, 2, "/a") > 0).await;
    arrive(&client, State::Connected).await;
    within("publish", client.channel("/b").unwrap().publish(json!(1))).await.unwrap();
    assert_eq!(server.on("/meta/handshake").len(), 2);
}

async fn a_call_that_was_not_sent_goes_to_the_next_session(transport: ConnectionType) {
    let lost = Arc::<Notify>::default();
    let losing = lost.clone();
    let server = sessions(move |session, messages| {
        let call = messages.iter().find(|one| one["channel"] == "/service/sum");
        match (session, call) {
            (1, _) if is_held(messages) => {
                Some(Answer::After(losing.clone(), Box::new(over(messages, UNKNOWN))))
            }
            (2, Some(call)) => {
                let data = json!({ "id": call["id"], "channel": "/service/sum", "data": 3 });
                Some(answer(&[data, reply(call)]))
            }
            _ => None,
        }
    })
    .await;
    let mut config = brisk_client();
    config.remote_call_timeout = tests::AGES;
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    arrive(&client, State::Connected).await;
    let batch = client.start_batch();
    let call = client.remote_call("sum", json!([1, 2])).unwrap();
    lost.notify_one();
    server.until("/meta/handshake", 2).await;
    batch.end();
    assert_eq!(within("the call", call).await.unwrap().data.unwrap(), json!(3));
    assert_eq!(server.on("/service/sum").len(), 1);
}

async fn connects_that_are_answered_at_once_are_no_flood(transport: ConnectionType) {
    let server = sessions(|_, messages| {
        Some(answer(&tests::scripted::replies(messages)))
            .filter(|_| !has(messages, "/meta/handshake"))
    })
    .await;
    let client = first_session(&server, transport).await;
    server.until("/meta/connect", 120).await;
    let times = server.times("/meta/connect");
    // Each is sent after the one before has been answered, so that a slow machine makes more of this.
    let (first, last) = (times[0], times[119]);
    assert!(last - first >= Duration::from_secs(1), "{:?}", last - first);
    within("publish", client.channel("/b").unwrap().publish(json!(1))).await.unwrap();
    client.abort();
}
