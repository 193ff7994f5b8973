//! A server with somebody well-behaved on it, who notices when a hostile act disturbs others.

use std::{net::SocketAddr, time::Duration};

use bayeux_server::{Config, ServeConfig, Server, serve};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Version;
use serde_json::{Value, json};
use tests::{
    Cost, Http, WebSocket, eventually, open_websocket, panics, patient, patiently, raw::Raw,
    upgrade_request, within,
};
use tokio::{
    net::TcpListener,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::Message;

use crate::visitor::Visitor;

/// How much may be worked while those who behave wait: by the server for whoever comes before them, and
/// by all the clients of the test, which share its thread.
pub(crate) const PROMPT: Duration = Duration::from_secs(1);

/// When a silent session ends, where a test waits for that and has something to do before.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// A server on a port of its own, and a bystander.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    pub(crate) bystander: Bystander,
    before: Levels,
    _serving: JoinSet<()>,
    _turn: Turn,
}

impl Scene {
    /// Starts a [patient] server.
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    /// Starts a [patient] server after `change`.
    pub(crate) async fn with(change: impl FnOnce(&mut Config, &mut ServeConfig)) -> Self {
        Self::start(Turn::Shared { _guard: TURN.read().await }, change).await
    }

    /// Starts a server while no other scene is played, so that the memory of this process tells.
    pub(crate) async fn alone(change: impl FnOnce(&mut Config, &mut ServeConfig)) -> Self {
        Self::start(Turn::Alone { _guard: TURN.write().await }, change).await
    }

    async fn start(turn: Turn, change: impl FnOnce(&mut Config, &mut ServeConfig)) -> Self {
        panics::watch();
        let (mut config, mut serve_config) = (Config::default(), patiently());
        patient(&mut config);
        change(&mut config, &mut serve_config);
        let server = Server::builder().config(config).build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut serving, served) = (JoinSet::new(), server.clone());
        serving.spawn(async move {
            let service = served.service();
            serve(&served, listener, service, serve_config).await.unwrap();
        });
        let bystander = Bystander::join(address).await;
        let before = Levels::of(&server);
        Self { server, address, bystander, before, _serving: serving, _turn: turn }
    }

    /// Opens a connection of bare bytes.
    pub(crate) async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// Posts `body` over a connection of its own; returns the status and the response's text.
    pub(crate) async fn post(&self, body: impl AsRef<[u8]>) -> (u16, String) {
        let mut raw = self.raw().await;
        raw.post("connection: close\r\n", body).await;
        split(&raw.read_to_end().await)
    }

    /// Starts a long-polling session.
    pub(crate) async fn visitor(&self) -> Visitor {
        Visitor::arrive(self.address).await
    }

    /// Starts a long-polling session that says this in the handshake's `ext`.
    pub(crate) async fn visitor_with(&self, ext: &Value) -> Visitor {
        Visitor::over(Http::new(self.address), ext).await
    }

    /// Proves that nothing is left of what was done, and that all others are served.
    pub(crate) async fn is_calm(&mut self) {
        self.bystander.is_served().await;
        let cost = Cost::start();
        self.visitor().await.leave().await;
        assert!(cost.spent() < PROMPT, "newcomers wait while {:?} are worked", cost.spent());
        self.is_left_clean().await;
    }

    /// Proves that no session, connection or held connect is left of what was done, and that
    /// nothing panicked.
    pub(crate) async fn is_left_clean(&self) {
        let before = self.before;
        eventually(&format!("no more than {before:?}"), || Levels::of(&self.server) == before)
            .await;
        assert_eq!(panics::count(), 0, "something panicked");
    }

    /// Waits until the server has as many channels as it had before anybody came but the bystander.
    pub(crate) async fn is_swept(&self) {
        eventually("the channels to go", || self.server.statistics().channels <= CHANNELS).await;
    }

    /// Lets a session end after a short silence, once its first connect is here.
    pub(crate) async fn hurry(&self, id: &str) {
        let session = self.server.session(id).expect("the session lives");
        eventually("the connect to be here", || session.is_connected()).await;
        session.set_max_interval(Some(Duration::from_millis(100)));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.server.stop();
    }
}

/// The meta channels and the bystander's.
const CHANNELS: u64 = 6;

/// Scenes are played together, except those that look at the memory of the whole process.
static TURN: RwLock<()> = RwLock::const_new(());

#[derive(Debug)]
enum Turn {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// What nobody may leave behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Levels {
    sessions: u64,
    websockets: u64,
    held_connects: u64,
}

impl Levels {
    fn of(server: &Server) -> Self {
        let statistics = server.statistics();
        Self {
            sessions: statistics.sessions,
            websockets: statistics.websockets,
            held_connects: statistics.held_connects,
        }
    }
}

/// A decent client over WebSocket, with a held connect, that publishes to itself.
#[derive(Debug)]
pub(crate) struct Bystander {
    socket: WebSocket,
    id: String,
    published: u64,
}

impl Bystander {
    async fn join(address: SocketAddr) -> Self {
        let request = upgrade_request(address, Version::HTTP_11, "/");
        let (socket, _) = open_websocket(address, request).await.unwrap();
        let mut bystander = Self { socket, id: String::new(), published: 0 };
        bystander.send(json!({ "channel": "/meta/handshake", "version": "1.0" })).await;
        let reply = bystander.until(|message| message["channel"] == "/meta/handshake").await;
        bystander.id = reply["clientId"].as_str().unwrap().to_owned();
        bystander.subscribe("/bystander").await;
        for id in ["held0", "held"] {
            bystander.send(json!({ "channel": "/meta/connect", "id": id })).await;
        }
        bystander.until(|message| message["id"] == "held0").await;
        bystander.is_served().await;
        bystander
    }

    pub(crate) async fn subscribe(&mut self, channel: &str) {
        self.send(json!({ "channel": "/meta/subscribe", "subscription": channel })).await;
        self.until(|message| message["channel"] == "/meta/subscribe").await;
    }

    /// Publishes, and proves that the reply comes at once: it costs little, and nothing is waited for whose
    /// time is over only in [ages](tests::AGES).
    pub(crate) async fn publish(&mut self, channel: &str, data: &Value) {
        let cost = Cost::start();
        self.published += 1;
        let id = self.published.to_string();
        self.send(json!({ "channel": channel, "data": data, "id": &id })).await;
        let reply = self.until(|message| message["id"] == id.as_str()).await;
        assert_eq!(reply["successful"], true, "{reply}");
        assert!(cost.spent() < PROMPT, "a publish waits while {:?} are worked", cost.spent());
    }

    /// Proves that what is published arrives, and at once, as [`publish`](Self::publish) does.
    pub(crate) async fn is_served(&mut self) {
        let cost = Cost::start();
        self.published += 1;
        let data = json!(self.published);
        self.send(json!({ "channel": "/bystander", "data": &data })).await;
        self.until(|message| message["channel"] == "/bystander" && message["data"] == data).await;
        assert!(cost.spent() < PROMPT, "others wait while {:?} are worked", cost.spent());
    }

    /// Waits for a message and drops all that come before it.
    pub(crate) async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        within("a message for the bystander", async {
            loop {
                let received = self.socket.next().await.expect("the bystander stays connected");
                let Message::Text(text) = received.unwrap() else { continue };
                let messages: Vec<Value> = serde_json::from_str(&text).unwrap();
                if let Some(found) = messages.into_iter().find(&is_it) {
                    return found;
                }
            }
        })
        .await
    }

    async fn send(&mut self, mut message: Value) {
        message["clientId"] = json!(self.id);
        self.socket.send(Message::text(json!([message]).to_string())).await.unwrap();
    }
}

/// Splits a response into its status and its text.
pub(crate) fn split(response: &str) -> (u16, String) {
    let (head, text) = response.split_once("\r\n\r\n").unwrap_or((response, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_default(), text.to_owned())
}
