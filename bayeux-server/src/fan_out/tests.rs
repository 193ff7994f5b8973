//! Channels with an order: where a subscriber begins, and what a hook that never returns holds up.

use std::future::pending;

use async_trait::async_trait;
use bayeux_api::server::{ServerSession, SessionExtension};
use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::{channel::Inserted, clock, session::Origin};

fn ordered(server: &Server) -> Arc<Channel> {
    server.create_channel_if_absent_with("/a", |channel| channel.set_ordered(true)).unwrap();
    server.0.channels.get("/a").unwrap()
}

async fn subscribed(server: &Server, channel: &Arc<Channel>) -> (Arc<Session>, u64) {
    let session = server.new_session(None, Origin::default());
    assert!(session.handshaken());
    match server.subscribe_session(&session, channel, None).await {
        Ok(Inserted::New { begin: Some(begin) }) => (session, begin),
        other => panic!("{other:?}"),
    }
}

/// Takes what was queued for a session.
fn taken(session: &Session) -> Vec<String> {
    let messages = session.drain_with_response();
    messages.messages.iter().map(|one| String::from_utf8_lossy(one.json()).into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscriber_gets_all_after_its_begin_and_none_before() {
    let server = Server::new();
    let channel = ordered(&server);
    let (witness, begin) = subscribed(&server, &channel).await;
    assert_eq!(begin, 0);
    let (mut publishing, mut subscribing) = (JoinSet::new(), JoinSet::new());
    for who in 0..4 {
        let own = channel.clone();
        publishing.spawn(async move {
            for number in 0..300 {
                let message = Message::with_data("/a", json!([who, number]));
                own.publish(message).await.unwrap();
            }
        });
        let (server, channel) = (server.clone(), channel.clone());
        subscribing.spawn(async move {
            let mut subscribers = Vec::new();
            for _ in 0..150 {
                subscribers.push(subscribed(&server, &channel).await);
                tokio::task::yield_now().await;
            }
            subscribers
        });
    }
    let subscribers = subscribing.join_all().await.concat();
    publishing.join_all().await;
    let all = taken(&witness);
    assert_eq!((all.len(), channel.position()), (1200, Some(1200)));
    for (session, begin) in subscribers {
        assert!(taken(&session) == all[usize::try_from(begin).unwrap()..], "from {begin} on");
    }
}

/// Never lets a message on.
#[derive(Debug)]
struct Never;

#[async_trait]
impl SessionExtension for Never {
    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        _message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_has_an_end_whatever_its_hooks_do() {
    let server = Server::new();
    let channel = ordered(&server);
    let mut hanging = Vec::new();
    for _ in 0..3 {
        let (session, _) = subscribed(&server, &channel).await;
        session.add_extension(Arc::new(Never)).keep();
        hanging.push(session);
    }
    let (other, _) = subscribed(&server, &channel).await;
    for turn in 1..=2 {
        let start = clock::now();
        let published = channel.publish(Message::with_data("/a", json!(turn))).await;
        assert_eq!(published.unwrap().sessions, 1);
        let time = clock::now() - start;
        assert!((5..6).contains(&time.as_secs()), "{time:?}");
        assert_eq!(taken(&other).len(), 1);
    }
    assert!(hanging.iter().all(|session| taken(session).is_empty()));
    assert!(server.statistics().messages_dropped == 6);
}
