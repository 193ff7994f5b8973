//! Whoever tells may go with its runtime: what happened since is told all the same.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{
    implement::lock,
    server::{ServerChannel, ServerMessage, ServerSession, SubscriptionListener},
};
use futures_util::FutureExt as _;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
    time::timeout,
};

use crate::Server;

/// Hears of subscriptions. It never comes back from one to `/stuck`.
#[derive(Debug, Default)]
struct Listener {
    heard: Mutex<Vec<String>>,
    hears: Notify,
}

#[async_trait]
impl SubscriptionListener for Listener {
    async fn subscribed(
        &self,
        _session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        if channel.id().as_str() == "/stuck" {
            pending::<()>().await;
        }
        lock(&self.heard).push(channel.id().to_string());
        self.hears.notify_one();
    }
}

struct Scene {
    server: Server,
    session: Arc<dyn ServerSession>,
    listener: Arc<Listener>,
}

impl Scene {
    fn new() -> Self {
        let server = Server::new();
        let client = server.in_process();
        runtime().block_on(client.send(r#"[{"channel":"/meta/handshake"}]"#)).unwrap();
        let listener = Arc::new(Listener::default());
        server.add_subscription_listener(listener.clone()).keep();
        Self { session: server.sessions().pop().unwrap(), server, listener }
    }

    async fn subscribe(&self, id: &str) {
        self.server.create_channel_if_absent(id).unwrap();
        assert!(self.server.channel(id).unwrap().subscribe(&*self.session).await);
    }

    /// Has `runtime` tell of a subscription for ever.
    fn is_stuck_in(&self, runtime: &Runtime) {
        runtime.block_on(async { assert_eq!(self.subscribe("/stuck").now_or_never(), None) });
    }

    fn heard(&self) -> Vec<String> {
        lock(&self.listener.heard).clone()
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn the_next_who_has_something_to_tell_goes_on() {
    let (scene, first) = (Scene::new(), runtime());
    scene.is_stuck_in(&first);
    drop(first);
    runtime().block_on(scene.subscribe("/a"));
    assert_eq!(scene.heard(), ["/a"]);
}

#[test]
fn what_waits_is_told_in_the_runtime_where_it_happened() {
    let (scene, first, second) = (Scene::new(), runtime(), runtime());
    scene.is_stuck_in(&first);
    second.block_on(scene.subscribe("/a"));
    assert!(scene.heard().is_empty());
    drop(first);
    let hears = scene.listener.hears.notified();
    second.block_on(async { timeout(Duration::from_secs(60), hears).await.unwrap() });
    assert_eq!(scene.heard(), ["/a"]);
}

#[test]
fn what_waits_for_a_runtime_that_ended_too_is_told_by_the_next() {
    let (scene, first, second) = (Scene::new(), runtime(), runtime());
    scene.is_stuck_in(&first);
    second.block_on(scene.subscribe("/a"));
    drop(second);
    drop(first);
    runtime().block_on(scene.subscribe("/b"));
    assert_eq!(scene.heard(), ["/a", "/b"]);
}

#[test]
fn outside_a_runtime_nobody_waits_for_a_listener() {
    let scene = Scene::new();
    assert_eq!(scene.subscribe("/stuck").now_or_never(), Some(()));
    assert_eq!(scene.subscribe("/a").now_or_never(), Some(()));
    assert_eq!(scene.heard(), ["/a"]);
}
