//! Channels with one order for all their subscribers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_server::{
    Channel,
    api::{
        Flow, Frozen, Message,
        server::{
            PublishError, ServerChannel, ServerChannelListener, ServerMessage, ServerSession,
            ServerSessionListener, SessionExtension,
        },
    },
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Client, TestServer, Transport, brisk, eventually, over_every_transport, within};
use tokio::sync::Semaphore;

over_every_transport!(
    all_get_what_many_publish_at_once_in_one_order,
    a_listener_may_publish_on_the_channel_it_hears,
    a_subscribers_hook_is_told_that_it_would_wait_for_itself,
    a_publisher_that_goes_stops_nobody,
    an_order_stays_and_counts_on,
);

fn ordered(server: &TestServer) -> Arc<Channel> {
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    assert_eq!((channel.is_ordered(), channel.position()), (false, None));
    channel.set_ordered(true);
    assert_eq!((channel.is_ordered(), channel.position()), (true, Some(0)));
    channel
}

/// Waits before its session gets a message, for one longer than for the next.
#[derive(Debug, Default)]
struct Dawdles(AtomicUsize);

#[async_trait]
impl SessionExtension for Dawdles {
    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        let millis = [4, 0, 2, 1][self.0.fetch_add(1, Relaxed) % 4];
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Some(message)
    }
}

/// A client that is subscribed to `channel`, and to `/end`.
async fn subscribed(server: &TestServer, transport: Transport, channel: &str) -> Client {
    let mut client = server.connected(transport).await;
    client.subscribe(channel).await;
    client.subscribe("/end").await;
    client
}

/// Returns what came on `/a`.
async fn heard(server: &TestServer, client: &mut Client) -> Vec<Value> {
    let end = server.server.create_channel_if_absent("/end").unwrap().channel();
    end.publish(Message::with_data("/end", json!(1))).await.unwrap();
    client.message_on("/end").await;
    client.received_on("/a").into_iter().map(|mut message| message["data"].take()).collect()
}

async fn all_get_what_many_publish_at_once_in_one_order(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = ordered(&server);
    let mut subscribers = Vec::new();
    for name in ["/a", "/a", "/*", "/a", "/**"] {
        let client = subscribed(&server, transport, name).await;
        if subscribers.len() % 2 == 0 {
            server.session(&client).add_extension(Arc::new(Dawdles::default())).keep();
        }
        subscribers.push(client);
    }
    let mut publishers = Vec::new();
    for _ in 0..4 {
        publishers.push(server.connected(transport).await);
    }
    let clients = join_all(publishers.iter_mut().enumerate().map(async |(who, client)| {
        for number in 0..8 {
            client.publish("/a", json!([who, number])).await;
        }
    }));
    let own = join_all((4..6).map(async |who| {
        for number in 0..8 {
            let message = Message::with_data("/a", json!([who, number]));
            assert_eq!(channel.publish(message).await.unwrap().sessions, 5);
        }
    }));
    within("all to be published", async { tokio::join!(clients, own) }).await;
    assert_eq!(channel.position(), Some(48));
    let order = heard(&server, &mut subscribers[0]).await;
    assert_eq!(order.len(), 48);
    for client in &mut subscribers[1..] {
        assert_eq!(heard(&server, client).await, order);
    }
}

/// Publishes an answer where it hears a question.
#[derive(Debug)]
struct Answers;

#[async_trait]
impl ServerChannelListener for Answers {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        channel: &Arc<dyn ServerChannel>,
        message: &mut ServerMessage,
    ) -> Flow {
        if message.data == Some(json!("question").into()) {
            channel.publish(None, Message::with_data("/a", json!("answer"))).await.unwrap();
        }
        Flow::Continue
    }
}

async fn a_listener_may_publish_on_the_channel_it_hears(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    ordered(&server).add_listener(Arc::new(Answers)).keep();
    let mut client = subscribed(&server, transport, "/a").await;
    client.publish("/a", json!("question")).await;
    // It was published while the question was on its way.
    assert_eq!(heard(&server, &mut client).await, ["answer", "question"]);
}

/// Publishes on the channel of a message that its session gets, and waits for it.
#[derive(Debug)]
struct Repeats(Arc<Channel>, tokio::sync::mpsc::UnboundedSender<PublishError>);

#[async_trait]
impl ServerSessionListener for Repeats {
    async fn on_message(
        &self,
        _session: &Arc<dyn ServerSession>,
        _sender: Option<&Arc<dyn ServerSession>>,
        message: &Frozen,
    ) -> Flow {
        if message.channel() == "/a" {
            tokio::task::yield_now().await;
            let repeated = self.0.publish(Message::with_data("/a", json!(2))).await;
            self.1.send(repeated.unwrap_err()).unwrap();
        }
        Flow::Continue
    }
}

async fn a_subscribers_hook_is_told_that_it_would_wait_for_itself(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = ordered(&server);
    let mut client = subscribed(&server, transport, "/a").await;
    let (errors, mut refused) = tokio::sync::mpsc::unbounded_channel();
    server.session(&client).add_listener(Arc::new(Repeats(channel, errors))).keep();
    for _ in 0..2 {
        client.publish("/a", json!(1)).await;
        assert_eq!(within("an answer", refused.recv()).await, Some(PublishError::Nested));
    }
    assert_eq!(heard(&server, &mut client).await, [1, 1]);
}

/// Lets a message to its session go on when it is let through.
#[derive(Debug)]
struct Waits(Arc<Semaphore>);

#[async_trait]
impl SessionExtension for Waits {
    async fn outgoing(
        &self,
        _sender: Option<&Arc<dyn ServerSession>>,
        _session: &Arc<dyn ServerSession>,
        message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        self.0.acquire().await.unwrap().forget();
        Some(message)
    }
}

async fn a_publisher_that_goes_stops_nobody(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = ordered(&server);
    let mut slow = subscribed(&server, transport, "/a").await;
    let mut other = subscribed(&server, transport, "/a").await;
    let gate = Arc::new(Semaphore::new(0));
    server.session(&slow).add_extension(Arc::new(Waits(gate.clone()))).keep();
    let publish = |number: i32| {
        let channel = channel.clone();
        tokio::spawn(async move { channel.publish(Message::with_data("/a", json!(number))).await })
    };
    let first = publish(1);
    eventually("its turn to begin", || channel.position() == Some(1)).await;
    let second = publish(2);
    tokio::task::yield_now().await;
    let third = publish(3);
    // What they began is done to its end, in its turn.
    for gone in [first, second] {
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    // And one for each end.
    gate.add_permits(5);
    within("the third", third).await.unwrap().unwrap();
    assert_eq!(heard(&server, &mut slow).await, [1, 2, 3]);
    assert_eq!(heard(&server, &mut other).await, [1, 2, 3]);
    assert_eq!(channel.position(), Some(3));
}

async fn an_order_stays_and_counts_on(transport: Transport) {
    let server = TestServer::start(brisk).await;
    let channel = ordered(&server);
    let mut client = server.connected(transport).await;
    client.publish("/a", json!(1)).await;
    client.publish("/b", json!(1)).await;
    eventually("a channel that nobody uses to go", || server.server.channel("/b").is_none()).await;
    assert_eq!(server.server.channel("/a").unwrap().position(), Some(1));
    channel.set_ordered(false);
    channel.publish(Message::with_data("/a", json!(1))).await.unwrap();
    channel.set_ordered(true);
    channel.publish(Message::with_data("/a", json!(1))).await.unwrap();
    assert_eq!(channel.position(), Some(2));
    // Each channel has an order of its own.
    let wild = server.server.create_channel_if_absent("/*").unwrap().channel();
    wild.set_ordered(true);
    assert_eq!((wild.is_ordered(), wild.position()), (false, None));
}
