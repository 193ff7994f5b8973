//! Extensions of the server and of its sessions: they see, change and stop every message.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message, Subscription,
    server::{GrantAuthorizer, ServerMessage, ServerSession, SessionExtension},
};
use serde_json::json;
use tests::{
    TestServer, Transport,
    hooks::{Log, incoming, on_message, outgoing},
    over_every_transport,
};

over_every_transport!(
    every_message_that_arrives_is_seen,
    every_reply_and_delivery_is_seen,
    changes_on_the_way_in_are_seen_by_listeners_and_subscribers,
    changes_to_what_is_asked_of_the_server_count,
    a_publication_goes_to_the_channel_that_an_extension_gives_it,
    a_request_may_become_another,
    what_an_extension_cannot_make_of_a_message_is_refused,
    changes_on_the_way_out_are_seen_by_the_client,
    an_arriving_message_may_be_stopped,
    who_stops_a_message_may_complete_its_reply,
    a_publication_may_be_stopped_on_its_way_out,
    a_stopped_reply_is_not_sent,
    unknown_sessions_are_seen_as_none,
    a_removed_extension_sees_no_more,
    extensions_act_on_what_is_delivered_to_one_session,
    a_session_extension_sees_its_session_only,
    a_session_extension_may_replace_what_its_session_gets,
    a_session_extension_may_drop_what_its_session_gets,
    a_session_extension_may_stop_what_arrives_and_what_is_replied,
);

/// The five meta messages and a publication, in a session's life.
async fn live(server: &TestServer, transport: Transport) {
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    client.unsubscribe("/a").await;
    client.disconnect().await;
}

async fn every_message_that_arrives_is_seen(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let (log, seen) = (Log::default(), Log::default());
    let own = seen.clone();
    let extension = incoming(move |from, message| {
        own.add(format!("{} {}", message.channel(), from.is_some()));
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    live(&server, transport).await;
    assert_eq!(
        seen.entries(),
        [
            "/meta/handshake true",
            "/meta/connect true",
            "/meta/subscribe true",
            "/a true",
            "/meta/unsubscribe true",
            "/meta/disconnect true",
        ]
    );
    assert!(log.entries().is_empty());
}

async fn every_reply_and_delivery_is_seen(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let seen = Log::default();
    let own = seen.clone();
    let extension = outgoing(move |to, message| {
        let what = if message.data.is_some() { "message" } else { "reply" };
        own.add(format!("{what} {} {}", message.channel(), to.is_some()));
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    live(&server, transport).await;
    assert_eq!(
        seen.entries(),
        [
            "reply /meta/handshake true",
            "reply /meta/connect true",
            "reply /meta/subscribe true",
            // Once, before it is sent to all subscribers.
            "message /a false",
            "reply /a true",
            "reply /meta/unsubscribe true",
            "reply /meta/disconnect true",
        ]
    );
}

async fn changes_on_the_way_in_are_seen_by_listeners_and_subscribers(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let extension = incoming(|_, message| {
        if let Some(data) = &mut message.data {
            data.value_mut()["in"] = json!(true);
            message.ext_mut().insert("in".to_owned(), json!(1));
            message.set_extra("extra", json!("in"));
        }
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    let heard = Log::default();
    let own = heard.clone();
    let listener = on_message(move |_, message| {
        own.add(tests::hooks::data(message));
        Flow::Continue
    });
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    channel.add_listener(listener).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.publish("/a", json!({ "n": 1 })).await;
    assert_eq!(heard.entries(), [r#"{"in":true,"n":1}"#]);
    let expected = json!({
        "channel": "/a", "data": { "n": 1, "in": true }, "ext": { "in": 1 }, "extra": "in",
    });
    assert_eq!(client.message_on("/a").await, expected);
}

async fn changes_to_what_is_asked_of_the_server_count(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let extension = incoming(|_, message| {
        message.ext_mut().insert("in".to_owned(), json!(1));
        if message.subscription.is_some() {
            message.subscription = Some(Subscription::One("/b".to_owned()));
        }
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    let seen = Log::default();
    for channel in server.server.channels() {
        let own = seen.clone();
        let listener = on_message(move |_, message| {
            own.add(format!("{} {:?}", message.channel(), message.ext_field("in")));
            Flow::Continue
        });
        channel.add_listener(listener).keep();
    }
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    assert!(server.server.channel("/a").is_none());
    assert_eq!(server.server.channel("/b").unwrap().subscribers().len(), 1);
    client.unsubscribe("/a").await;
    assert!(server.server.channel("/b").unwrap().subscribers().is_empty());
    client.disconnect().await;
    let asked = ["handshake", "connect", "subscribe", "unsubscribe", "disconnect"];
    assert_eq!(seen.entries(), asked.map(|one| format!("/meta/{one} Some(Number(1))")));
}

/// Has messages on `from` go to `to`.
fn redirect(server: &TestServer, from: &'static str, to: &'static str) {
    let extension = incoming(move |_, message| {
        if message.channel() == from {
            message.channel = Some(to.to_owned());
        }
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
}

async fn a_publication_goes_to_the_channel_that_an_extension_gives_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    redirect(&server, "/a", "/b/c");
    let create = |id| server.server.create_channel_if_absent(id).unwrap().channel();
    let log = Log::default();
    for id in ["/a", "/b/*"] {
        create(id).add_listener(Arc::new(log.clone())).keep();
    }
    create("/a").add_authorizer(Arc::new(GrantAuthorizer::SUBSCRIBE)).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    client.subscribe("/b/*").await;
    log.take();
    let reply = client.publish("/a", json!(1)).await;
    assert_eq!(reply["channel"], "/a");
    assert_eq!(client.message_on("/b/c").await["data"], 1);
    assert!(client.received_on("/a").is_empty());
    assert_eq!(log.entries(), ["/b/* hears /b/c"]);
    create("/b/c").add_authorizer(Arc::new(GrantAuthorizer::NONE)).keep();
    let reply = client.request("/a", json!({ "data": 2 })).await;
    assert_eq!(reply["error"], "403:denied_by_not_granting:publish_denied");
}

async fn a_request_may_become_another(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    redirect(&server, "/meta/subscribe", "/meta/unsubscribe");
    client.subscribe("/a").await;
    assert!(server.session(&client).subscriptions().is_empty());
}

async fn what_an_extension_cannot_make_of_a_message_is_refused(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    for (from, to) in [("/a", "b"), ("/b", "/meta/connect"), ("/c", "/meta/handshake")] {
        redirect(&server, from, to);
        let reply = client.request(from, json!({ "data": 1 })).await;
        assert_eq!(reply["error"], "405::channel_invalid", "{from} to {to}");
    }
    client.publish("/d", json!(1)).await;
    assert!(server.session(&client).is_connected());
}

async fn changes_on_the_way_out_are_seen_by_the_client(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let extension = outgoing(|_, message| {
        message.ext_mut().insert("out".to_owned(), json!(1));
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    let mut client = server.client(transport).await;
    assert_eq!(client.handshake().await["ext"], json!({ "out": 1 }));
    assert_eq!(client.connect().await["ext"], json!({ "out": 1 }));
    assert_eq!(client.subscribe("/a").await["ext"], json!({ "out": 1 }));
    assert_eq!(client.publish("/a", json!(1)).await["ext"], json!({ "out": 1 }));
    assert_eq!(client.message_on("/a").await["ext"], json!({ "out": 1 }));
    assert_eq!(client.disconnect().await["ext"], json!({ "out": 1 }));
}

async fn an_arriving_message_may_be_stopped(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    let mut client = server.connected(transport).await;
    let stops = incoming(|_, _| Flow::Stop);
    let own = log.clone();
    let behind = incoming(move |_, message| {
        own.add(message.channel());
        Flow::Continue
    });
    let _registrations = (server.server.add_extension(stops), server.server.add_extension(behind));
    for (channel, fields) in [
        ("/a", json!({ "data": 1 })),
        ("/service/a", json!({ "data": 1 })),
        ("/meta/connect", json!({})),
        ("/meta/subscribe", json!({ "subscription": "/a" })),
        ("/meta/unsubscribe", json!({ "subscription": "/a" })),
        ("/meta/disconnect", json!({})),
        ("/meta/handshake", json!({})),
    ] {
        let reply = client.request(channel, fields).await;
        assert_eq!(reply["successful"], false, "{channel}");
        assert_eq!(reply["error"], "404::message_deleted", "{channel}");
    }
    assert!(log.entries().is_empty());
    assert!(server.server.channel("/a").is_none());
    assert_eq!(server.server.sessions().len(), 1);
}

async fn who_stops_a_message_may_complete_its_reply(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let extension = incoming(|_, message| {
        message.set_handled(true);
        message.reply_mut().successful = Some(false);
        message.reply_mut().error = Some("503::busy".to_owned());
        Flow::Stop
    });
    server.server.add_extension(extension).keep();
    let reply = server.client(transport).await.try_handshake(json!({})).await;
    assert_eq!(reply["error"], "503::busy");
}

async fn a_publication_may_be_stopped_on_its_way_out(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let is_one = |message: &Message| message.data.as_ref().is_some_and(|data| *data == json!(1));
    let extension = outgoing(move |_, message| match is_one(message) {
        true => Flow::Stop,
        false => Flow::Continue,
    });
    server.server.add_extension(extension).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let reply = client.request("/a", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "404::message_deleted");
    client.publish("/a", json!(2)).await;
    assert_eq!(client.message_on("/a").await["data"], 2);
}

async fn a_stopped_reply_is_not_sent(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let extension = outgoing(|_, message| match message.channel() {
        "/quiet" => Flow::Stop,
        _ => Flow::Continue,
    });
    server.server.add_extension(extension).keep();
    let mut client = server.connected(transport).await;
    let quiet = client.message("/quiet", &json!({ "data": 1 }));
    let loud = client.message("/loud", &json!({ "data": 1 }));
    client.send(&[quiet, loud]);
    let replies = client.messages().await;
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0]["channel"], "/loud");
}

async fn unknown_sessions_are_seen_as_none(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let seen = Log::default();
    let own = seen.clone();
    let extension = incoming(move |from, message| {
        own.add(format!("{} {}", message.channel(), from.is_some()));
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    let mut client = server.client(transport).await;
    client.set_id("nobody");
    client.try_connect(json!({})).await;
    client.request("/a", json!({ "data": 1 })).await;
    // Fields are checked before.
    client.request("/<b>", json!({ "data": 1 })).await;
    assert_eq!(seen.entries(), ["/meta/connect false", "/a false"]);
}

async fn a_removed_extension_sees_no_more(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let registration = server.server.add_extension(incoming(|_, _| Flow::Stop));
    let mut client = server.client(transport).await;
    assert_eq!(client.try_handshake(json!({})).await["successful"], false);
    drop(registration);
    client.handshake().await;
}

async fn extensions_act_on_what_is_delivered_to_one_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let extension = outgoing(|to, message| {
        if message.data.is_some() {
            message.timestamp = Some(format!("now, to one: {}", to.is_some()));
        }
        Flow::Continue
    });
    server.server.add_extension(extension).keep();
    let mut client = server.connected(transport).await;
    client.hold().await;
    server.session(&client).deliver(Message::with_data("/a", json!(1))).await;
    assert_eq!(client.message_on("/a").await["timestamp"], "now, to one: true");
}

/// Notes what it sees, marks what goes out, and stops messages that ask for it.
#[derive(Debug, Default)]
struct Marks(Log);

#[async_trait]
impl SessionExtension for Marks {
    async fn incoming(
        &self,
        _session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.0.add(format!("in {}", message.channel()));
        if message.channel() == "/stop" { Flow::Stop } else { Flow::Continue }
    }

    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        self.0.add(format!("message {}", message.channel()));
        if message.channel() == "/drop" {
            return None;
        }
        let mut copy = message.to_message();
        copy.set_extra("mark", json!("own"));
        Some(copy.freeze())
    }

    async fn outgoing_reply(&self, _session: &Arc<dyn ServerSession>, reply: &mut Message) -> Flow {
        self.0.add(format!("reply {}", reply.channel()));
        reply.set_extra("mark", json!("reply"));
        if reply.channel() == "/quiet" { Flow::Stop } else { Flow::Continue }
    }
}

async fn a_session_extension_sees_its_session_only(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let log = Log::default();
    server.session(&client).add_extension(Arc::new(Marks(log.clone()))).keep();
    let mut other = server.connected(transport).await;
    other.subscribe("/a").await;
    other.publish("/a", json!(1)).await;
    assert!(log.entries().is_empty());
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    assert_eq!(
        log.entries(),
        ["in /meta/subscribe", "reply /meta/subscribe", "in /a", "message /a", "reply /a"]
    );
}

async fn a_session_extension_may_replace_what_its_session_gets(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.session(&client).add_extension(Arc::new(Marks::default())).keep();
    let mut other = server.connected(transport).await;
    other.subscribe("/a").await;
    let reply = client.publish("/a", json!(1)).await;
    assert_eq!(reply["mark"], "reply");
    assert_eq!(client.message_on("/a").await, json!({ "channel": "/a", "data": 1, "mark": "own" }));
    assert_eq!(other.message_on("/a").await, json!({ "channel": "/a", "data": 1 }));
}

async fn a_session_extension_may_drop_what_its_session_gets(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let mut other = server.connected(transport).await;
    for client in [&mut client, &mut other] {
        client.subscribe("/drop").await;
        client.subscribe("/end").await;
    }
    server.session(&client).add_extension(Arc::new(Marks::default())).keep();
    let mut publisher = server.handshaken(transport).await;
    publisher.publish("/drop", json!(1)).await;
    publisher.publish("/end", json!(1)).await;
    assert_eq!(client.channels_until("/end").await, ["/end"]);
    assert_eq!(other.channels_until("/end").await, ["/drop", "/end"]);
}

async fn a_session_extension_may_stop_what_arrives_and_what_is_replied(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    server.session(&client).add_extension(Arc::new(Marks::default())).keep();
    let reply = client.request("/stop", json!({ "data": 1 })).await;
    assert_eq!(reply["error"], "404::message_deleted");
    let quiet = client.message("/quiet", &json!({ "data": 1 }));
    let loud = client.message("/loud", &json!({ "data": 1 }));
    client.send(&[quiet, loud]);
    let replies = client.messages().await;
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0]["channel"], "/loud");
}
