//! `/meta/disconnect`, from both ends, and what comes after it.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, meta,
    server::{ServerChannel, ServerChannelListener, ServerMessage, ServerSession},
};
use serde_json::json;
use tests::{TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    the_session_is_gone_and_its_listeners_know,
    the_held_connect_is_answered_and_told_to_stay_away,
    a_later_connect_is_told_to_handshake,
    later_messages_of_the_batch_are_of_nobody,
    no_service_is_asked_after_the_disconnect_of_its_batch,
    a_disconnect_by_the_server_is_told_to_the_client,
    a_session_removed_by_the_server_is_not_told,
    a_connect_that_races_with_a_disconnect_is_told_to_stay_away,
    a_subscribe_or_publish_that_races_with_a_disconnect_has_no_effect,
    disconnecting_from_an_unknown_session_fails,
    a_connect_that_is_followed_by_a_disconnect_is_not_held,
);

async fn the_session_is_gone_and_its_listeners_know(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let (log, own) = (Log::default(), Log::default());
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let mut client = server.handshaken(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    session.add_listener(Arc::new(own.clone())).keep();
    let reply = client.disconnect().await;
    assert_eq!(reply, json!({ "channel": "/meta/disconnect", "id": "3", "successful": true }));
    assert!(!session.is_handshook());
    assert!(server.server.sessions().is_empty());
    assert_eq!(
        log.entries(),
        [
            "added session, handshook=true",
            "server: subscribed /a by the client",
            "Disconnected session, 1 subscriptions",
            "server: unsubscribed /a by the server",
        ]
    );
    own.until("removed Disconnected").await;
}

async fn the_held_connect_is_answered_and_told_to_stay_away(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    client.disconnect().await;
    let reply = client.reply_to(&id).await;
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["advice"]["reconnect"], "none");
}

async fn a_later_connect_is_told_to_handshake(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.disconnect().await;
    let reply = client.try_connect(json!({})).await;
    assert_eq!(reply["error"], "402::session_unknown");
    assert_eq!(reply["advice"]["reconnect"], "handshake");
}

async fn later_messages_of_the_batch_are_of_nobody(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let batch = [
        client.message("/meta/disconnect", &json!({})),
        client.message("/a", &json!({ "data": 1 })),
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
        client.message("/service/a", &json!({ "data": 1 })),
    ];
    let replies = client.batch(&batch).await;
    assert_eq!(replies[0]["successful"], true);
    for reply in &replies[1..] {
        assert_eq!(reply["error"], "402::session_unknown");
    }
    assert!(server.server.channel("/a").is_none());
}

async fn no_service_is_asked_after_the_disconnect_of_its_batch(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    for channel in ["/a", meta::SUBSCRIBE] {
        let channel = server.server.create_channel_if_absent(channel).unwrap().channel();
        channel.add_listener(Arc::new(log.clone())).keep();
    }
    let mut client = server.connected(transport).await;
    let batch = [
        client.message("/a", &json!({ "data": 1 })),
        client.message("/meta/disconnect", &json!({})),
        client.message("/a", &json!({ "data": 2 })),
        client.message("/meta/subscribe", &json!({ "subscription": "/a" })),
    ];
    client.batch(&batch).await;
    assert_eq!(log.entries(), ["/a hears /a"]);
}

async fn a_disconnect_by_the_server_is_told_to_the_client(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    server.session(&client).disconnect().await;
    let farewell = client
        .expect("the farewell", |message| {
            message["channel"] == meta::DISCONNECT && message.get("id").is_none()
        })
        .await;
    assert_eq!(farewell, json!({ "channel": "/meta/disconnect", "successful": true }));
    let reply = client.reply_to(&id).await;
    assert_eq!(reply["successful"], true);
    assert_eq!(reply["advice"]["reconnect"], "none");
}

async fn a_session_removed_by_the_server_is_not_told(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    assert!(server.server.remove_session(client.id()).await);
    assert!(!server.server.remove_session(client.id()).await);
    // CometD leaves the connect held until its time is over.
    let reply = client.reply_to(&id).await;
    assert_eq!(reply["advice"]["reconnect"], "none");
    assert!(client.received().is_empty());
    let reply = client.try_connect(json!({})).await;
    assert_eq!(reply["advice"]["reconnect"], "handshake");
}

/// Disconnects the session whose message it hears.
#[derive(Debug)]
struct Disconnects;

#[async_trait]
impl ServerChannelListener for Disconnects {
    async fn on_message(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        from.unwrap().disconnect().await;
        Flow::Continue
    }
}

async fn a_connect_that_races_with_a_disconnect_is_told_to_stay_away(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let channel = server.server.channel(meta::CONNECT).unwrap();
    let registration = channel.add_listener(Arc::new(Disconnects));
    let reply = client.try_connect(json!({})).await;
    assert_eq!(reply["successful"], false);
    assert_eq!(reply["error"], "402::session_unknown");
    assert_eq!(reply["advice"]["reconnect"], "none");
    drop(registration);
    let reply = client.try_connect(json!({})).await;
    assert_eq!(reply["error"], "402::session_unknown");
    assert_eq!(reply["advice"]["reconnect"], "handshake");
}

async fn a_subscribe_or_publish_that_races_with_a_disconnect_has_no_effect(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let meta = server.server.channel(meta::SUBSCRIBE).unwrap();
    meta.add_listener(Arc::new(Disconnects)).keep();
    let mut client = server.connected(transport).await;
    let fields = json!({ "subscription": "/a" });
    let reply = client.request("/meta/subscribe", fields).await;
    assert_eq!(reply["successful"], false);
    let channel = server.server.channel("/a");
    assert!(channel.is_none_or(|channel| channel.subscribers().is_empty()));

    let service = server.server.create_channel_if_absent("/service/a").unwrap().channel();
    service.add_listener(Arc::new(Disconnects)).keep();
    let mut client = server.connected(transport).await;
    let publish = client.message("/service/a", &json!({ "data": 1 }));
    let again = client.message("/service/a", &json!({ "data": 2 }));
    let replies = client.batch(&[publish, again]).await;
    assert_eq!(replies[1]["error"], "402::session_unknown");
}

async fn disconnecting_from_an_unknown_session_fails(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    client.disconnect().await;
    let reply = client.request("/meta/disconnect", json!({})).await;
    assert_eq!(reply["error"], "402::session_unknown");
}

/// The disconnect comes when the connect has been accepted, and before it is held.
async fn a_connect_that_is_followed_by_a_disconnect_is_not_held(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let connect = client.message("/meta/connect", &json!({}));
    let disconnect = client.message("/meta/disconnect", &json!({}));
    let replies = client.batch(&[connect, disconnect]).await;
    assert_eq!(replies[0]["successful"], true);
    assert_eq!(replies[0]["advice"]["reconnect"], "none");
    assert_eq!(replies[1]["successful"], true);
    assert_eq!(server.server.statistics().held_connects, 0);
}
