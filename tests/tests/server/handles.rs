//! The end of a server's handles is the end of all it has, and it outlives the runtime it began on.

use std::{
    sync::{Arc, Weak, mpsc},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::{
    Config, Server,
    api::{
        Message,
        client::RequestError,
        server::{
            ChannelListener, LocalSession, SecurityPolicy, ServerChannelListener,
            ServerSessionListener, SessionListener, SubscriptionListener,
        },
    },
};
use serde_json::Value;
use tests::{DEADLINE, TestServer, Transport, brisk, eventually, hooks::Log, over_every_transport};
use tokio::runtime::{Builder, Runtime};

over_every_transport!(nothing_stays_of_a_server_without_handles);

/// Whatever an application adds to a server; a share of one thing, to count who still has it.
#[derive(Clone, Debug)]
struct Held(Arc<()>);

#[async_trait]
impl SecurityPolicy for Held {}

impl ChannelListener for Held {}

#[async_trait]
impl SessionListener for Held {}

#[async_trait]
impl SubscriptionListener for Held {}

#[async_trait]
impl ServerChannelListener for Held {}

#[async_trait]
impl ServerSessionListener for Held {}

/// What a test looks at when a server has gone.
struct Remains {
    held: Held,
    sessions: Vec<Weak<bayeux_server::Session>>,
    channels: Vec<Weak<bayeux_server::Channel>>,
}

impl Remains {
    /// Gives a policy and a listener of each kind to a server with sessions.
    fn of(server: &Server) -> Self {
        let held = Held(Arc::default());
        server.set_security_policy(Some(Arc::new(held.clone())));
        server.add_channel_listener(Arc::new(held.clone())).keep();
        server.add_session_listener(Arc::new(held.clone())).keep();
        server.add_subscription_listener(Arc::new(held.clone())).keep();
        let sessions = server.sessions();
        for session in &sessions {
            session.add_listener(Arc::new(held.clone())).keep();
        }
        let channels = server.channels();
        for channel in &channels {
            channel.add_listener(Arc::new(held.clone())).keep();
        }
        Self {
            held,
            sessions: sessions.iter().map(Arc::downgrade).collect(),
            channels: channels.iter().map(Arc::downgrade).collect(),
        }
    }

    /// Waits until there are none.
    async fn are_gone(self) {
        let sessions = || self.sessions.iter().filter(|one| one.strong_count() > 0).count();
        let channels = || self.channels.iter().filter(|one| one.strong_count() > 0).count();
        eventually("the sessions to go", || sessions() == 0).await;
        eventually("the channels to go", || channels() == 0).await;
        eventually("policy and listeners to go", || Arc::strong_count(&self.held.0) == 1).await;
    }
}

async fn subscribed(server: &Server) -> Arc<dyn LocalSession> {
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    local.channel("/a").unwrap().subscribe(Arc::new(Log::default())).await.unwrap().keep();
    local
}

async fn nothing_stays_of_a_server_without_handles(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let (mut holds, mut idles) =
        (server.connected(transport).await, server.connected(transport).await);
    for client in [&mut holds, &mut idles] {
        client.subscribe("/a").await;
        client.subscribe("/**").await;
    }
    let local = subscribed(&server.server).await;
    holds.hold().await;
    let remains = Remains::of(&server.server);
    assert_eq!(remains.sessions.len(), 3);
    drop((server, holds, idles));
    eventually("the local session to end", || !local.is_handshook()).await;
    // It still has its session, which ended.
    drop(local);
    remains.are_gone().await;
}

#[tokio::test]
async fn one_that_was_never_stopped_leaves_nothing_either() {
    let server = Server::new();
    let client = server.in_process();
    let id = client_id(&client.send(HANDSHAKE).await.unwrap());
    let subscribe = format!(
        r#"[{{"channel":"/meta/subscribe","clientId":"{id}","subscription":["/a","/**"]}}]"#
    );
    client.send(&subscribe).await.unwrap();
    let service = server.new_service("service").await.unwrap();
    let local = subscribed(&server).await;
    let remains = Remains::of(&server);
    assert_eq!(remains.sessions.len(), 3);
    drop((server, client, service));
    assert!(!local.is_handshook() && !local.is_connected());
    assert_eq!(local.handshake(Message::default()).await, Err(RequestError::NotHandshaken));
    drop(local);
    remains.are_gone().await;
}

const HANDSHAKE: &str = r#"[{"channel":"/meta/handshake"}]"#;

fn client_id(replies: &str) -> String {
    let replies: Value = serde_json::from_str(replies).unwrap();
    replies[0]["clientId"].as_str().unwrap().to_owned()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn brisk_server() -> Server {
    let mut config = Config::default();
    brisk(&mut config);
    Server::builder().config(config).build()
}

async fn handshake(server: &Server) -> String {
    client_id(&server.in_process().send(HANDSHAKE).await.unwrap())
}

#[test]
fn sessions_expire_after_the_runtime_of_the_first_has_ended() {
    let server = brisk_server();
    runtime().block_on(handshake(&server));
    let (sender, ended) = mpsc::channel();
    let other = server.clone();
    let thread = std::thread::spawn(move || {
        runtime().block_on(async {
            handshake(&other).await;
            eventually("both sessions to expire", || other.sessions().is_empty()).await;
        });
        sender.send(()).unwrap();
    });
    ended.recv_timeout(2 * DEADLINE).unwrap();
    thread.join().unwrap();
    assert_eq!(server.statistics().sessions_expired, 2);
}

#[test]
fn a_request_of_a_session_that_was_there_is_enough() {
    let server = brisk_server();
    let (first, second) = (runtime(), runtime());
    first.block_on(handshake(&server));
    let id = second.block_on(handshake(&server));
    server.create_channel_if_absent("/unused").unwrap();
    drop(first);
    let client = server.in_process();
    second.block_on(async {
        let publish = format!(r#"[{{"channel":"/a","clientId":"{id}","data":1}}]"#);
        client.send(&publish).await.unwrap();
        eventually("both sessions to expire", || server.sessions().is_empty()).await;
        eventually("channels to be swept", || server.channel("/unused").is_none()).await;
    });
}

#[test]
fn a_server_is_driven_once_however_many_runtimes_use_it() {
    let server = brisk_server();
    let (first, second) = (runtime(), runtime());
    first.block_on(handshake(&server));
    second.block_on(async {
        handshake(&server).await;
        // This runtime has nothing of the server's to do: only the first ends what has expired.
        tokio::time::sleep(Duration::from_secs(3)).await;
    });
    assert_eq!(server.sessions().len(), 2);
    first.block_on(async {
        eventually("both to expire", || server.sessions().is_empty()).await;
    });
}
