//! The sweeper: channels that nobody uses go.

use std::{sync::Arc, time::Duration};

use bayeux_server::{
    Config, Server,
    api::server::{Created, GrantAuthorizer, ServerChannelListener},
};
use serde_json::json;
use tests::{TestServer, Transport, brisk, eventually, hooks::Log, over_every_transport, within};

over_every_transport!(
    a_channel_that_a_client_left_goes_at_the_third_sweep,
    a_channel_that_was_only_published_on_goes,
    the_channels_of_an_expired_session_go,
);

async fn a_channel_that_a_client_left_goes_at_the_third_sweep(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let log = Log::default();
    server.server.add_channel_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let unused = create(&server.server, "/b");
    let start = tokio::time::Instant::now();
    log.until("removed /b").await;
    // Three sweeps, of which the first may come at once.
    assert!(start.elapsed() >= Duration::from_millis(40));
    assert_eq!(server.server.statistics().channels_swept, 1);
    assert!(server.server.channel("/a").is_some());
    client.unsubscribe("/a").await;
    log.until("removed /a").await;
    drop(unused);
}

async fn a_channel_that_was_only_published_on_goes(transport: Transport) {
    let server = TestServer::start(brisk).await;
    create(&server.server, "/service/own");
    let mut client = server.handshaken(transport).await;
    for channel in ["/a", "/service/own", "/service/a"] {
        client.publish(channel, json!(1)).await;
    }
    for channel in ["/a", "/service/a"] {
        eventually("the channel to go", || server.server.channel(channel).is_none()).await;
    }
    // What the server's own code made stays.
    assert!(server.server.channel("/service/own").is_some());
}

async fn the_channels_of_an_expired_session_go(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let mut client = server.handshaken(transport).await;
    for channel in ["/a", "/a/b", "/a/**"] {
        client.subscribe(channel).await;
    }
    server.leaves_in_silence(&mut client).await;
    eventually("the channels to go", || server.server.channels().len() == 5).await;
}

/// A server that sweeps, without clients.
async fn sweeping() -> Server {
    let mut config = Config::default();
    config.sweep_period = Duration::from_millis(10);
    let server = Server::builder().config(config).build();
    // The driver starts with the first session.
    server.new_local_session("local").handshake(Default::default()).await.unwrap();
    server
}

fn create(server: &Server, id: &str) -> Arc<bayeux_server::Channel> {
    server.create_channel_if_absent(id).unwrap().channel()
}

/// Waits until a channel that nobody uses, made now, is gone, and with it what was made before.
async fn swept(server: &Server) {
    create(server, "/probe");
    eventually("the probe to be swept", || server.channel("/probe").is_none()).await;
}

#[tokio::test]
async fn what_is_used_stays() {
    let server = sweeping().await;
    create(&server, "/persistent").set_persistent(true);
    let listener = create(&server, "/listener").add_listener(Arc::new(Log::default()));
    let authorizer = create(&server, "/authorizer").add_authorizer(Arc::new(GrantAuthorizer::ALL));
    create(&server, "/service/a");
    let used = ["/persistent", "/listener", "/authorizer", "/service/a", "/meta/connect"];
    swept(&server).await;
    for id in used {
        assert!(server.channel(id).is_some(), "{id}");
    }
    drop((listener, authorizer));
    server.channel("/persistent").unwrap().set_persistent(false);
    for id in &used[..3] {
        eventually("it to go", || server.channel(id).is_none()).await;
    }
}

/// Listens, but keeps nothing.
#[derive(Debug)]
struct Weak;

impl ServerChannelListener for Weak {
    fn is_weak(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_weak_listener_keeps_nothing() {
    let server = sweeping().await;
    let channel = create(&server, "/a");
    channel.add_listener(Arc::new(Weak)).keep();
    eventually("the channel to go", || server.channel("/a").is_none()).await;
}

#[tokio::test]
async fn children_keep_nothing() {
    let server = sweeping().await;
    create(&server, "/a/b").set_persistent(true);
    create(&server, "/a");
    eventually("the parent to go", || server.channel("/a").is_none()).await;
    assert!(server.channel("/a/b").is_some());
}

#[tokio::test]
async fn a_swept_channel_still_reaches_wild_subscribers() {
    let server = sweeping().await;
    let local = server.new_local_session("wild");
    local.handshake(Default::default()).await.unwrap();
    let log = Log::default();
    let wild = local.channel("/a/**").unwrap();
    let _subscription = wild.subscribe(Arc::new(log.clone())).await.unwrap();
    let channel = create(&server, "/a/b");
    eventually("the channel to go", || server.channel("/a/b").is_none()).await;
    let published = channel.publish(json!(1)).await;
    assert_eq!(published.unwrap().sessions, 1);
    log.until("/a/** 1").await;
}

#[tokio::test]
async fn using_a_channel_starts_the_count_again() {
    let server = sweeping().await;
    let channel = create(&server, "/a");
    within("some sweeps", async {
        while server.statistics().channels_swept < 3 {
            channel.set_persistent(false);
            if server.channel("/probe").is_none() {
                create(&server, "/probe");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(server.channel("/a").is_some());
}

#[tokio::test]
async fn asking_for_a_channel_keeps_it_for_three_sweeps_more() {
    let server = sweeping().await;
    create(&server, "/a");
    within("some sweeps", async {
        while server.statistics().channels_swept < 3 {
            let again = server.create_channel_if_absent("/a").unwrap();
            assert!(matches!(again, Created::Existing(_)), "it was swept");
            if server.channel("/probe").is_none() {
                server.create_channel_if_absent("/probe").unwrap();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn many_channels_go_together() {
    let server = sweeping().await;
    for n in 0..10_000 {
        create(&server, &format!("/{}/{}", n % 100, n / 100));
    }
    assert!(server.channels().len() > 9_000);
    eventually("all to go", || server.channels().len() == 5).await;
}

#[tokio::test]
async fn local_sessions_stay() {
    let mut config = Config::default();
    config.long_polling.max_interval = Duration::from_millis(20);
    config.sweep_period = Duration::from_millis(10);
    let server = Server::builder().config(config).build();
    let local = server.new_local_session("local");
    local.handshake(Default::default()).await.unwrap();
    for _ in 0..5 {
        swept(&server).await;
    }
    assert!(local.is_connected());
}
