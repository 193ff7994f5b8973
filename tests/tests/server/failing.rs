//! Hooks of the application that panic: that one fails, and nothing else.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bayeux_server::{
    Config, Server, Service,
    api::{
        Message,
        server::{LocalSession, Overflow},
    },
    filter::DataFilters,
};
use serde_json::{Value, json};
use tests::{
    Client, Errors, TestServer, Transport, eventually, every_transport, hooks::Log,
    over_every_transport, patient, within,
};

mod hooks;
mod panics;

use hooks::{HOOKS, WITHOUT};
use panics::Panics;

over_every_transport!(
    each_hook_that_panics_fails_alone,
    each_hook_that_panics_after_a_wait_fails_alone,
);

async fn each_hook_that_panics_fails_alone(transport: Transport) {
    fail_alone(transport, false).await;
}

async fn each_hook_that_panics_after_a_wait_fails_alone(transport: Transport) {
    fail_alone(transport, true).await;
}

async fn fail_alone(transport: Transport, waits: bool) {
    let (errors, mut wrong) = (Errors::watch(), Vec::new());
    for (hook, changes) in HOOKS {
        let mut scene = Scene::new(transport, hook, waits).await;
        errors.take();
        scene.play().await;
        let mut expected = pairs(WITHOUT);
        expected.extend(pairs(changes));
        let named = hook.split(' ').next().unwrap_or_default();
        let is_told = |line: &String| line.contains(named) && line.contains("of the test");
        let lines = errors.take();
        if scene.seen != expected || lines.is_empty() || !lines.iter().all(is_told) {
            expected.retain(|key, value| scene.seen.get(key) != Some(value));
            scene.seen.retain(|key, _| expected.contains_key(key));
            wrong.push(format!("{hook}: {:?} instead of {expected:?}, {lines:?}", scene.seen));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn pairs(lines: &[&'static str]) -> BTreeMap<&'static str, String> {
    lines.iter().filter_map(|line| line.split_once('=')).map(|(k, v)| (k, v.to_owned())).collect()
}

/// A server whose hooks are all there, one of which panics; who publishes, who is subscribed and whose
/// session has the hooks, and who is only subscribed.
struct Scene {
    server: TestServer,
    panics: Arc<Panics>,
    publisher: Client,
    subscriber: Client,
    bystander: Client,
    /// Whose connection breaks.
    visitor: Client,
    local: Arc<dyn LocalSession>,
    log: Log,
    _service: Service,
    seen: BTreeMap<&'static str, String>,
}

impl Scene {
    async fn new(transport: Transport, hook: &'static str, waits: bool) -> Self {
        let (armed, count) = (AtomicBool::new(false), AtomicUsize::new(0));
        let panics = Arc::new(Panics { hook, waits, armed, count });
        let server = Server::builder().config(few_queued()).backplane(panics.clone()).build();
        let server = TestServer::serve(server).await;
        let service = serve(&server.server, &panics).await;
        let (local, log) = join(&server.server, &panics).await;
        let publisher = server.connected(transport).await;
        let mut subscriber = server.connected(transport).await;
        let mut bystander = server.connected(Transport::WebSocket).await;
        let visitor = server.connected(transport).await;
        subscriber.subscribe("/b").await;
        for channel in ["/a", "/b"] {
            bystander.subscribe(channel).await;
        }
        plug(&server.server, &panics);
        for client in [&publisher, &subscriber, &visitor] {
            let session = server.session(client);
            session.add_extension(panics.clone()).keep();
            session.add_listener(panics.clone()).keep();
            session.add_de_queue_listener(panics.clone()).keep();
        }
        let (seen, _service) = (BTreeMap::new(), service);
        server.session(&visitor).add_listener(Arc::new(log.clone())).keep();
        Self {
            server,
            panics,
            publisher,
            subscriber,
            bystander,
            visitor,
            local,
            log,
            _service,
            seen,
        }
    }

    async fn play(&mut self) {
        self.panics.armed.store(true, Relaxed);
        let asked = json!({ "subscription": "/a" });
        self.seen
            .insert("subscribe", outcome(&self.subscriber.request("/meta/subscribe", asked).await));
        self.subscriber.hold().await;
        let answer = self.publish("publish", "/a").await;
        self.seen.insert("publish", answer);
        self.count_messages().await;
        let message = Message::with_data("", json!("of the local session"));
        let published = self.local.channel("/local").unwrap().publish(message).await;
        self.seen.insert("local publishes", published.is_ok().to_string());
        self.deliver().await;
        self.call().await;
        let answer = self.publish("create", "/a/new").await;
        self.seen.insert("create", answer);
        if let Some(channel) = self.server.server.channel("/a/new") {
            channel.remove();
        }
        self.come_and_go().await;
        self.visitor.hold().await;
        self.visitor.abort().await;
        self.log.until("connection lost").await;
        let reply = self.subscriber.request("/meta/unsubscribe", json!({ "subscription": "/a" }));
        self.seen.insert("unsubscribe", outcome(&reply.await));
        self.join_and_leave().await;
        self.sweep().await;
        if self.subscriber.transport.pushes() {
            // Over the others what is delivered ends a held connect.
            self.subscriber.connect_at_once().await;
        }
        self.panics.armed.store(false, Relaxed);
        for client in [&self.publisher, &self.subscriber, &self.bystander] {
            let session = self.server.session(client);
            assert!(session.is_connected() && session.queue_depth().messages == 0);
        }
        self.publisher.publish("/b", json!("after")).await;
        assert_eq!(self.subscriber.message_on("/b").await["data"], "after");
    }

    /// Publishes, and returns what the reply says; nothing when there is none, of which the next reply on
    /// the same connection tells.
    async fn publish(&mut self, what: &'static str, channel: &str) -> String {
        let is_answered = !HOOKS.iter().any(|(hook, changes)| {
            *hook == self.panics.hook && changes.contains(&format!("{what}=").as_str())
        });
        if is_answered {
            return outcome(&self.publisher.request(channel, json!({ "data": "text" })).await);
        }
        let message = self.publisher.message(channel, &json!({ "data": "text" }));
        self.publisher.send(std::slice::from_ref(&message));
        if !self.publisher.transport.pushes() {
            assert_eq!(self.publisher.messages().await, Vec::<Value>::new());
        }
        self.publisher.publish("/c", json!("next")).await;
        let received = self.publisher.received();
        received.iter().find(|one| one["id"] == message["id"]).map(outcome).unwrap_or_default()
    }

    /// Counts who got what was published on `/a`: what comes after it, on `/b`, came to all.
    async fn count_messages(&mut self) {
        self.publisher.publish("/b", json!("after")).await;
        for (who, client) in
            [("subscriber", &mut self.subscriber), ("bystander", &mut self.bystander)]
        {
            assert_eq!(client.message_on("/b").await["data"], "after");
            self.seen.insert(who, client.received_on("/a").len().to_string());
        }
        self.log.until("/b \"after\"").await;
        self.seen.insert("local", self.log.count("/a \"text\"").to_string());
    }

    /// Delivers to the subscriber's session, and more than its queue has room for.
    async fn deliver(&mut self) {
        let session = self.server.session(&self.subscriber);
        let message = Message::with_data("/a", json!("delivered"));
        let is_taken = session.deliver(message).await;
        self.seen.insert("delivered", is_taken.to_string());
        if is_taken {
            assert_eq!(self.subscriber.message_on("/a").await["data"], "delivered");
        }
        let batch = session.start_batch();
        for number in 1..=4 {
            session.deliver(Message::with_data("/queue", json!(number))).await;
        }
        batch.end();
        let mut queue = Vec::new();
        while queue.last() != Some(&json!(4)) {
            queue.push(self.subscriber.message_on("/queue").await["data"].clone());
        }
        let queue: Vec<_> = queue.iter().map(Value::to_string).collect();
        self.seen.insert("queue", queue.join(","));
    }

    /// Asks the service, by a message and by a call.
    async fn call(&mut self) {
        self.publisher.publish("/service/a", json!("question")).await;
        let call = self.publisher.message("/service/call", &json!({ "data": "question" }));
        self.publisher.send(&[call]);
        let answer = self.publisher.message_on("/service/call").await;
        self.seen.insert("call", answer["successful"].to_string());
        let last = Message::with_data("/last", json!(true));
        self.server.session(&self.publisher).deliver(last).await;
        self.publisher.message_on("/last").await;
        let answers = self.publisher.received_on("/service/a").len();
        let answers = if answers == 0 { String::new() } else { answers.to_string() };
        self.seen.insert("answer", answers);
    }

    /// Has somebody start a session and end it.
    async fn come_and_go(&mut self) {
        let mut client = self.server.client(self.publisher.transport).await;
        let reply = client.try_handshake(json!({})).await;
        self.seen.insert("handshake", outcome(&reply));
        let mut goes = client;
        if reply["successful"] != true {
            self.panics.armed.store(false, Relaxed);
            goes.handshake().await;
        }
        self.server.session(&goes).add_listener(self.panics.clone()).keep();
        let before = self.server.server.statistics().sessions;
        self.seen.insert("disconnect", outcome(&goes.request("/meta/disconnect", json!({})).await));
        assert_eq!(self.server.server.statistics().sessions, before - 1);
    }

    /// Has somebody subscribe to a channel, and unsubscribe, to which nobody else is subscribed.
    async fn join_and_leave(&mut self) {
        let asked = json!({ "subscription": "/a/joined" });
        let reply = self.subscriber.request("/meta/subscribe", asked.clone()).await;
        self.seen.insert("join", outcome(&reply));
        self.subscriber.request("/meta/unsubscribe", asked).await;
        let is_left =
            || self.panics.hook != "Backplane::leave" || self.panics.count.load(Relaxed) > 0;
        eventually("the channel to be left", is_left).await;
    }

    /// Has a channel that nobody uses but a listener, which says that it may go.
    async fn sweep(&mut self) {
        let server = &self.server.server;
        let channel = server.create_channel_if_absent("/weak").unwrap().channel();
        channel.add_listener(self.panics.clone()).keep();
        let is_weak = self.panics.hook != "ServerChannelListener::is_weak";
        let is_swept = || match is_weak {
            true => server.channel("/weak").is_none(),
            false => self.panics.count.load(Relaxed) > 5,
        };
        eventually("the sweeper", is_swept).await;
        self.seen.insert("swept", server.channel("/weak").is_none().to_string());
    }
}

/// Queues have room for three messages; the oldest make place.
fn few_queued() -> Config {
    let mut config = Config::default();
    patient(&mut config);
    config.sweep_period = Duration::from_millis(20);
    every_transport(&mut config, |transport| {
        transport.max_queue = 3;
        transport.queue_overflow = Overflow::DropOldest;
    });
    config
}

/// Starts a service that answers a message and a call.
async fn serve(server: &Server, panics: &Arc<Panics>) -> Service {
    let mut service = server.new_service("service").await.unwrap();
    let own = panics.clone();
    let answer = move |_| {
        let own = own.clone();
        async move {
            own.wait_at("Service::on_message", "").await;
            Some(json!("answer").into())
        }
    };
    service.on_message("/service/a", answer).unwrap();
    let own = panics.clone();
    let answer = move |_| {
        let own = own.clone();
        async move {
            own.wait_at("Service::remote_call", "").await;
            Ok(json!("answer").into())
        }
    };
    service.remote_call("call", answer).unwrap();
    service
}

/// Starts a local session with a listener that panics, and one behind it that does not.
async fn join(server: &Server, panics: &Arc<Panics>) -> (Arc<dyn LocalSession>, Log) {
    let (local, log) = (server.new_local_session("local"), Log::default());
    local.handshake(Message::default()).await.unwrap();
    local.add_extension(panics.clone()).keep();
    for channel in ["/a", "/b"] {
        let channel = local.channel(channel).unwrap();
        channel.add_listener(panics.clone()).keep();
        within("a subscription", channel.subscribe(Arc::new(log.clone()))).await.unwrap().keep();
    }
    (local, log)
}

/// Adds what panics to the server and to its channel `/a`.
fn plug(server: &Server, panics: &Arc<Panics>) {
    server.set_security_policy(Some(panics.clone()));
    server.add_extension(panics.clone()).keep();
    server.add_channel_listener(panics.clone()).keep();
    server.add_session_listener(panics.clone()).keep();
    server.add_subscription_listener(panics.clone()).keep();
    let created =
        server.create_channel_if_absent_with("/a", |channel| channel.set_persistent(true));
    let channel = created.unwrap().channel();
    channel.add_listener(panics.clone()).keep();
    channel.add_listener(Arc::new(DataFilters::new([panics.clone() as _]))).keep();
    let created =
        server.create_channel_if_absent_with("/**", |channel| channel.set_persistent(true));
    created.unwrap().channel().add_authorizer(panics.clone()).keep();
}

/// What a reply says.
fn outcome(reply: &Value) -> String {
    match reply["successful"] == true {
        true => "ok".to_owned(),
        false => reply["error"].as_str().unwrap_or_default().to_owned(),
    }
}
