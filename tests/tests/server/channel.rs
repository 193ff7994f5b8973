//! Channels as the server's code sees them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Instant,
};

use bayeux_server::{
    Server,
    api::{
        Message,
        server::{ChannelListener, Created, GrantAuthorizer, PublishError, ServerChannel},
    },
};
use serde_json::json;
use tests::{DEADLINE, TestServer, Transport, hooks::Log, over_every_transport};

fn create(server: &Server, id: &str) -> Arc<bayeux_server::Channel> {
    server.create_channel_if_absent(id).unwrap().channel()
}

#[tokio::test]
async fn a_channel_is_set_up_before_it_is_told_of() {
    let server = Server::new();
    let log = Log::default();
    server.add_channel_listener(Arc::new(log.clone())).keep();
    let created = server.create_channel_if_absent_with("/a", |channel| {
        assert!(server.channel("/a").is_none());
        channel.set_persistent(true);
        log.add("initialize");
    });
    assert!(matches!(created, Ok(Created::New(_))));
    assert_eq!(log.entries(), ["initialize", "configure /a", "added /a"]);
    let again = server.create_channel_if_absent_with("/a", |_| panic!("it is there"));
    assert!(matches!(again, Ok(Created::Existing(_))));
    assert!(server.channel("/a").unwrap().is_persistent());
    server.channel("/a").unwrap().remove();
    log.until("removed /a").await;
    assert!(server.channel("/a").is_none());
}

#[tokio::test]
async fn names_are_made_uniform() {
    let server = Server::new();
    create(&server, "/foo/bar/ ");
    for id in ["/foo/bar", "/foo/bar/", "/foo/bar/ "] {
        assert_eq!(server.channel(id).unwrap().id().as_str(), "/foo/bar");
    }
    for id in ["", "/", "foo", "/a//b", "/a/*/b", "/<b>"] {
        assert!(server.create_channel_if_absent(id).is_err(), "{id}");
        assert!(server.channel(id).is_none());
    }
}

#[tokio::test]
async fn a_channel_makes_no_parents() {
    let server = Server::new();
    create(&server, "/a/b/c");
    assert!(server.channel("/a").is_none());
    assert!(server.channel("/a/b").is_none());
}

#[tokio::test]
async fn meta_and_service_channels_are_persistent_from_the_start() {
    let server = Server::new();
    let names: Vec<_> = server.channels().iter().map(|channel| channel.id().to_string()).collect();
    assert_eq!(
        names,
        [
            "/meta/connect",
            "/meta/disconnect",
            "/meta/handshake",
            "/meta/subscribe",
            "/meta/unsubscribe",
        ]
    );
    assert!(server.channels().iter().all(|channel| channel.is_persistent()));
    assert!(create(&server, "/service/a").is_persistent());
    assert!(!create(&server, "/a").is_persistent());
}

#[tokio::test]
async fn a_removed_channels_listeners_hear_no_more() {
    let server = Server::new();
    let log = Log::default();
    let removed = create(&server, "/a");
    removed.add_listener(Arc::new(log.clone())).keep();
    removed.remove();
    for channel in [removed, create(&server, "/a")] {
        let published = channel.publish(json!(1)).await;
        assert_eq!(published.unwrap().sessions, 0);
    }
    assert!(log.entries().is_empty());
}

#[tokio::test]
async fn attributes_are_kept() {
    let channel = create(&Server::new(), "/a");
    assert!(channel.attribute("x").is_none());
    assert!(channel.set_attribute("x", Arc::new(1_u8)).is_none());
    let old = channel.set_attribute("x", Arc::new(2_u8)).unwrap();
    assert_eq!(old.downcast_ref(), Some(&1_u8));
    assert_eq!(channel.attribute("x").unwrap().downcast_ref(), Some(&2_u8));
}

/// Removes a channel when it hears that it was added, and adds it when it hears that it was removed, once.
#[derive(Debug)]
struct Contrary {
    server: std::sync::Weak<Server>,
    left: AtomicUsize,
}

impl Contrary {
    fn server(&self) -> Option<Arc<Server>> {
        let left = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        left.ok().and_then(|_| self.server.upgrade())
    }
}

impl ChannelListener for Contrary {
    fn channel_added(&self, channel: &Arc<dyn ServerChannel>) {
        if self.server().is_some() {
            channel.remove();
        }
    }

    fn channel_removed(&self, id: &str) {
        if let Some(server) = self.server() {
            create(&server, id);
        }
    }
}

/// Also to a listener that comes behind one which changes what it hears of.
#[tokio::test]
async fn additions_and_removals_are_told_in_order() {
    let server = Arc::new(Server::new());
    let contrary = Contrary { server: Arc::downgrade(&server), left: AtomicUsize::new(3) };
    server.add_channel_listener(Arc::new(contrary)).keep();
    let log = Log::default();
    server.add_channel_listener(Arc::new(log.clone())).keep();
    create(&server, "/a");
    let told: Vec<_> =
        log.entries().into_iter().filter(|entry| !entry.starts_with("configure")).collect();
    assert_eq!(told, ["added /a", "removed /a", "added /a", "removed /a"]);
    assert!(server.channel("/a").is_none());
}

/// What changes a channel that was removed registers it again, and reaches it.
#[tokio::test]
async fn a_removed_channel_that_is_changed_comes_back() {
    type Change = fn(&dyn ServerChannel);
    let changes: [(&str, Change); 7] = [
        ("listener", |channel| channel.add_listener(Arc::new(Log::default())).keep()),
        ("authorizer", |channel| channel.add_authorizer(Arc::new(GrantAuthorizer::ALL)).keep()),
        ("persistent", |channel| channel.set_persistent(true)),
        ("lazy", |channel| channel.set_lazy(true)),
        ("lazy timeout", |channel| channel.set_lazy_timeout(DEADLINE)),
        ("broadcast", |channel| channel.set_broadcast_to_publisher(false)),
        ("attribute", |channel| drop(channel.set_attribute("x", Arc::new(1)))),
    ];
    for (what, change) in changes {
        let server = Server::new();
        let log = Log::default();
        server.add_channel_listener(Arc::new(log.clone())).keep();
        let channel = create(&server, "/a");
        channel.remove();
        change(&*channel);
        assert!(server.channel("/a").is_some_and(|now| Arc::ptr_eq(&now, &channel)), "{what}");
        assert_eq!(log.entries(), ["configure /a", "added /a", "removed /a", "added /a"], "{what}");
    }
}

#[tokio::test]
async fn a_handle_stands_for_the_channel_that_has_its_name() {
    let server = Server::new();
    let before = create(&server, "/a");
    before.remove();
    let now = create(&server, "/a");
    before.set_persistent(true);
    before.set_lazy_timeout(DEADLINE);
    before.set_attribute("x", Arc::new(1_u8));
    assert!(now.is_persistent() && now.is_lazy() && now.lazy_timeout() == Some(DEADLINE));
    assert!(now.attribute("x").is_some() && before.attribute("x").is_some());
    let log = Log::default();
    before.add_listener(Arc::new(log.clone())).keep();
    now.publish(json!(1)).await.unwrap();
    assert_eq!(log.entries(), ["/a hears /a"]);
    before.remove();
    assert!(server.channel("/a").is_some());
}

#[test]
fn of_many_that_make_a_channel_at_once_one_sets_it_up() {
    const NAMES: usize = 500;
    let (server, calls, start) = (Server::new(), AtomicUsize::new(0), Barrier::new(4));
    let make = || {
        for name in 0..NAMES {
            start.wait();
            let created = server.create_channel_if_absent_with(&format!("/{name}"), |channel| {
                calls.fetch_add(1, Relaxed);
                thread::yield_now();
                channel.set_attribute("is ready", Arc::new(()));
            });
            // Nobody sees it before it is set up.
            assert!(created.unwrap().channel().attribute("is ready").is_some());
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(make))));
    assert_eq!(calls.load(Relaxed), NAMES);
}

#[test]
fn who_sets_a_channel_up_may_make_others_and_ask_for_it() {
    let server = Server::new();
    many_times_in_time(|nth| {
        let (own, other) = (format!("/a/{nth}"), format!("/b/{nth}"));
        let created = server.create_channel_if_absent_with(&own, |channel| {
            create(&server, &other).set_persistent(true);
            // It is the one that is being set up.
            create(&server, &own).set_persistent(true);
            assert!(channel.is_persistent());
            assert!(server.channel(&own).is_none());
        });
        assert!(matches!(created, Ok(Created::New(_))));
        assert!(server.channel(&other).is_some());
    });
}

#[test]
fn two_that_set_up_what_the_other_asks_for_do_not_wait_for_each_other() {
    let (server, both) = (Server::new(), Barrier::new(2));
    let make = |own: &str, others: &str| {
        let initialize = |_: &bayeux_server::Channel| {
            both.wait();
            create(&server, others);
        };
        server.create_channel_if_absent_with(own, initialize).unwrap();
    };
    many_times_in_time(|nth| {
        let (one, other) = (format!("/a/{nth}"), format!("/b/{nth}"));
        thread::scope(|scope| {
            scope.spawn(|| make(&one, &other));
            scope.spawn(|| make(&other, &one));
        });
        assert!(server.channel(&one).is_some() && server.channel(&other).is_some());
    });
}

/// Does something 20 times, and all of it in time: who waits for the turn of another, which is five
/// seconds, does not get so far.
fn many_times_in_time(something: impl Fn(usize)) {
    let start = Instant::now();
    for nth in 0..20 {
        something(nth);
        assert!(start.elapsed() < DEADLINE, "only {nth} were done");
    }
}

#[test]
fn setting_up_that_panics_makes_no_channel_and_the_next_may() {
    let server = Server::new();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        drop(server.create_channel_if_absent_with("/a", |_| panic!("by design")));
    }));
    assert!(failed.is_err());
    assert!(server.channel("/a").is_none());
    assert!(matches!(server.create_channel_if_absent("/a"), Ok(Created::New(_))));
}

over_every_transport!(
    subscribing_by_the_handle_of_a_removed_channel_subscribes,
    subscribing_by_a_handle_tells_whether_it_did,
    a_guard_by_the_handle_of_a_removed_channel_guards,
    a_publication_waits_until_its_channel_is_set_up,
    removing_leaves_the_children,
    a_removed_channels_subscribers_forget_it_silently,
    a_removed_channel_still_reaches_wild_subscribers,
    a_channel_comes_back_when_it_is_subscribed_to_again,
    the_server_cannot_publish_on_a_wild_channel,
    publishing_tells_how_many_took_it,
    the_server_publishes_to_services_listeners,
    a_publication_may_be_on_behalf_of_a_session,
);

async fn subscribing_by_the_handle_of_a_removed_channel_subscribes(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let session = server.session(&client);
    for comes_back in [false, true] {
        let channel = create(&server.server, "/a");
        channel.remove();
        if comes_back {
            create(&server.server, "/a");
        }
        assert!(channel.subscribe(&*session).await);
        assert_eq!(session.subscriptions().len(), 1);
        assert_eq!(channel.subscribers().len(), 1);
        client.publish("/a", json!(comes_back)).await;
        assert_eq!(client.message_on("/a").await["data"], comes_back);
        assert!(channel.unsubscribe(&*session).await);
        assert!(session.subscriptions().is_empty());
        server.server.channel("/a").unwrap().remove();
    }
}

async fn subscribing_by_a_handle_tells_whether_it_did(transport: Transport) {
    let server = TestServer::start(|config| config.max_subscriptions = 1).await;
    let client = server.connected(transport).await;
    let session = server.session(&client);
    let (one, other) = (create(&server.server, "/a"), create(&server.server, "/b"));
    assert!(one.subscribe(&*session).await);
    assert!(!other.subscribe(&*session).await);
    assert!(one.subscribe(&*session).await);
    assert!(other.subscribers().is_empty());
    assert!(create(&server.server, "/service/a").subscribe(&*session).await);
    assert!(!create(&server.server, "/meta/connect").subscribe(&*session).await);
}

async fn a_guard_by_the_handle_of_a_removed_channel_guards(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    for comes_back in [false, true] {
        let channel = create(&server.server, "/a");
        channel.remove();
        if comes_back {
            client.publish("/a", json!(1)).await;
        }
        let guard = channel.add_authorizer(Arc::new(GrantAuthorizer::NONE));
        let reply = client.request("/a", json!({ "data": 1 })).await;
        assert_eq!(reply["error"], "403:denied_by_not_granting:publish_denied");
        drop(guard);
        client.publish("/a", json!(1)).await;
    }
}

async fn a_publication_waits_until_its_channel_is_set_up(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let (begin, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let (log, maker) = (Log::default(), server.server.clone());
    let (heard, ended) = (log.clone(), Mutex::new(ended));
    let making = thread::spawn(move || {
        maker.create_channel_if_absent_with("/a", |channel| {
            begin.send(()).unwrap();
            ended.lock().unwrap().recv_timeout(DEADLINE).unwrap();
            channel.add_listener(Arc::new(heard.clone())).keep();
        })
    });
    begun.recv_timeout(DEADLINE).unwrap();
    let publish = client.message("/a", &json!({ "data": 1, "id": "p" }));
    client.send(&[publish]);
    // Others are not held up.
    let mut other = server.connected(transport).await;
    other.publish("/b", json!(1)).await;
    assert!(log.entries().is_empty());
    end.send(()).unwrap();
    assert_eq!(client.reply_to("p").await["successful"], true);
    assert_eq!(log.entries(), ["/a hears /a"]);
    making.join().unwrap().unwrap();
}

async fn removing_leaves_the_children(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let parent = create(&server.server, "/a");
    let mut client = server.connected(transport).await;
    client.subscribe("/a/b").await;
    parent.remove();
    assert!(server.server.channel("/a").is_none());
    assert!(server.server.channel("/a/b").is_some());
    client.publish("/a/b", json!(1)).await;
    client.message_on("/a/b").await;
}

async fn a_removed_channels_subscribers_forget_it_silently(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.server.channel("/a").unwrap().remove();
    assert!(server.session(&client).subscriptions().is_empty());
    assert_eq!(log.entries(), ["server: subscribed /a by the client"]);
    client.subscribe("/end").await;
    client.publish("/a", json!(1)).await;
    client.publish("/end", json!(1)).await;
    assert_eq!(client.channels_until("/end").await, ["/end"]);
}

async fn a_removed_channel_still_reaches_wild_subscribers(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/a/b");
    let mut client = server.connected(transport).await;
    client.subscribe("/a/**").await;
    channel.remove();
    let published = channel.publish(json!(1)).await;
    assert_eq!(published.unwrap().sessions, 1);
    assert_eq!(client.message_on("/a/b").await["data"], 1);
}

async fn a_channel_comes_back_when_it_is_subscribed_to_again(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.server.channel("/a").unwrap().remove();
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
}

async fn the_server_cannot_publish_on_a_wild_channel(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.handshaken(transport).await;
    for id in ["/a/*", "/**"] {
        client.subscribe(id).await;
        let channel = server.server.channel(id).unwrap();
        let published = channel.publish(json!(1)).await;
        assert_eq!(published, Err(PublishError::Wild));
    }
}

async fn publishing_tells_how_many_took_it(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/a");
    let taken = async || {
        let published = channel.publish(json!(1)).await;
        published.unwrap().sessions
    };
    assert_eq!(taken().await, 0);
    let (mut client, mut other) =
        (server.handshaken(transport).await, server.handshaken(transport).await);
    client.subscribe("/a").await;
    client.subscribe("/**").await;
    assert_eq!(taken().await, 1);
    other.subscribe("/*").await;
    assert_eq!(taken().await, 2);
    client.unsubscribe("/a").await;
    client.unsubscribe("/**").await;
    assert_eq!(taken().await, 1);
}

async fn the_server_publishes_to_services_listeners(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/service/a");
    let log = Log::default();
    channel.add_listener(Arc::new(log.clone())).keep();
    let mut client = server.connected(transport).await;
    client.subscribe("/service/a").await;
    let published = channel.publish(json!(1)).await;
    assert_eq!(published.unwrap().sessions, 0);
    assert_eq!(log.entries(), ["/service/a hears /service/a"]);
    assert_eq!(server.session(&client).queue_depth().messages, 0);
}

async fn a_publication_may_be_on_behalf_of_a_session(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = create(&server.server, "/a");
    channel.set_broadcast_to_publisher(false);
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let session = server.session(&client);
    let message = || Message::with_data("", json!(1));
    let published = channel.publish_from(&*session, message()).await;
    assert_eq!(published.unwrap().sessions, 0);
    let published = channel.publish(message()).await;
    assert_eq!(published.unwrap().sessions, 1);
    // Neither an id nor a clientId goes along.
    let mut other = message();
    (other.id, other.client_id) = (Some("1".to_owned()), Some("x".to_owned()));
    channel.publish(other).await.unwrap();
    for _ in 0..2 {
        assert_eq!(client.message_on("/a").await, json!({ "channel": "/a", "data": 1 }));
    }
}
