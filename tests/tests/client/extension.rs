//! Extensions of the client: their order, what they stop and what they change.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bayeux_client::{
    BayeuxClient, State,
    api::{
        ConnectionType, Flow, Message,
        client::{ClientExtension, ClientSession as _, ClientSessionChannel as _, RequestError},
    },
};
use serde_json::json;
use tests::{
    TestServer, arrive, brisk_client, eventually, hooks::Log, over_every_client_transport, within,
};
use tokio::sync::Semaphore;

use crate::scene::{Sees, wire};

over_every_client_transport!(
    the_first_added_sees_first_what_arrives_and_last_what_is_sent,
    what_is_stopped_on_its_way_out_is_deleted,
    a_subscription_that_is_stopped_is_deleted_and_the_next_asks_again,
    a_message_that_is_stopped_on_its_way_in_is_not_heard,
    a_reply_that_is_stopped_is_deleted,
    data_and_ext_may_be_changed_and_the_id_may_not,
    an_extension_that_is_removed_sees_nothing_more,
    an_extension_that_panics_deletes_the_message_and_no_more,
    one_sees_the_requests_that_fail,
    one_that_waits_on_the_way_out_keeps_nobody_from_reading,
    one_that_waits_on_the_way_in_keeps_nobody_from_sending,
);

/// Waits with the messages of one channel until it is let go on.
#[derive(Debug)]
struct Waits {
    channel: &'static str,
    gate: Semaphore,
    waiting: AtomicUsize,
}

impl Waits {
    fn on(client: &BayeuxClient, channel: &'static str) -> Arc<Self> {
        let gate = Semaphore::new(0);
        let waits = Arc::new(Self { channel, gate, waiting: AtomicUsize::new(0) });
        client.add_extension(waits.clone()).keep();
        waits
    }

    async fn pass(&self, message: &Message) -> Flow {
        if message.channel() == self.channel {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let _ = self.gate.acquire().await;
        }
        Flow::Continue
    }

    async fn until_one_waits(&self) {
        eventually("the extension", || self.waiting.load(Ordering::SeqCst) > 0).await;
    }
}

#[async_trait]
impl ClientExtension for Waits {
    async fn incoming(&self, message: &mut Message) -> Flow {
        self.pass(message).await
    }

    async fn outgoing(&self, message: &mut Message) -> Flow {
        self.pass(message).await
    }
}

/// Adds an extension that sees the messages of one channel, arriving or not.
fn extend(
    client: &BayeuxClient,
    channel: &'static str,
    see: impl Fn(bool, &mut Message) -> Flow + Send + Sync + 'static,
) -> bayeux_client::api::Registration {
    client.add_extension(Arc::new(Sees(move |arrives: bool, message: &mut Message| {
        if message.channel() == channel { see(arrives, message) } else { Flow::Continue }
    })))
}

async fn the_first_added_sees_first_what_arrives_and_last_what_is_sent(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let log = Log::default();
    for name in ["first", "second"] {
        let own = log.clone();
        let see = move |arrives: bool, _: &mut Message| {
            own.add(format!("{name} {}", if arrives { "in" } else { "out" }));
            Flow::Continue
        };
        extend(&client, "/chat", see).keep();
    }
    within("publish", client.channel("/chat").unwrap().publish(json!(1))).await.unwrap();
    assert_eq!(log.entries(), ["second out", "first out", "first in", "second in"]);
}

async fn what_is_stopped_on_its_way_out_is_deleted(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let sent = wire(&client);
    let log = Log::default();
    let chat = client.channel("/chat").unwrap();
    chat.add_listener(Arc::new(log.clone())).keep();
    extend(&client, "/chat", |_, _| Flow::Stop).keep();
    let [first, second] = client
        .batch(|| ["/chat", "/other"].map(|name| client.channel(name).unwrap().publish(json!(1))));
    assert_eq!(within("the first", first).await.unwrap_err(), RequestError::Deleted);
    assert!(within("the second", second).await.unwrap().is_successful());
    log.until("/chat successful=false").await;
    assert!(!sent.entries().join(" ").contains("/chat"));
}

async fn a_subscription_that_is_stopped_is_deleted_and_the_next_asks_again(
    transport: ConnectionType,
) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let extension = extend(&client, "/meta/subscribe", |_, _| Flow::Stop);
    let failed = within("subscribe", chat.subscribe()).await;
    assert_eq!(failed.unwrap_err(), RequestError::Deleted);
    drop(extension);
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    within("message", messages.next()).await.unwrap();
}

async fn a_message_that_is_stopped_on_its_way_in_is_not_heard(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let chat = client.channel("/chat").unwrap();
    let see = |arrives: bool, message: &mut Message| match &message.data {
        Some(data) if arrives && *data == json!("secret") => Flow::Stop,
        Some(_) | None => Flow::Continue,
    };
    extend(&client, "/chat", see).keep();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    for data in ["secret", "open"] {
        within("publish", chat.publish(json!(data))).await.unwrap();
    }
    assert_eq!(within("message", messages.next()).await.unwrap().data.unwrap(), json!("open"));
}

async fn a_reply_that_is_stopped_is_deleted(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let stop = |arrives: bool, _: &mut Message| if arrives { Flow::Stop } else { Flow::Continue };
    let extension = extend(&client, "/chat", stop);
    let chat = client.channel("/chat").unwrap();
    assert_eq!(within("publish", chat.publish(json!(1))).await.unwrap_err(), RequestError::Deleted);
    drop(extension);
    within("publish", chat.publish(json!(1))).await.unwrap();
}

async fn data_and_ext_may_be_changed_and_the_id_may_not(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let see = |arrives: bool, message: &mut Message| {
        let name = if arrives { "in" } else { "out" };
        message.id = Some("other".to_owned());
        if let Some(data) = &mut message.data {
            data.value_mut()[name] = json!(true);
        }
        message.ext_mut().insert(name.to_owned(), json!(1));
        Flow::Continue
    };
    let chat = client.channel("/chat").unwrap();
    let mut messages = within("subscribe", chat.subscribe()).await.unwrap();
    let outgoing =
        extend(
            &client,
            "/chat",
            move |arrives, message| {
                if arrives { Flow::Continue } else { see(false, message) }
            },
        );
    within("publish", chat.publish(json!({}))).await.unwrap();
    let message = within("message", messages.next()).await.unwrap();
    assert_eq!(message.data.unwrap(), json!({ "out": true }));
    drop(outgoing);
    extend(&client, "/chat", move |arrives, message| {
        if arrives && message.data.is_some() { see(true, message) } else { Flow::Continue }
    })
    .keep();
    within("publish", chat.publish(json!({}))).await.unwrap();
    let message = within("message", messages.next()).await.unwrap();
    assert_eq!(message.ext_field("in"), Some(json!(1)));
    assert_eq!(message.data.unwrap(), json!({ "in": true }));
}

async fn an_extension_that_is_removed_sees_nothing_more(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let log = Log::default();
    let own = log.clone();
    let extension = extend(&client, "/chat", move |_, _| {
        own.add("seen");
        Flow::Continue
    });
    let chat = client.channel("/chat").unwrap();
    within("publish", chat.publish(json!(1))).await.unwrap();
    drop(extension);
    within("publish", chat.publish(json!(1))).await.unwrap();
    assert_eq!(log.count("seen"), 2);
}

async fn an_extension_that_panics_deletes_the_message_and_no_more(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    extend(&client, "/chat", |_, _| panic!("an extension's own fault")).keep();
    let chat = client.channel("/chat").unwrap();
    assert_eq!(within("publish", chat.publish(json!(1))).await.unwrap_err(), RequestError::Deleted);
    within("publish", client.channel("/other").unwrap().publish(json!(1))).await.unwrap();
    arrive(&client, State::Connected).await;
}

async fn one_sees_the_requests_that_fail(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let mut config = brisk_client();
    config.max_send_message_size = 1000;
    let client = server.builder(transport).config(config).build().unwrap();
    within("the handshake", client.handshake()).await.unwrap();
    let log = Log::default();
    let own = log.clone();
    let see = move |arrives: bool, message: &mut Message| {
        if arrives && message.extra("failure").is_some() {
            own.add("failed");
        }
        Flow::Continue
    };
    extend(&client, "/chat", see).keep();
    let large = client.channel("/chat").unwrap().publish(json!("x".repeat(2000)));
    within("the failure", large).await.unwrap_err();
    eventually("the extension sees it", || !log.entries().is_empty()).await;
    assert_eq!(log.entries(), ["failed"]);
}

async fn one_that_waits_on_the_way_out_keeps_nobody_from_reading(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let mut news = within("subscribe", client.channel("/news").unwrap().subscribe()).await.unwrap();
    let waits = Waits::on(&client, "/slow");
    let slow = client.channel("/slow").unwrap().publish(json!(1));
    let next = client.channel("/news").unwrap().publish(json!("second"));
    waits.until_one_waits().await;
    let mut publisher = server.connected(tests::Transport::InProcess).await;
    publisher.publish("/news", json!("first")).await;
    assert_eq!(within("the news", news.next()).await.unwrap().data.unwrap(), json!("first"));
    assert!(news.try_next().is_none(), "nothing overtakes");
    waits.gate.add_permits(1000);
    within("the slow one", slow).await.unwrap();
    within("the next", next).await.unwrap();
    assert_eq!(within("the news", news.next()).await.unwrap().data.unwrap(), json!("second"));
}

async fn one_that_waits_on_the_way_in_keeps_nobody_from_sending(transport: ConnectionType) {
    let server = TestServer::start(|_| {}).await;
    let client = server.bayeux_client(transport).await;
    let mut slow = within("subscribe", client.channel("/slow").unwrap().subscribe()).await.unwrap();
    let waits = Waits::on(&client, "/slow");
    let mut other = server.connected(tests::Transport::InProcess).await;
    other.subscribe("/news").await;
    other.publish("/slow", json!(1)).await;
    waits.until_one_waits().await;
    let reply = client.channel("/news").unwrap().publish(json!("news"));
    assert_eq!(other.message_on("/news").await["data"], "news");
    waits.gate.add_permits(1000);
    assert_eq!(within("the message", slow.next()).await.unwrap().data.unwrap(), json!(1));
    within("the reply", reply).await.unwrap();
    arrive(&client, State::Connected).await;
}
