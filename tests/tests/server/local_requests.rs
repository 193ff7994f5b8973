//! What a local session asks of its server: together with others, in batches, from its own listeners.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_server::{
    Request, Server,
    api::{
        Flow, Message,
        client::{ClientSessionChannel, MessageListener, RequestError},
        meta,
        server::{
            BayeuxServer, LocalSession, SecurityPolicy, ServerChannel, ServerChannelListener,
            ServerMessage, ServerSession,
        },
    },
};
use serde_json::json;
use tests::{hooks::Log, within};
use tokio::sync::Semaphore;

async fn handshaken(server: &Server) -> Arc<dyn LocalSession> {
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    local
}

/// Lets everybody handshake, and says of a subscription, when it is let go, what it is told to say.
#[derive(Debug)]
struct Gated {
    gate: Arc<Semaphore>,
    grants: bool,
}

#[async_trait]
impl SecurityPolicy for Gated {
    async fn can_handshake(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _message: &mut ServerMessage,
    ) -> bool {
        true
    }

    async fn can_create(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &bayeux_server::api::ChannelId,
        _message: &mut ServerMessage,
    ) -> bool {
        true
    }

    async fn can_subscribe(
        &self,
        _server: &dyn BayeuxServer,
        _session: &Arc<dyn ServerSession>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> bool {
        self.gate.acquire().await.unwrap().forget();
        self.grants
    }
}

async fn two_at_once(grants: bool) -> (usize, [Result<(), RequestError>; 2]) {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::builder().policy(Gated { gate: gate.clone(), grants }).build();
    let log = Log::default();
    server.add_subscription_listener(Arc::new(log.clone())).keep();
    let local = handshaken(&server).await;
    let channel = local.channel("/a").unwrap();
    let subscribe = || channel.subscribe(Arc::new(Log::default()));
    let opens = async { gate.add_permits(1) };
    let (one, other, ()) =
        within("both to have an answer", async { tokio::join!(subscribe(), subscribe(), opens) })
            .await;
    (log.entries().len(), [one.map(drop), other.map(drop)])
}

#[tokio::test]
async fn subscribers_that_come_at_once_are_refused_alike() {
    let (_, results) = two_at_once(false).await;
    for result in results {
        assert!(matches!(result, Err(RequestError::Refused(_))), "{result:?}");
    }
}

#[tokio::test]
async fn subscribers_that_come_at_once_ask_once() {
    assert_eq!(two_at_once(true).await, (1, [Ok(()), Ok(())]));
}

#[tokio::test]
async fn a_subscriber_that_gives_up_does_not_take_the_others_along() {
    let gate = Arc::new(Semaphore::new(0));
    let server = Server::builder().policy(Gated { gate: gate.clone(), grants: true }).build();
    let local = handshaken(&server).await;
    let channel = local.channel("/a").unwrap();
    let mut first = channel.subscribe(Arc::new(Log::default()));
    assert!(futures_util::poll!(first.as_mut()).is_pending());
    let log = Log::default();
    let mut second = channel.subscribe(Arc::new(log.clone()));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    gate.add_permits(1);
    let _subscription = within("the second to be subscribed", second).await.unwrap();
    server.channel("/a").unwrap().publish(data(1)).await.unwrap();
    log.until("/a 1").await;
}

fn data(number: u32) -> Message {
    Message::with_data("", json!(number))
}

/// Lets no connect through.
#[derive(Debug)]
struct NoConnect;

#[async_trait]
impl ServerChannelListener for NoConnect {
    async fn on_message(
        &self,
        _from: Option<&Arc<dyn ServerSession>>,
        _channel: &Arc<dyn ServerChannel>,
        _message: &mut ServerMessage,
    ) -> Flow {
        Flow::Stop
    }
}

#[tokio::test]
async fn a_refused_first_connect_does_not_undo_the_handshake() {
    let server = Server::new();
    server.channel(meta::CONNECT).unwrap().add_listener(Arc::new(NoConnect)).keep();
    let local = server.new_local_session("local");
    assert!(local.handshake(Message::default()).await.unwrap().is_successful());
    assert!(local.is_handshook() && !local.is_connected());
    let log = Log::default();
    let channel = local.channel("/a").unwrap();
    let _subscription = channel.subscribe(Arc::new(log.clone())).await.unwrap();
    channel.publish(data(1)).await.unwrap();
    log.until("/a 1").await;
}

#[tokio::test]
async fn a_batch_holds_back_what_is_sent() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let log = Log::default();
    server
        .create_channel_if_absent("/a")
        .unwrap()
        .channel()
        .add_listener(Arc::new(log.clone()))
        .keep();
    let (outer, inner) = (local.start_batch(), local.start_batch());
    let channel = local.channel("/a").unwrap();
    let (mut one, mut other) = (channel.publish(data(1)), channel.publish(data(2)));
    assert!(futures_util::poll!(one.as_mut()).is_pending());
    assert!(futures_util::poll!(other.as_mut()).is_pending());
    inner.end();
    tokio::task::yield_now().await;
    assert!(log.entries().is_empty());
    outer.end();
    // Nobody has to wait for the first.
    let reply = within("the second to be answered", other).await.unwrap();
    let first = within("the first to be answered", one).await.unwrap();
    let number = |reply: &Message| reply.id.as_deref().unwrap().parse::<u64>().unwrap();
    assert_eq!(number(&reply), number(&first) + 1);
}

#[tokio::test]
async fn a_batch_may_be_started_before_the_handshake_and_ends_with_a_panic() {
    let server = Server::new();
    let local = server.new_local_session("local");
    let batched = local.clone();
    let work = tokio::spawn(async move {
        let _batch = batched.start_batch();
        batched.handshake(Message::default()).await.unwrap();
        assert!(!batched.is_handshook(), "the application fails");
    });
    assert!(work.await.unwrap_err().is_panic());
    let channel = local.channel("/a").unwrap();
    within("the reply", channel.publish(data(1))).await.unwrap();
}

#[tokio::test]
async fn what_a_batch_holds_back_is_sent_before_the_disconnect() {
    let server = Server::new();
    let local = handshaken(&server).await;
    let log = Log::default();
    let channel = server.create_channel_if_absent("/a").unwrap().channel();
    channel.add_listener(Arc::new(log.clone())).keep();
    let batch = local.start_batch();
    let own = local.channel("/a").unwrap();
    let mut published = own.publish(data(1));
    assert!(futures_util::poll!(published.as_mut()).is_pending());
    local.disconnect().await.unwrap();
    batch.end();
    within("the reply", published).await.unwrap();
    assert_eq!(log.entries(), ["/a hears /a"]);
}

/// Calls `echo` for what it gets, and writes down the answer.
struct Calls {
    local: std::sync::Weak<dyn LocalSession>,
    log: Log,
}

#[async_trait]
impl MessageListener for Calls {
    async fn on_message(&self, _channel: &dyn ClientSessionChannel, message: &Message) {
        let local = self.local.upgrade().unwrap();
        let answer = local.remote_call("echo", message.data.clone().unwrap()).await;
        self.log.add(format!(
            "{:?}",
            answer.map(|answer| answer.data.map(|data| data.text().into_owned()))
        ));
    }
}

#[tokio::test]
async fn a_listener_may_wait_for_a_call_of_its_own_session() {
    let server = Server::new();
    let mut service = server.new_service("echo").await.unwrap();
    let echo = async |request: Request| request.message.data.ok_or_else(|| json!("nothing").into());
    service.remote_call("echo", echo).unwrap();
    let local = handshaken(&server).await;
    let log = Log::default();
    let calls = Calls { local: Arc::downgrade(&local), log: log.clone() };
    let _subscription = local.channel("/a").unwrap().subscribe(Arc::new(calls)).await.unwrap();
    let channel = server.channel("/a").unwrap();
    for number in 0..5 {
        channel.publish(data(number)).await.unwrap();
    }
    log.until("Ok(Some(\"4\"))").await;
    assert_eq!(log.entries().len(), 5);
}
