//! Fan-out: what is published together reaches whoever takes it, and holds nobody up.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bayeux_server::{
    Config, Request,
    api::{Flow, Message, server::Overflow},
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tests::{
    Client, TestServer, Transport, every_transport, hooks::on_message, over_every_transport,
    over_http, over_transports,
};
use tokio::runtime::Handle;

use crate::aborted::Gate;

over_every_transport!(
    a_batch_larger_than_a_queue_reaches_a_websocket,
    a_batch_larger_than_a_queue_reaches_whoever_is_told_in_time,
    what_server_code_publishes_reaches_everybody_though_that_code_is_dropped,
);

over_http!(what_server_code_delivers_to_a_full_queue_waits_though_that_code_is_dropped);

over_transports!([websocket: WebSocket, websocket_over_http2: WebSocketOverHttp2]
    a_service_may_answer_more_often_than_a_queue_holds,
    nothing_is_dropped_for_a_reader,
    small_publications_of_many_clients_reach_a_reader
);

fn bounded(config: &mut Config) {
    every_transport(config, |transport| transport.max_queue = 10);
}

async fn subscriber(server: &TestServer, transport: Transport) -> Client {
    let mut subscriber = server.connected(transport).await;
    subscriber.subscribe("/a").await;
    subscriber.hold().await;
    subscriber
}

/// Publishes so many messages in one request or frame.
async fn publish_together(publisher: &mut Client, count: usize) {
    let messages: Vec<_> =
        (0..count).map(|data| publisher.message("/a", &json!({ "data": data }))).collect();
    let replies = publisher.batch(&messages).await;
    assert!(replies.iter().all(|reply| reply["successful"] == true));
}

/// Waits for messages that are numbered, each once and in order.
async fn receives(subscriber: &mut Client, count: usize) {
    for data in 0..count {
        assert_eq!(subscriber.message_on("/a").await["data"], data);
    }
}

async fn a_batch_larger_than_a_queue_reaches_a_websocket(transport: Transport) {
    let server = TestServer::start(bounded).await;
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        subscribers.push(subscriber(&server, Transport::WebSocket).await);
    }
    let mut publisher = server.connected(transport).await;
    publish_together(&mut publisher, 11).await;
    publish_together(&mut publisher, 25).await;
    for subscriber in &mut subscribers {
        receives(subscriber, 11).await;
        receives(subscriber, 25).await;
    }
    assert_eq!(server.server.statistics().messages_dropped, 0);
}

async fn a_service_may_answer_more_often_than_a_queue_holds(transport: Transport) {
    let server = TestServer::start(bounded).await;
    let mut service = server.server.new_service("many").await.unwrap();
    let answer = async |request: Request| {
        for data in 0..25 {
            let message = Message::with_data("/a", json!(data));
            assert!(request.sender.deliver(None, message).await, "{data}");
        }
        None
    };
    service.on_message("/service/ask", answer).unwrap();
    let mut asker = server.connected(transport).await;
    asker.publish("/service/ask", json!("many")).await;
    receives(&mut asker, 25).await;
}

/// Those who are woken, and come for it: a second connect needs the client, so that a poll gets no more
/// than what its queue holds and one message.
async fn a_batch_larger_than_a_queue_reaches_whoever_is_told_in_time(transport: Transport) {
    let server = TestServer::start(bounded).await;
    let mut subscriber = subscriber(&server, transport).await;
    let mut publisher = server.connected(Transport::WebSocket).await;
    publish_together(&mut publisher, 11).await;
    receives(&mut subscriber, 11).await;
    assert_eq!(server.server.statistics().sessions_overflowed, 0);
}

/// So it is when the handler of a web request publishes, and its client goes.
async fn what_server_code_publishes_reaches_everybody_though_that_code_is_dropped(
    transport: Transport,
) {
    let server = TestServer::start(|_| {}).await;
    let gate = Arc::new(Gate::default());
    let (mut first, mut second) =
        (subscriber(&server, transport).await, subscriber(&server, transport).await);
    server.session(&first).add_listener(gate.clone()).keep();
    let channel = server.server.channel("/a").unwrap();
    let publishing = channel.publish(Message::with_data("/a", json!(1)));
    assert!(publishing.now_or_never().is_none());
    gate.open.notify_one();
    assert_eq!(second.message_on("/a").await["data"], 1);
    assert_eq!(first.message_on("/a").await["data"], 1);
}

async fn what_server_code_delivers_to_a_full_queue_waits_though_that_code_is_dropped(
    transport: Transport,
) {
    let server = TestServer::start(|config| {
        every_transport(config, |transport| transport.max_queue = 1);
    })
    .await;
    let mut client = subscriber(&server, transport).await;
    let session = server.session(&client);
    let deliver = |data| session.deliver(Message::with_data("/a", json!(data)));
    assert_eq!(deliver(1).now_or_never(), Some(true));
    // The held connect is about to make place.
    assert_eq!(deliver(2).now_or_never(), None);
    assert_eq!(client.message_on("/a").await["data"], 1);
    assert_eq!(client.message_on("/a").await["data"], 2);
}

async fn nothing_is_dropped_for_a_reader(transport: Transport) {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::KeepLast] {
        let server = TestServer::start(|config| {
            bounded(config);
            config.websocket.queue_overflow = overflow;
        })
        .await;
        let mut subscriber = subscriber(&server, transport).await;
        let mut publisher = server.connected(transport).await;
        publish_together(&mut publisher, 11).await;
        receives(&mut subscriber, 11).await;
    }
}

async fn small_publications_of_many_clients_reach_a_reader(transport: Transport) {
    let server = TestServer::start(bounded).await;
    let mut subscriber = subscriber(&server, transport).await;
    let mut publishers = Vec::new();
    for _ in 0..10 {
        publishers.push(server.connected(transport).await);
    }
    for publisher in &mut publishers {
        for data in 0..5 {
            let message = publisher.message("/a", &json!({ "data": data }));
            publisher.send(&[message]);
        }
    }
    for _ in 0..50 {
        subscriber.message_on("/a").await;
    }
}

#[tokio::test]
async fn server_code_may_publish_without_a_pause() {
    let server = TestServer::start(bounded).await;
    let mut subscriber = subscriber(&server, Transport::WebSocket).await;
    let channel = server.server.channel("/a").unwrap();
    for data in 0..101 {
        let published = channel.publish(json!(data)).await;
        assert_eq!(published.unwrap().sessions, 1);
    }
    receives(&mut subscriber, 101).await;
}

/// Ten thousand publications to 40 sessions are 400,000 deliveries, for which nothing may grow: a queue
/// that can be written to never holds much, whatever its bound is. And others get their turn meanwhile.
#[tokio::test]
async fn a_large_batch_fills_no_queue_and_holds_nobody_up() {
    const MESSAGES: usize = 10_000;
    let server = TestServer::start(|config| {
        config.websocket.max_queue = usize::MAX;
        config.websocket.max_queue_bytes = usize::MAX;
    })
    .await;
    let mut subscribers = Vec::new();
    for _ in 0..40 {
        subscribers.push(subscriber(&server, Transport::WebSocket).await);
    }
    let sessions: Vec<_> = subscribers.iter().map(|one| server.session(one)).collect();
    let (most, count) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (seen, counted) = (most.clone(), count.clone());
    let depth = move |session: &Arc<bayeux_server::Session>| session.queue_depth().messages;
    let see = on_message(move |_, _| {
        counted.fetch_add(1, Relaxed);
        seen.fetch_max(sessions.iter().map(depth).max().unwrap_or_default(), Relaxed);
        Flow::Continue
    });
    server.server.channel("/a").unwrap().add_listener(see).keep();
    let mut bystander = server.connected(Transport::WebSocket).await;
    let mut publisher = server.connected(Transport::WebSocket).await;
    let publish = json!({ "channel": "/a", "clientId": publisher.id(), "data": "x" });
    publisher.send_text(json!(vec![publish; MESSAGES]).to_string());
    let mut served = 0;
    while count.load(Relaxed) < MESSAGES {
        bystander.publish("/b", json!(1)).await;
        served += 1;
    }
    assert!(served >= 3, "the bystander was served {served} times");
    for subscriber in &mut subscribers {
        let mut received = 0;
        while received < MESSAGES {
            received += subscriber.messages().await.iter().filter(is_data).count();
        }
    }
    let most = most.load(Relaxed);
    assert!(most <= 100, "{most} messages were in one queue");
}

fn is_data(message: &&Value) -> bool {
    message.get("data").is_some()
}

/// How a hook sends something.
#[derive(Clone, Copy, Debug)]
enum Way {
    Delivers,
    Publishes,
    PublishesLocally,
}

/// A hook that asks another client and blocks its thread until that answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hook_sends_leaves_before_it_waits_however_it_waits() {
    for way in [Way::Delivers, Way::Publishes, Way::PublishesLocally] {
        let server = TestServer::start(|_| {}).await;
        let local = server.server.new_local_session("asks");
        local.handshake(Message::default()).await.unwrap();
        let mut other = subscriber(&server, Transport::WebSocket).await;
        let (session, questions) = (server.session(&other), server.server.channel("/a").unwrap());
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        let answered = Mutex::new(answered);
        let ask = on_message(move |_, _| {
            tokio::task::block_in_place(|| {
                let question = Message::with_data("/a", json!("?"));
                Handle::current().block_on(async {
                    match way {
                        Way::Delivers => assert!(session.deliver(question).await),
                        Way::Publishes => {
                            let asked = questions.publish(question).await;
                            assert_eq!(asked.unwrap().sessions, 1);
                        }
                        Way::PublishesLocally => {
                            let channel = local.channel("/a").unwrap();
                            channel.publish(question).await.unwrap();
                        }
                    }
                });
                match answered.lock().unwrap().recv_timeout(tests::DEADLINE / 2) {
                    Ok(()) => Flow::Continue,
                    Err(_) => Flow::Stop,
                }
            })
        });
        let channel = server.server.create_channel_if_absent("/asks").unwrap().channel();
        channel.add_listener(ask).keep();
        let mut asker = server.connected(Transport::WebSocket).await;
        let ask = asker.message("/asks", &json!({ "data": 1 }));
        let id = ask["id"].as_str().unwrap().to_owned();
        asker.send(&[ask]);
        assert_eq!(other.message_on("/a").await["data"], "?");
        // Nobody listens any more if the question came when the hook had given up.
        let _ = answer.send(());
        assert_eq!(asker.reply_to(&id).await["successful"], true);
    }
}
