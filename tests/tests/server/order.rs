//! In which order a message meets the application's code.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::api::{
    Flow, Frozen, Message,
    server::{
        ServerChannel, ServerChannelListener, ServerExtension, ServerMessage, ServerSession,
        ServerSessionListener, SessionExtension,
    },
};
use serde_json::json;
use tests::{Client, TestServer, Transport, hooks::Log, over_every_transport};

over_every_transport!(
    a_broadcast_passes_all_on_its_way,
    a_service_that_delivers_is_passed_in_order,
    a_service_that_publishes_is_passed_in_order,
    extensions_are_asked_in_their_order_inwards_and_in_reverse_outwards,
    what_session_extensions_unwrap_is_heard_unwrapped_and_sent_wrapped,
);

/// Notes that it was passed, as whatever it is plugged in.
#[derive(Clone, Debug)]
struct Passed(&'static str, Log);

impl Passed {
    fn note(&self, what: &str, message: &Message) {
        let kind = if message.data.is_some() { "message" } else { "reply" };
        self.1.add(format!("{} {what}: {kind}", self.0));
    }
}

#[async_trait]
impl ServerExtension for Passed {
    async fn incoming(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.note("in", message);
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _to: Option<&Arc<dyn ServerSession>>,
        message: &mut Message,
    ) -> Flow {
        self.note("out", message);
        Flow::Continue
    }
}

#[async_trait]
impl SessionExtension for Passed {
    async fn incoming(
        &self,
        _session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.note("in", message);
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        self.note("out", &message);
        Some(message)
    }

    async fn outgoing_reply(&self, _session: &Arc<dyn ServerSession>, reply: &mut Message) -> Flow {
        self.note("out", reply);
        Flow::Continue
    }
}

#[async_trait]
impl ServerSessionListener for Passed {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        self.note("hears", message);
        Flow::Continue
    }
}

#[async_trait]
impl ServerChannelListener for Passed {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        self.note("hears", message);
        Flow::Continue
    }
}

/// A client of a server whose every hook notes that it was passed.
async fn watched(transport: Transport, channel: &str) -> (TestServer, Client, Log) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let passed = |name| Arc::new(Passed(name, log.clone()));
    server.server.add_extension(passed("server extension")).keep();
    let session = server.session(&client);
    session.add_extension(passed("session extension")).keep();
    session.add_listener(passed("session")).keep();
    let channel = server.server.create_channel_if_absent(channel).unwrap().channel();
    channel.add_listener(passed("channel")).keep();
    (server, client, log)
}

async fn a_broadcast_passes_all_on_its_way(transport: Transport) {
    let (_server, mut client, log) = watched(transport, "/a").await;
    client.publish("/a", json!(1)).await;
    assert_eq!(
        log.entries(),
        [
            "server extension in: message",
            "session extension in: message",
            "channel hears: message",
            "server extension out: message",
            "session extension out: message",
            "session hears: message",
            "server extension out: reply",
            "session extension out: reply",
        ]
    );
}

async fn a_service_that_delivers_is_passed_in_order(transport: Transport) {
    let (server, mut client, log) = watched(transport, "/service/a").await;
    let mut service = server.server.new_service("service").await.unwrap();
    service.on_message("/service/a", async |request| request.message.data).unwrap();
    log.take();
    client.publish("/service/a", json!(1)).await;
    assert_eq!(
        log.entries(),
        [
            "server extension in: message",
            "session extension in: message",
            "channel hears: message",
            // The answer.
            "server extension out: message",
            "session extension out: message",
            "session hears: message",
            "server extension out: reply",
            "session extension out: reply",
        ]
    );
}

async fn a_service_that_publishes_is_passed_in_order(transport: Transport) {
    let (server, mut client, log) = watched(transport, "/service/a").await;
    let mut service = server.server.new_service("service").await.unwrap();
    let broadcast = server.server.channel("/a").unwrap();
    let answer = move |request: bayeux_server::Request| {
        let broadcast = broadcast.clone();
        async move {
            broadcast.publish_from(&*request.sender, Message::with_data("", json!(2))).await.ok();
            None
        }
    };
    service.on_message("/service/a", answer).unwrap();
    log.take();
    client.publish("/service/a", json!(1)).await;
    assert_eq!(
        log.entries(),
        [
            "server extension in: message",
            "session extension in: message",
            "channel hears: message",
            // What is published.
            "server extension out: message",
            "session extension out: message",
            "session hears: message",
            "server extension out: reply",
            "session extension out: reply",
        ]
    );
    assert_eq!(client.message_on("/a").await["data"], 2);
}

async fn extensions_are_asked_in_their_order_inwards_and_in_reverse_outwards(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let log = Log::default();
    for name in ["first", "second"] {
        server.server.add_extension(Arc::new(Passed(name, log.clone()))).keep();
    }
    for name in ["third", "fourth"] {
        server.session(&client).add_extension(Arc::new(Passed(name, log.clone()))).keep();
    }
    client.publish("/a", json!(1)).await;
    let names: Vec<_> =
        log.entries().iter().map(|entry| entry.split(' ').next().unwrap().to_owned()).collect();
    let inward = ["first", "second", "third", "fourth"];
    let outward = ["second", "first", "fourth", "third"];
    assert_eq!(names, [inward, outward, outward].concat());
}

/// Takes its layer off what arrives, and puts it around what goes out.
#[derive(Debug)]
struct Layer(&'static str);

#[async_trait]
impl SessionExtension for Layer {
    async fn incoming(
        &self,
        _session: &Arc<dyn ServerSession>,
        message: &mut ServerMessage,
    ) -> Flow {
        if let Some(data) = &mut message.data {
            *data = data.value()[self.0].clone().into();
        }
        Flow::Continue
    }

    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        let mut copy = message.to_message();
        copy.data = copy.data.map(|data| json!({ self.0: data.value() }).into());
        Some(copy.freeze())
    }
}

async fn what_session_extensions_unwrap_is_heard_unwrapped_and_sent_wrapped(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    for layer in ["outer", "inner"] {
        server.session(&client).add_extension(Arc::new(Layer(layer))).keep();
    }
    let mut plain = server.connected(transport).await;
    plain.subscribe("/a").await;
    let wrapped = json!({ "outer": { "inner": 1 } });
    client.publish("/a", wrapped.clone()).await;
    assert_eq!(plain.message_on("/a").await["data"], 1);
    assert_eq!(client.message_on("/a").await["data"], wrapped);
}
