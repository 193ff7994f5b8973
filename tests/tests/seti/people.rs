//! Nodes with a Seti each, and the people on them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bayeux_oort::Oort;
use bayeux_server::api::{
    Message, Registration,
    client::ClientSessionChannel,
    implement::lock,
    server::{LocalSession, ServerSession},
};
use bayeux_seti::{Presence, PresenceListener, Seti};
use serde_json::Value;
use tests::{
    cloud_scene::{Joint, Scene},
    eventually,
};

/// A cloud, each of whose nodes has a Seti.
pub(crate) struct Setis {
    pub(crate) scene: Scene,
    pub(crate) setis: Vec<Seti>,
    pub(crate) heard: Vec<Arc<Heard>>,
}

impl Setis {
    pub(crate) async fn start(joint: Joint, count: usize) -> Self {
        let scene = Scene::start(joint, count).await;
        let (mut setis, mut heard) = (Vec::new(), Vec::new());
        for oort in scene.oorts() {
            let (seti, ear) = start(oort).await;
            setis.push(seti);
            heard.push(ear);
        }
        scene.is_observed("/seti/all").await;
        Self { scene, setis, heard }
    }

    /// Starts one more node with its Seti, and returns its index.
    pub(crate) async fn add(&mut self) -> usize {
        let index = self.scene.add().await;
        let (seti, ear) = start(self.scene.oort(index)).await;
        self.setis.push(seti);
        self.heard.push(ear);
        self.scene.is_observed("/seti/all").await;
        index
    }

    pub(crate) async fn person(&self, node: usize) -> Person {
        Person::on(self.scene.oort(node)).await
    }

    /// Waits until a user is present so often, as far as each node knows.
    pub(crate) async fn is_present(&self, user: &str, counts: &[usize]) {
        for (seti, count) in self.setis.iter().zip(counts) {
            let what = format!("{user} to be present {count} times at {}", seti.id());
            eventually(&what, || seti.presence_count(user) == *count).await;
        }
    }
}

pub(crate) async fn start(oort: &Oort) -> (Seti, Arc<Heard>) {
    let seti = Seti::start(oort).await.unwrap();
    let heard = Arc::new(Heard::default());
    seti.add_presence_listener(heard.clone()).keep();
    (seti, heard)
}

/// Who came and went, in order, as `+user@url` and `-user@url`.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        lock(&self.0).iter().filter(|event| event.starts_with(what)).count()
    }

    pub(crate) async fn was_told(&self, what: &str, count: usize) {
        eventually(&format!("{what}, {count} times"), || self.count(what) == count).await;
    }

    fn note(&self, sign: char, presence: &Presence) {
        let here = if presence.is_local() { " here" } else { "" };
        let event = format!("{sign}{}@{}{here}", presence.user_id(), presence.url());
        lock(&self.0).push(event);
    }
}

#[async_trait]
impl PresenceListener for Heard {
    async fn added(&self, presence: &Presence) {
        self.note('+', presence);
    }

    async fn removed(&self, presence: &Presence) {
        self.note('-', presence);
    }
}

/// A session, and what came to it.
pub(crate) struct Person {
    local: Arc<dyn LocalSession>,
    pub(crate) session: Arc<dyn ServerSession>,
    received: Arc<Mutex<Vec<Value>>>,
    _listener: Registration,
}

impl Person {
    pub(crate) async fn on(oort: &Oort) -> Self {
        let local = oort.server().new_local_session("person");
        local.handshake(Message::default()).await.unwrap();
        let session = local.server_session().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = received.clone();
        let note = move |_: &dyn ClientSessionChannel, message: &Message| {
            lock(&log).push(message.data.as_ref().unwrap().value());
        };
        let listener = local.channel(CHANNEL).unwrap().add_listener(Arc::new(note));
        Self { local, session, received, _listener: listener }
    }

    pub(crate) fn received(&self) -> Vec<Value> {
        lock(&self.received).clone()
    }

    /// Waits until so many messages have come.
    pub(crate) async fn has(&self, count: usize) {
        let what = format!("{count} messages");
        eventually(&what, || lock(&self.received).len() == count).await;
    }

    /// Waits for the last of these messages, and looks whether they are all that has come.
    pub(crate) async fn are(&self, messages: &[Value]) {
        let has_last = || self.received().last() == messages.last();
        eventually("the last message", has_last).await;
        assert_eq!(self.received(), messages);
    }

    pub(crate) async fn subscribe(&self) {
        let nothing = |_: &dyn ClientSessionChannel, _: &Message| {};
        let channel = self.local.channel(CHANNEL).unwrap();
        channel.subscribe(Arc::new(nothing)).await.unwrap().keep();
    }

    pub(crate) async fn goes(&self) {
        self.local.disconnect().await.unwrap();
    }
}

/// Where people get their messages.
pub(crate) const CHANNEL: &str = "/service/notices";
