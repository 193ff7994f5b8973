//! Which channels a server joins and leaves: those of its subscribers, the first of whom waits for it.

use std::{sync::Arc, time::Duration};

use bayeux_server::{
    Server,
    api::{
        Message,
        client::RequestError,
        server::{LocalSession, Passage, ServerSession},
    },
};
use serde_json::{Value, json};
use tests::{
    Client, TestServer, Transport, brisk, eventually,
    hooks::Log,
    hub::{Hub, Node, Trouble},
    over_every_transport, within,
};

use super::{channel, server, server_with};

over_every_transport!(
    a_channel_is_joined_for_the_first_and_left_after_the_last,
    every_end_of_a_subscription_counts,
    a_subscription_fails_with_the_join_and_a_later_one_does_not,
    a_join_that_hangs_costs_only_its_channel,
    a_join_that_hangs_fails_at_the_deadline,
    joins_and_leaves_take_turns_whatever_races,
);

fn node() -> Arc<Node> {
    Hub::new(Passage::Through).node()
}

async fn local(server: &TestServer) -> Arc<dyn LocalSession> {
    let local = server.server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    local
}

async fn try_subscribe(client: &mut Client, channel: &str) -> Value {
    client.request("/meta/subscribe", json!({ "subscription": channel })).await
}

async fn is_left(node: &Node) {
    eventually("all channels to be left", || node.channels().is_empty()).await;
    assert!(node.faults.entries().is_empty(), "{:?}", node.faults.entries());
}

async fn a_channel_is_joined_for_the_first_and_left_after_the_last(transport: Transport) {
    let node = node();
    let server = server(&node).await;
    let (mut one, mut other) =
        (server.connected(transport).await, server.connected(transport).await);
    for channel in ["/a", "/a", "/*", "/service/a"] {
        one.subscribe(channel).await;
        other.subscribe(channel).await;
    }
    assert_eq!(node.calls.take(), ["join /a", "join /*"]);
    one.unsubscribe("/a").await;
    let (local, log) = (local(&server).await, Log::default());
    let channel = local.channel("/a").unwrap();
    let subscription = channel.subscribe(Arc::new(log.clone())).await.unwrap();
    other.unsubscribe("/a").await;
    assert!(node.calls.take().is_empty(), "the local one is still there");
    drop(subscription);
    channel.unsubscribe().await.unwrap();
    node.calls.until("leave /a").await;
    one.subscribe("/a").await;
    assert_eq!(node.calls.entries(), ["leave /a", "join /a"]);
}

async fn every_end_of_a_subscription_counts(transport: Transport) {
    let node = node();
    let server = server_with(&node, brisk).await;
    for end in ["unsubscribe", "disconnect", "silence", "removal", "removal of the channel"] {
        let mut client = server.connected(transport).await;
        client.subscribe("/a/*").await;
        assert_eq!(node.channels(), ["/a/*"]);
        match end {
            "unsubscribe" => drop(client.unsubscribe("/a/*").await),
            "disconnect" => drop(client.disconnect().await),
            "silence" => server.leaves_in_silence(&mut client).await,
            "removal" => assert!(server.server.remove_session(client.id()).await),
            _ => server.server.channel("/a/*").unwrap().remove(),
        }
        is_left(&node).await;
        assert_eq!(node.calls.take(), ["join /a/*", "leave /a/*"], "{end}");
    }
}

async fn a_subscription_fails_with_the_join_and_a_later_one_does_not(transport: Transport) {
    for trouble in [Trouble::Fails, Trouble::Panics] {
        let node = node();
        let server = server(&node).await;
        node.set_trouble("join /a", Some(trouble));
        let mut one = server.connected(transport).await;
        let mut other = server.connected(transport).await;
        let (first, second) =
            tokio::join!(try_subscribe(&mut one, "/a"), try_subscribe(&mut other, "/a"));
        for reply in [first, second] {
            assert_eq!(reply["successful"], false);
            assert_eq!(reply["error"], "503::subscribe_unavailable");
        }
        let (session, channel) = (server.session(&one), channel(&server, "/a"));
        assert!(!channel.subscribe(&*session).await);
        assert!(channel.subscribers().is_empty());
        node.set_trouble("join /a", None);
        node.calls.take();
        one.subscribe("/a").await;
        is_joined_alone(&node, "/a");
        one.unsubscribe("/a").await;
        is_left(&node).await;
    }
}

fn is_joined_alone(node: &Node, channel: &str) {
    assert_eq!(node.calls.take(), [format!("join {channel}")]);
    assert_eq!(node.channels(), [channel]);
}

async fn a_join_that_hangs_costs_only_its_channel(transport: Transport) {
    let node = node();
    let server = server(&node).await;
    node.set_trouble("join /bad", Some(Trouble::Hangs));
    let mut stuck = server.connected(transport).await;
    let request = stuck.message("/meta/subscribe", &json!({ "subscription": "/bad" }));
    stuck.send(&[request]);
    node.calls.until("join /bad").await;
    let mut client = server.connected(transport).await;
    client.subscribe("/good").await;
    client.publish("/good", json!(1)).await;
    assert_eq!(client.message_on("/good").await["data"], 1);
    client.publish("/bad", json!(1)).await;
    assert!(channel(&server, "/bad").subscribers().is_empty());
}

async fn a_join_that_hangs_fails_at_the_deadline(transport: Transport) {
    let node = Hub::new(Passage::Through).node_with(Duration::from_millis(100));
    let server = server(&node).await;
    for call in ["join /a", "leave /a"] {
        node.set_trouble(call, Some(Trouble::Hangs));
    }
    let mut client = server.connected(transport).await;
    let reply = try_subscribe(&mut client, "/a").await;
    assert_eq!(reply["error"], "503::subscribe_unavailable");
    node.set_trouble("join /a", None);
    client.subscribe("/a").await;
    client.unsubscribe("/a").await;
    node.calls.until("leave /a").await;
    // It waits for the end of the leave.
    client.subscribe("/a").await;
    let calls = node.calls.entries();
    assert_eq!(calls, ["join /a", "join /a", "leave /a", "join /a"]);
    assert!(node.faults.entries().is_empty(), "{:?}", node.faults.entries());
}

/// The next of a row of numbers that look random.
fn next(random: &mut u64) -> u64 {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

async fn joins_and_leaves_take_turns_whatever_races(transport: Transport) {
    let node = node();
    let server = server(&node).await;
    let storm = async |seed: u64| {
        let mut random = seed;
        for _ in 0..3 {
            let mut client = server.connected(transport).await;
            for _ in 0..12 {
                let channel = ["/a", "/b/*"][next(&mut random) as usize % 2];
                match next(&mut random) % 5 {
                    0 | 1 => drop(try_subscribe(&mut client, channel).await),
                    2 | 3 => {
                        let fields = json!({ "subscription": channel });
                        client.request("/meta/unsubscribe", fields).await;
                    }
                    _ => {
                        let channel = server.server.channel(channel);
                        channel.inspect(|channel| channel.remove());
                    }
                }
            }
            match next(&mut random) % 2 {
                0 => drop(client.disconnect().await),
                _ => drop(server.server.remove_session(client.id()).await),
            }
        }
    };
    tokio::join!(storm(1), storm(2), storm(3), storm(4));
    is_left(&node).await;
    let calls = node.calls.take();
    assert!(calls.iter().filter(|call| call.starts_with("leave")).count() > 2, "{calls:?}");
}

/// The same where threads race, without the network.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joins_and_leaves_take_turns_among_threads() {
    let node = node();
    let server = Arc::new(server(&node).await);
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 0..8 {
        let server = server.clone();
        tasks.spawn(async move {
            let mut random = seed;
            for _ in 0..20 {
                let local = local(&server).await;
                let session = local.server_session().unwrap();
                for _ in 0..10 {
                    step(&server.server, &session, next(&mut random)).await;
                }
                server.server.remove_session(session.id()).await;
            }
        });
    }
    within("the storm to be over", tasks.join_all()).await;
    is_left(&node).await;
    assert!(node.calls.count("join /a") > 10);
}

async fn step(server: &Server, session: &Arc<dyn ServerSession>, random: u64) {
    let id = ["/a", "/b/*"][random as usize % 2];
    let channel = server.create_channel_if_absent(id).unwrap().channel();
    match random / 2 % 8 {
        0..=3 => assert!(channel.subscribe(&**session).await),
        4..=6 => drop(channel.unsubscribe(&**session).await),
        _ => channel.remove(),
    }
}

#[tokio::test]
async fn who_gives_up_waiting_leaves_nothing_joined() {
    let node = node();
    let server = server(&node).await;
    let local = local(&server).await;
    let session = local.server_session().unwrap();
    let channel = channel(&server, "/a");
    tokio::select! {
        biased;
        _ = channel.subscribe(&*session) => panic!("a join takes longer"),
        () = std::future::ready(()) => {}
    }
    node.calls.until("leave /a").await;
    is_left(&node).await;
    assert!(channel.subscribers().is_empty());
}

#[tokio::test]
async fn a_local_session_is_told_that_its_subscription_failed() {
    let node = node();
    let server = server(&node).await;
    node.set_trouble("join /a", Some(Trouble::Fails));
    let local = local(&server).await;
    let subscribed = local.channel("/a").unwrap().subscribe(Arc::new(Log::default())).await;
    let Err(RequestError::Refused(reply)) = subscribed else { panic!("{subscribed:?}") };
    assert_eq!(reply.error.as_deref(), Some("503::subscribe_unavailable"));
}

#[tokio::test]
async fn a_server_that_is_stopped_leaves_and_joins_no_more() {
    let node = node();
    let server = server(&node).await;
    let local = local(&server).await;
    let subscribe = async |channel: &str| {
        let channel = local.channel(channel).unwrap();
        channel.subscribe(Arc::new(Log::default())).await.map(|it| it.keep())
    };
    subscribe("/a").await.unwrap();
    server.server.stop();
    within("the server to be closed", server.server.closed()).await;
    assert_eq!(node.calls.entries(), ["join /a", "leave /a"]);
    is_left(&node).await;
    subscribe("/b").await.unwrap_err();
    assert!(node.channels().is_empty());
}

#[test]
fn a_server_that_is_dropped_leaves_be_it_outside_of_its_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (node, server, local) = runtime.block_on(async {
        let node = node();
        let server = Server::builder().backplane(node.clone()).build();
        let local = server.new_local_session("local");
        local.handshake(Message::default()).await.unwrap();
        let channel = local.channel("/a").unwrap();
        channel.subscribe(Arc::new(Log::default())).await.unwrap().keep();
        (node, server, local)
    });
    assert_eq!(node.channels(), ["/a"]);
    drop(server);
    runtime.block_on(is_left(&node));
    assert_eq!(node.calls.entries(), ["join /a", "leave /a"]);
    drop(local);
}
