//! With acknowledgements nothing is lost and nothing comes twice, whatever the network does; and a
//! publish is never sent twice.

use std::collections::BTreeMap;

use bayeux_api::{
    Advice,
    ConnectionType::{self, LongPolling, WebSocket},
    Message, Reconnect,
    client::FailureKind,
    implement::ahead,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::scene::{SECOND, Scene, Sent, good, handshaken};

/// The server's end of the extension, as CometD's manual describes it.
#[derive(Default)]
struct Server {
    batch: i64,
    unacknowledged: Vec<(u64, i64)>,
    delivered: u64,
    /// How often each publish arrived.
    published: BTreeMap<u64, u32>,
}

impl Server {
    fn send(&mut self) {
        self.delivered += 1;
        self.unacknowledged.push((self.delivered, self.batch + 1));
    }

    /// Handles a request and returns what answers it: messages and then replies.
    fn handle(&mut self, request: &Sent) -> (Vec<Message>, Vec<Message>) {
        let mut messages = Vec::new();
        let mut replies = Vec::new();
        for message in &request.messages {
            let mut reply = message.reply();
            good(&mut reply);
            if message.is_connect() {
                let got = message.ext_field("ack").and_then(|ack| ack.as_i64()).unwrap_or(0);
                self.unacknowledged.retain(|(_, batch)| *batch > got);
                self.batch += 1;
                let due = self.unacknowledged.iter().filter(|(_, batch)| *batch <= self.batch);
                messages.extend(due.map(|(n, _)| Message::with_data("/n", json!(n))));
                reply.ext_mut().insert("ack".to_owned(), json!(self.batch));
            } else {
                let n = message.data.as_ref().and_then(|data| data.value().as_u64()).unwrap();
                *self.published.entry(n).or_default() += 1;
            }
            replies.push(reply);
        }
        (messages, replies)
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// The server has a message for the client.
    Deliver,
    /// The client publishes.
    Publish,
    /// The oldest, or the newest, request that is on its way is answered well.
    Answer(bool),
    /// It is lost on its way to the server.
    LoseRequest,
    /// The connection breaks after so many parts of the answer.
    LoseAnswer(usize),
    /// Time passes, in tenths of a second.
    Pass(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => Just(Event::Deliver),
        2 => Just(Event::Publish),
        4 => any::<bool>().prop_map(Event::Answer),
        1 => Just(Event::LoseRequest),
        2 => (0..6_usize).prop_map(Event::LoseAnswer),
        1 => (1..400_u32).prop_map(Event::Pass),
    ];
    proptest::collection::vec(event, 1..120)
}

fn play(transport: ConnectionType, events: &[Event]) {
    let mut scene = Scene::new(&[transport], |config| config.acknowledgements = true);
    scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
    assert_eq!(scene.sent[0].messages[0].ext_field("ack"), Some(Value::Bool(true)));
    scene.answer(|reply| {
        handshaken(reply);
        reply.ext_mut().insert("ack".to_owned(), Value::Bool(true));
    });
    scene.resolved.clear();
    let mut server = Server::default();
    let mut published = 0;
    for event in events {
        match event {
            Event::Deliver => server.send(),
            Event::Publish => {
                published += 1;
                let message = Message::with_data("/p", json!(published));
                scene.input(|machine, now| machine.publish(message, published, now));
            }
            Event::Answer(newest) => {
                if *newest && !scene.sent.is_empty() {
                    scene.sent.rotate_right(1);
                }
                answer(&mut scene, &mut server, usize::MAX);
            }
            Event::LoseRequest => {
                if !scene.sent.is_empty() {
                    scene.fail(FailureKind::Closed, None);
                }
            }
            Event::LoseAnswer(parts) => answer(&mut scene, &mut server, *parts),
            Event::Pass(tenths) => scene.pass(SECOND * *tenths / 10),
        }
        prop_check(&scene, &server);
    }
    // The network has become good: everything arrives.
    for _ in 0..20 {
        scene.pass(SECOND);
        for _ in 0..scene.sent.len() {
            answer(&mut scene, &mut server, usize::MAX);
        }
    }
    assert_eq!(numbers(&scene), (1..=server.delivered).collect::<Vec<_>>());
    for waiter in 1..=published {
        let arrived = server.published.get(&u64::from(waiter)).copied().unwrap_or(0);
        match scene.outcome(waiter) {
            Ok(_) => assert_eq!(arrived, 1, "publish {waiter}"),
            Err(_) => assert!(arrived <= 1, "publish {waiter} was sent twice"),
        }
    }
}

/// What has come so far came in order and once.
fn prop_check(scene: &Scene, server: &Server) {
    let numbers = numbers(scene);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(server.published.values().all(|times| *times == 1));
}

fn numbers(scene: &Scene) -> Vec<u64> {
    let messages = scene.notified.iter().filter(|message| message.channel() == "/n");
    messages.filter_map(|message| message.data.as_ref()?.value().as_u64()).collect()
}

/// Answers the oldest request. Over a WebSocket each message is a part of the answer, and the replies
/// are the last; over HTTP a part of an answer is none.
fn answer(scene: &mut Scene, server: &mut Server, parts: usize) {
    let Some(sent) = scene.sent.pop_front() else { return };
    let (messages, replies) = server.handle(&sent);
    let is_cut = parts <= messages.len();
    let transport = sent.transport;
    if transport == WebSocket {
        let all = messages.len();
        for message in messages.into_iter().take(parts.min(all)) {
            scene.input(|machine, now| machine.received(vec![message], transport, now));
        }
        if !is_cut {
            scene.input(|machine, now| machine.received(replies, transport, now));
            return;
        }
    } else if !is_cut {
        let body = messages.into_iter().chain(replies).collect();
        scene.input(|machine, now| machine.received(body, transport, now));
        scene.input(|machine, now| machine.exchange_ended(sent.exchange, Ok(()), now));
        return;
    }
    scene.sent.push_front(sent);
    scene.fail(FailureKind::Closed, None);
}

/// Lets messages of `size` bytes arrive ahead of the reply that numbers them, and then that.
fn many_before_their_reply(count: u64, size: usize) -> (Scene, usize) {
    let mut scene = Scene::new(&[WebSocket], |config| config.acknowledgements = true);
    scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
    scene.answer(|reply| {
        handshaken(reply);
        reply.ext_mut().insert("ack".to_owned(), Value::Bool(true));
    });
    scene.answer(good);
    scene.notified.clear();
    let mut most = 0;
    for number in 1..=count {
        let mut message = Message::with_data("/n", json!(number));
        message.ext = Some(json!({ "padding": "x".repeat(size) }).into());
        scene.arrive(message);
        most = most.max(number as usize - scene.notified.len());
    }
    scene.answer(|reply| {
        good(reply);
        reply.ext_mut().insert("ack".to_owned(), json!(7));
    });
    (scene, most)
}

#[test]
fn any_number_of_messages_ahead_of_their_reply_come_in_order_and_once() {
    let count = 100_003;
    let (scene, _) = many_before_their_reply(count, 0);
    assert_eq!(numbers(&scene), (1..=count).collect::<Vec<_>>());
    assert_eq!(scene.sent[0].messages[0].ext_field("ack"), Some(json!(7)));
}

/// As encoders write it who know no whole numbers.
#[test]
fn a_batch_has_its_number_however_that_is_written() {
    for number in ["7", "7.0", "7e0"] {
        let number: Value = serde_json::from_str(number).unwrap();
        let mut scene = Scene::new(&[WebSocket], |config| config.acknowledgements = true);
        scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
        scene.answer(|reply| {
            handshaken(reply);
            reply.ext_mut().insert("ack".to_owned(), json!({ "enabled": true, "batch": number }));
        });
        assert_eq!(scene.sent[0].messages[0].ext_field("ack"), Some(json!(7)));
        scene.answer(|reply| {
            good(reply);
            reply.ext_mut().insert("ack".to_owned(), json!(8.0));
        });
        assert_eq!(scene.sent[0].messages[0].ext_field("ack"), Some(json!(8)));
    }
}

#[test]
fn what_is_held_for_its_reply_is_bounded_in_bytes() {
    let (count, size) = (40, 1024 * 1024);
    let (scene, most) = many_before_their_reply(count, size);
    assert!((4..=16).contains(&most), "{most} MiB were held");
    assert_eq!(numbers(&scene), (1..=count).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn over_a_websocket_nothing_is_lost_or_doubled(events in events()) {
        play(WebSocket, &events);
    }

    #[test]
    fn over_long_polling_nothing_is_lost_or_doubled(events in events()) {
        play(LongPolling, &events);
    }
}

/// Two thousand schedules each, or as many as `PROPTEST_CASES` says.
pub(super) fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2000)
}

#[test]
fn what_the_last_reply_of_a_server_brings_is_heard() {
    let mut scene = Scene::new(&[WebSocket], |config| config.acknowledgements = true);
    scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
    scene.answer(|reply| {
        handshaken(reply);
        reply.ext_mut().insert("ack".to_owned(), Value::Bool(true));
    });
    scene.answer(good);
    scene.arrive(Message::with_data("/n", json!(1)));
    scene.answer(|reply| {
        reply.successful = Some(false);
        reply.ext_mut().insert("ack".to_owned(), json!(1));
        reply.advice = Some(Advice::handshake());
    });
    assert_eq!(numbers(&scene), [1]);
}

/// A client whose server numbers what it sends ahead of replies.
fn ahead_over(transports: &[ConnectionType]) -> Scene {
    let mut scene = Scene::new(transports, |config| {
        (config.acknowledgements, config.acknowledgements_ahead) = (true, true);
    });
    scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
    assert_eq!(scene.sent[0].messages[0].ext_field(ahead::EXT), Some(json!(true)));
    scene.answer(|reply| {
        handshaken(reply);
        reply.ext_mut().insert("ack".to_owned(), json!(true));
        reply.ext_mut().insert(ahead::EXT.to_owned(), json!(true));
    });
    scene
}

fn number(batch: u64) -> Message {
    let mut message = Message::new(ahead::CHANNEL);
    message.ext_mut().insert("ack".to_owned(), json!(batch));
    message
}

/// What the connect on its way acknowledges, and whether it says that what came after may be lost.
fn acknowledged(scene: &Scene) -> (u64, bool) {
    let connect = &scene.sent[0].messages[0];
    assert!(connect.is_connect());
    let batch = connect.ext_field("ack").and_then(|ack| ack.as_u64()).unwrap();
    (batch, connect.ext_field(ahead::EXT) == Some(json!(true)))
}

#[test]
fn what_is_numbered_ahead_is_heard_at_once_and_its_number_acknowledged() {
    let mut scene = ahead_over(&[WebSocket]);
    assert_eq!(acknowledged(&scene), (0, true));
    scene.answer(good);
    assert_eq!(acknowledged(&scene), (0, false));
    for n in 1..=2 {
        scene.arrive(Message::with_data("/n", json!(n)));
    }
    assert!(numbers(&scene).is_empty());
    scene.arrive(number(4));
    assert_eq!(numbers(&scene), [1, 2]);
    scene.answer(good);
    assert_eq!(acknowledged(&scene), (4, false));
}

#[test]
fn what_is_not_numbered_when_the_connection_breaks_comes_again() {
    let mut scene = ahead_over(&[WebSocket]);
    scene.answer(good);
    scene.arrive(Message::with_data("/n", json!(1)));
    scene.arrive(number(4));
    scene.arrive(Message::with_data("/n", json!(2)));
    scene.fail(FailureKind::Closed, None);
    scene.pass(SECOND);
    assert_eq!(acknowledged(&scene), (4, true));
    scene.arrive(Message::with_data("/n", json!(2)));
    scene.arrive(number(5));
    assert_eq!(numbers(&scene), [1, 2]);
    scene.answer(good);
    assert_eq!(acknowledged(&scene), (5, false));
}

#[test]
fn a_connect_that_is_refused_does_not_ask_for_what_is_on_its_way() {
    let refuse = |reply: &mut Message| {
        reply.successful = Some(false);
        reply.advice_mut().reconnect = Some(Reconnect::Retry);
    };
    let mut scene = ahead_over(&[WebSocket]);
    for _ in 0..2 {
        assert_eq!(acknowledged(&scene), (0, true));
        scene.answer(refuse);
        scene.pass(SECOND);
    }
    scene.answer(good);
    scene.arrive(Message::with_data("/n", json!(1)));
    scene.answer(refuse);
    scene.pass(SECOND);
    assert_eq!(acknowledged(&scene), (0, false));
    scene.arrive(number(4));
    assert_eq!(numbers(&scene), [1]);
}

#[test]
fn each_request_says_that_what_came_after_the_number_may_be_lost() {
    let mut scene = ahead_over(&[LongPolling]);
    for _ in 0..3 {
        assert_eq!(acknowledged(&scene), (0, true));
        scene.answer(good);
    }
}
