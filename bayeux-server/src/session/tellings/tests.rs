//! Random changes of one session by several at once, while its listeners wait and change it themselves:
//! each listener hears pairs, one after the other, and all of them.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{
    implement::lock,
    server::{
        Removal, ServerChannel, ServerMessage, ServerSession, ServerSessionListener,
        SessionListener, SubscriptionListener,
    },
};
use proptest::prelude::*;
use tokio::task::JoinSet;

use super::{Event, MOST, Tellings};
use crate::{InProcess, Server};

mod gone;

const CHANNELS: [&str; 3] = ["/a", "/b", "/c"];

/// What somebody does to the session.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The server's code subscribes or unsubscribes it.
    Subscribe(usize),
    Unsubscribe(usize),
    /// Its client does.
    Ask(usize),
    Leave(usize),
    /// Its client connects.
    Connect,
    /// The server ends it.
    End,
}

fn change() -> impl Strategy<Value = Change> {
    let channel = || 0..CHANNELS.len();
    prop_oneof![
        6 => channel().prop_map(Change::Subscribe),
        6 => channel().prop_map(Change::Unsubscribe),
        4 => channel().prop_map(Change::Ask),
        4 => channel().prop_map(Change::Leave),
        3 => Just(Change::Connect),
        1 => Just(Change::End),
    ]
}

/// What the server's own code does, for which a listener may wait.
fn own_change() -> impl Strategy<Value = Change> {
    change().prop_map(|change| match change {
        Change::Ask(channel) => Change::Subscribe(channel),
        Change::Leave(channel) | Change::Unsubscribe(channel) => Change::Unsubscribe(channel),
        Change::Subscribe(channel) => Change::Subscribe(channel),
        Change::Connect | Change::End => Change::End,
    })
}

/// What a listener does when it is called: waits so many milliseconds, changes something, waits again.
type Act = (u64, Option<Change>);

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (0..4_u64, proptest::option::weighted(0.2, own_change()));
    proptest::collection::vec(act, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn each_listener_hears_pairs_in_order(
        changes in proptest::collection::vec((0..4_u64, change()), 0..40),
        acts in (acts(), acts()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(changes, [acts.0, acts.1]));
    }
}

async fn play(changes: Vec<(u64, Change)>, acts: [Vec<Act>; 2]) {
    let server = Server::new();
    let client = Arc::new(server.in_process());
    let scene = Scene { server: server.clone(), client: client.clone() };
    let listeners = acts.map(|acts| Listener::new(&scene, acts));
    for listener in &listeners {
        server.add_session_listener(listener.clone()).keep();
        server.add_subscription_listener(listener.clone()).keep();
    }
    for id in CHANNELS {
        server.create_channel_if_absent_with(id, |channel| channel.set_persistent(true)).unwrap();
    }
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        client.send(r#"[{"channel":"/meta/handshake"}]"#).await.unwrap();
    });
    for (wait, change) in changes {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let scene = scene.clone();
        tasks.spawn(async move { scene.make(change).await });
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    scene.make(Change::End).await;
    // A minute of the stopped clock is more than all waits together.
    let all = async {
        while let Some(done) = tasks.join_next().await {
            done.unwrap()
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    listeners.iter().for_each(|listener| check(&lock(&listener.heard)));
}

#[derive(Clone, Debug)]
struct Scene {
    server: Server,
    client: Arc<InProcess>,
}

impl Scene {
    /// Makes a change to the only session, if it is there.
    async fn make(&self, change: Change) {
        let Some(session) = self.server.sessions().pop() else { return };
        let channel = |place: usize| self.server.channel(CHANNELS[place]).unwrap();
        match change {
            Change::Subscribe(place) => drop(channel(place).subscribe(&*session).await),
            Change::Unsubscribe(place) => drop(channel(place).unsubscribe(&*session).await),
            Change::Ask(place) => {
                let channel = CHANNELS[place];
                let fields = format!(r#""/meta/subscribe","subscription":"{channel}""#);
                self.send(session.id(), &fields).await;
            }
            Change::Leave(place) => {
                let channel = CHANNELS[place];
                let fields = format!(r#""/meta/unsubscribe","subscription":"{channel}""#);
                self.send(session.id(), &fields).await;
            }
            Change::Connect => {
                self.send(session.id(), r#""/meta/connect","advice":{"timeout":10}"#).await;
            }
            Change::End => session.disconnect().await,
        }
    }

    async fn send(&self, id: &str, fields: &str) {
        // Whether it is answered depends on the other changes.
        let _ = self.client.send(&format!(r#"[{{"clientId":"{id}","channel":{fields}}}]"#)).await;
    }
}

/// Hears everything.
#[derive(Debug)]
struct Listener {
    me: Weak<Self>,
    scene: Scene,
    acts: Vec<Act>,
    calls: AtomicUsize,
    running: AtomicUsize,
    heard: Mutex<Vec<String>>,
}

impl Listener {
    fn new(scene: &Scene, acts: Vec<Act>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            scene: scene.clone(),
            acts,
            calls: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            heard: Mutex::default(),
        })
    }

    fn hear(&self, what: &str) {
        lock(&self.heard).push(what.to_owned());
    }

    async fn hear_slowly(&self, what: &str) {
        if self.running.fetch_add(1, Relaxed) != 0 {
            self.hear("two things at once");
        }
        let (wait, change) = self.acts[self.calls.fetch_add(1, Relaxed) % self.acts.len()];
        tokio::time::sleep(Duration::from_millis(wait)).await;
        self.hear(what);
        if let Some(change) = change {
            self.scene.make(change).await;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        self.running.fetch_sub(1, Relaxed);
    }
}

#[async_trait]
impl SessionListener for Listener {
    async fn session_added(&self, session: &Arc<dyn ServerSession>, _message: &ServerMessage) {
        if let Some(me) = self.me.upgrade() {
            session.add_listener(me).keep();
        }
        self.hear_slowly("session added").await;
    }

    async fn session_removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        self.hear_slowly("session removed").await;
    }
}

#[async_trait]
impl SubscriptionListener for Listener {
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.hear_slowly(&format!("subscribed {}", channel.id())).await;
    }

    async fn unsubscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        self.hear_slowly(&format!("unsubscribed {}", channel.id())).await;
    }
}

#[async_trait]
impl ServerSessionListener for Listener {
    fn suspended(&self, _session: &Arc<dyn ServerSession>, _timeout: Duration) {
        self.hear("suspended");
    }

    fn resumed(&self, _session: &Arc<dyn ServerSession>, _timed_out: bool) {
        self.hear("resumed");
    }

    async fn removed(&self, _session: &Arc<dyn ServerSession>, _removal: Removal) {
        self.hear_slowly("removed").await;
    }
}

/// Checks that what a listener heard is a session's life: each thing begins before it ends, and all have
/// ended when the session has, which is heard last.
fn check(heard: &[String]) {
    assert_eq!(heard.first().map(String::as_str), Some("session added"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("removed"), "{heard:?}");
    let mut open = HashSet::new();
    for what in &heard[..heard.len() - 1] {
        let (begins, thing) = match what.as_str() {
            "session added" => (true, "session"),
            "session removed" => (false, "session"),
            "suspended" => (true, "connect"),
            "resumed" => (false, "connect"),
            what => match what.split_once(' ') {
                Some(("subscribed", channel)) => (true, channel),
                Some(("unsubscribed", channel)) => (false, channel),
                _ => panic!("{what} in {heard:?}"),
            },
        };
        let is_pair = if begins { open.insert(thing) } else { open.remove(thing) };
        assert!(is_pair, "{what} in {heard:?}");
        assert!(!begins || open.contains("session"), "{what} in {heard:?}");
    }
    assert!(open.is_empty(), "{open:?} in {heard:?}");
}

#[test]
fn what_nobody_comes_to_tell_has_a_bound_and_the_last_loss_stays() {
    let mut tellings = Tellings::default();
    for _ in 0..3 * MOST {
        for event in [Event::Suspended(Duration::ZERO), Event::Resumed(false), Event::Lost] {
            tellings.push(event, None);
        }
    }
    assert!(tellings.waiting.len() <= MOST, "{}", tellings.waiting.len());
    assert!(matches!(tellings.waiting.back().unwrap().event, Event::Lost));
}
