//! The security policy: who may handshake, create, subscribe and publish.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::{
    Server,
    api::{
        ChannelId, Message, Reconnect,
        client::RequestError,
        server::{BayeuxServer, SecurityPolicy, ServerChannel, ServerMessage, ServerSession},
    },
};
use serde_json::json;
use tests::{TestServer, Transport, over_every_transport};

/// Allows everything but one thing: `handshake`, `create`, `subscribe` or `publish`.
#[derive(Debug)]
pub(crate) struct Denies(pub(crate) &'static str);

#[async_trait]
impl SecurityPolicy for Denies {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "handshake"
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "create"
    }

    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "subscribe"
    }

    async fn can_publish(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.0 != "publish"
    }
}

async fn server(policy: impl SecurityPolicy + 'static) -> TestServer {
    TestServer::serve(Server::builder().policy(policy).build()).await
}

over_every_transport!(
    a_denied_handshake_is_told_to_stay_away,
    a_denied_handshake_starts_no_session,
    the_policy_may_tell_more_in_the_reply,
    the_policy_may_tell_more_in_every_refusal,
    creating_may_be_denied,
    subscribing_may_be_denied,
    publishing_may_be_denied,
    without_a_policy_everything_is_allowed,
    a_policy_that_decides_nothing_allows_nothing,
    the_servers_own_calls_are_not_asked_about,
);

async fn a_denied_handshake_is_told_to_stay_away(transport: Transport) {
    let server = server(Denies("handshake")).await;
    let reply = server.client(transport).await.try_handshake(json!({ "id": "h" })).await;
    assert_eq!(
        reply,
        json!({
            "channel": "/meta/handshake",
            "id": "h",
            "successful": false,
            "error": "403::handshake_denied",
            "advice": { "reconnect": "none" },
        })
    );
}

async fn a_denied_handshake_starts_no_session(transport: Transport) {
    let server = server(Denies("handshake")).await;
    let mut client = server.client(transport).await;
    client.try_handshake(json!({})).await;
    assert!(server.server.sessions().is_empty());
    assert_eq!(server.server.statistics().handshakes_refused, 1);
    server.server.set_security_policy(None);
    client.handshake().await;
    client.connect().await;
}

/// Asks for a token, and says so.
#[derive(Debug)]
struct WithToken;

#[async_trait]
impl SecurityPolicy for WithToken {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> bool {
        if message.ext_field("token") == Some(json!("secret")) {
            return true;
        }
        let reply = message.reply_mut();
        reply.advice_mut().reconnect = Some(Reconnect::Handshake);
        reply.ext_mut().insert("login".to_owned(), json!({ "failure": "expired" }));
        false
    }
}

async fn the_policy_may_tell_more_in_the_reply(transport: Transport) {
    let server = server(WithToken).await;
    let mut client = server.client(transport).await;
    let reply = client.try_handshake(json!({ "ext": { "token": "guess" } })).await;
    assert_eq!(reply["error"], "403::handshake_denied");
    assert_eq!(reply["advice"]["reconnect"], "handshake");
    assert_eq!(reply["ext"], json!({ "login": { "failure": "expired" } }));
    let reply = client.try_handshake(json!({ "ext": { "token": "secret" } })).await;
    assert_eq!(reply["successful"], true);
}

/// Denies all but handshakes, and says why.
#[derive(Debug)]
struct Explains;

fn explained(what: &str, message: &mut ServerMessage) -> bool {
    let reply = message.reply_mut();
    reply.advice_mut().reconnect = Some(Reconnect::None);
    reply.ext_mut().insert("denied".to_owned(), json!(what));
    false
}

#[async_trait]
impl SecurityPolicy for Explains {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        true
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &ChannelId,
        message: &mut ServerMessage,
    ) -> bool {
        explained("create", message)
    }

    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> bool {
        explained("subscribe", message)
    }

    async fn can_publish(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> bool {
        explained("publish", message)
    }
}

async fn the_policy_may_tell_more_in_every_refusal(transport: Transport) {
    let server = server(Explains).await;
    server.server.create_channel_if_absent("/there").unwrap();
    let mut client = server.handshaken(transport).await;
    for (channel, fields, denied) in [
        ("/new", json!({ "data": 1 }), "create"),
        ("/there", json!({ "data": 1 }), "publish"),
        ("/meta/subscribe", json!({ "subscription": "/new" }), "create"),
        ("/meta/subscribe", json!({ "subscription": "/there" }), "subscribe"),
    ] {
        let reply = client.request(channel, fields).await;
        assert_eq!(reply["successful"], false, "{channel}");
        assert_eq!(reply["ext"], json!({ "denied": denied }), "{channel}");
        assert_eq!(reply["advice"]["reconnect"], "none", "{channel}");
    }
}

async fn creating_may_be_denied(transport: Transport) {
    let server = server(Denies("create")).await;
    let mut client = server.handshaken(transport).await;
    for channel in ["/a", "/service/a"] {
        let reply = client.request(channel, json!({ "data": 1 })).await;
        assert_eq!(reply["error"], "403:denied_by_security_policy:channel_create_denied");
    }
    let reply = client.request("/meta/subscribe", json!({ "subscription": "/a" })).await;
    assert_eq!(reply["error"], "403:denied_by_security_policy:create_denied");
    server.server.create_channel_if_absent("/a").unwrap();
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
}

async fn subscribing_may_be_denied(transport: Transport) {
    let server = server(Denies("subscribe")).await;
    let mut client = server.handshaken(transport).await;
    let reply = client.request("/meta/subscribe", json!({ "subscription": "/a" })).await;
    assert_eq!(reply["error"], "403:denied_by_security_policy:subscribe_denied");
    client.publish("/a", json!(1)).await;
}

async fn publishing_may_be_denied(transport: Transport) {
    let server = server(Denies("publish")).await;
    let mut client = server.handshaken(transport).await;
    client.subscribe("/a").await;
    for channel in ["/a", "/service/a"] {
        let reply = client.request(channel, json!({ "data": 1 })).await;
        assert_eq!(reply["error"], "403:denied_by_security_policy:publish_denied");
    }
}

async fn without_a_policy_everything_is_allowed(transport: Transport) {
    let server = server(Denies("handshake")).await;
    server.server.set_security_policy(None);
    assert!(server.server.security_policy().is_none());
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
}

/// Leaves every method as the trait has it.
#[derive(Debug)]
struct Silent;

impl SecurityPolicy for Silent {}

async fn a_policy_that_decides_nothing_allows_nothing(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    server.server.create_channel_if_absent("/a").unwrap();
    server.server.set_security_policy(Some(Arc::new(Silent)));
    let reply = client.request("/b", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "403:denied_by_security_policy:channel_create_denied");
    let reply = client.request("/a", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "403:denied_by_security_policy:publish_denied");
    let reply = client.request("/meta/subscribe", json!({ "subscription": "/a" })).await;
    assert_eq!(reply["error"], "403:denied_by_security_policy:subscribe_denied");
    let reply = client.try_handshake(json!({})).await;
    assert_eq!(reply["error"], "403::handshake_denied");
}

async fn the_servers_own_calls_are_not_asked_about(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    server.server.set_security_policy(Some(Arc::new(Silent)));
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let session = server.session(&client);
    assert!(channel.subscribe(&*session).await);
    let published = channel.publish(json!(1)).await;
    assert_eq!(published.unwrap().sessions, 1);
    assert_eq!(client.message_on("/a").await["data"], 1);
}

#[tokio::test]
async fn local_sessions_are_asked_about_too() {
    let server = Server::builder().policy(Denies("publish")).build();
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    let publish = local.channel("/a").unwrap().publish(Message::with_data("", json!(1))).await;
    let Err(RequestError::Refused(reply)) = publish else { panic!("{publish:?}") };
    assert_eq!(reply.error.as_deref(), Some("403:denied_by_security_policy:publish_denied"));
    server.set_security_policy(Some(Arc::new(Denies("handshake"))));
    let handshake = server.new_local_session("other").handshake(Message::default()).await;
    assert!(matches!(handshake, Err(RequestError::Refused(_))), "{handshake:?}");
}
