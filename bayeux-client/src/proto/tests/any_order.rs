//! Whatever the application asks for, whatever comes of it and in whatever order: everybody is answered, once,
//! and nothing is left of a session that is over.

use std::collections::BTreeMap;

use bayeux_api::{
    Advice,
    ConnectionType::{self, LongPolling, WebSocket},
    Message, Reconnect,
    client::{FailureKind, TransportFailure},
};
use proptest::prelude::*;
use serde_json::json;

use super::scene::{SECOND, Scene, Sent, good, handshaken, unknown};
use crate::State;

#[derive(Clone, Copy, Debug)]
enum Event {
    Handshake,
    Disconnect,
    Abort,
    Subscribe(usize),
    Leave,
    Release(usize),
    Publish,
    Call,
    StartBatch,
    EndBatch,
    /// One that is on its way is answered.
    Answer(usize, Answer),
    /// One fails.
    Fail(usize, FailureKind, Option<u16>),
    Arrive(bool),
    /// An extension deletes a request, or it may not be sent.
    Delete(usize),
    TooLarge(usize),
    Read(bool),
    Pass(u32),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Good,
    Unknown,
    Refused,
    /// An answer with nothing in it.
    Nothing,
    Advises(Reconnect),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let answer = prop_oneof![
        8 => Just(Answer::Good),
        2 => Just(Answer::Unknown),
        1 => Just(Answer::Refused),
        1 => Just(Answer::Nothing),
        1 => Just(Answer::Advises(Reconnect::Handshake)),
        1 => Just(Answer::Advises(Reconnect::Retry)),
        1 => Just(Answer::Advises(Reconnect::None)),
    ];
    let failure = prop_oneof![
        Just((FailureKind::Closed, None)),
        Just((FailureKind::Closed, Some(1009))),
        Just((FailureKind::Unreachable, None)),
        Just((FailureKind::TooLarge, None)),
        Just((FailureKind::Status, Some(413))),
        Just((FailureKind::Status, Some(503))),
        Just((FailureKind::Untrusted, None)),
    ];
    let event = prop_oneof![
        2 => Just(Event::Handshake),
        1 => Just(Event::Disconnect),
        1 => prop_oneof![4 => Just(Event::Pass(1)), 1 => Just(Event::Abort)],
        4 => (0..3_usize).prop_map(Event::Subscribe),
        2 => Just(Event::Leave),
        1 => (0..3_usize).prop_map(Event::Release),
        2 => Just(Event::Publish),
        2 => Just(Event::Call),
        1 => Just(Event::StartBatch),
        2 => Just(Event::EndBatch),
        14 => (0..4_usize, answer).prop_map(|(nth, answer)| Event::Answer(nth, answer)),
        2 => (0..4_usize, failure).prop_map(|(nth, (kind, code))| Event::Fail(nth, kind, code)),
        1 => any::<bool>().prop_map(Event::Arrive),
        1 => (0..4_usize).prop_map(Event::Delete),
        1 => (0..4_usize).prop_map(Event::TooLarge),
        1 => any::<bool>().prop_map(Event::Read),
        3 => (1..200_u32).prop_map(Event::Pass),
    ];
    proptest::collection::vec(event, 1..150)
}

const CHANNELS: [&str; 3] = ["/a", "/b", "/c"];

struct Play {
    scene: Scene,
    last: u32,
    members: BTreeMap<u32, &'static str>,
    batches: u32,
}

impl Play {
    fn new(transports: &[ConnectionType], acknowledges: bool, keeps: bool) -> Self {
        let scene = Scene::new(transports, |config| {
            config.acknowledgements = acknowledges;
            config.keep_subscriptions = keeps;
            config.max_attempts = Some(5);
        });
        Self { scene, last: 0, members: BTreeMap::new(), batches: 0 }
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Handshake => {
                let waiter = self.next();
                self.scene.input(|machine, now| machine.handshake(Message::default(), waiter, now));
            }
            Event::Disconnect => {
                let waiter = self.next();
                self.scene.input(|machine, now| machine.disconnect(waiter, now));
            }
            Event::Abort => self.scene.input(|machine, now| machine.abort("a test", now)),
            Event::Subscribe(nth) => {
                let (waiter, channel) = (self.next(), CHANNELS[nth]);
                let member = u64::from(waiter);
                self.members.insert(waiter, channel);
                self.scene.input(|machine, now| machine.subscribe(channel, member, waiter, now));
            }
            Event::Leave => {
                let waiter = self.next();
                let Some((member, channel)) = self.members.pop_first() else {
                    return self.last -= 1;
                };
                let member = u64::from(member);
                self.scene.input(|machine, now| {
                    machine.unsubscribe(channel, member, Some(waiter), now);
                });
            }
            Event::Release(nth) => {
                let waiter = self.next();
                self.scene.input(|machine, now| {
                    machine.unsubscribe_all(CHANNELS[nth], waiter, now);
                });
            }
            Event::Publish => {
                let waiter = self.next();
                let message = Message::with_data("/a", json!("x".repeat(300)));
                self.scene.input(|machine, now| machine.publish(message, waiter, now));
            }
            Event::Call => {
                let waiter = self.next();
                let message = Message::with_data("/service/a", json!(1));
                self.scene.input(|machine, now| machine.remote_call(message, waiter, now));
            }
            Event::StartBatch => {
                self.batches += 1;
                self.scene.input(|machine, _| machine.start_batch());
            }
            Event::EndBatch => {
                if self.batches > 0 {
                    self.batches -= 1;
                    self.scene.input(|machine, now| machine.end_batch(now));
                }
            }
            Event::Answer(nth, answer) => {
                if self.bring_forward(nth) {
                    self.answer(answer);
                }
            }
            Event::Fail(nth, kind, code) => {
                if self.bring_forward(nth) {
                    self.fail(kind, code);
                }
            }
            Event::Arrive(is_last) => {
                let mut message = Message::with_data("/a", json!(1));
                if is_last {
                    message = Message::new("/meta/disconnect");
                    message.successful = Some(self.last.is_multiple_of(2));
                }
                self.scene.arrive(message);
            }
            Event::Delete(nth) => {
                if let Some(id) = self.nth(nth) {
                    self.scene.input(|machine, now| machine.deleted(&id, now));
                }
            }
            Event::TooLarge(nth) => {
                if let Some(id) = self.nth(nth) {
                    self.scene.input(|machine, now| machine.too_large(&id, 100, now));
                }
            }
            Event::Read(reads) => self.scene.input(|machine, now| match reads {
                true => machine.go_on_reading(now),
                false => machine.stop_reading(now),
            }),
            Event::Pass(tenths) => self.scene.pass(tenths * SECOND / 10),
        }
        assert!(self.scene.sent.len() < 1000, "there is no end of it");
        let machine = &self.scene.machine;
        let of_kind = |kind| machine.exchanges.values().filter(|one| one.kind == kind).count();
        assert!(of_kind(crate::proto::Kind::Connect) <= 1);
        assert!(of_kind(crate::proto::Kind::Handshake) <= 1);
    }

    fn bring_forward(&mut self, nth: usize) -> bool {
        let count = self.scene.sent.len();
        if count > 0 {
            let sent = self.scene.sent.remove(nth % count).unwrap();
            self.scene.sent.push_front(sent);
        }
        count > 0
    }

    fn nth(&self, nth: usize) -> Option<String> {
        let count = self.scene.sent.len();
        (count > 0).then(|| self.scene.sent[nth % count].messages[0].id.clone().unwrap())
    }

    fn answer(&mut self, answer: Answer) {
        let answer_one = |reply: &mut Message| match answer {
            _ if reply.is_handshake() && !matches!(answer, Answer::Refused) => handshaken(reply),
            Answer::Good | Answer::Nothing => good(reply),
            Answer::Unknown => unknown(reply),
            Answer::Refused => {
                reply.successful = Some(false);
                reply.error = Some("403::no".to_owned());
            }
            Answer::Advises(reconnect) => {
                good(reply);
                let mut advice = Advice::default();
                advice.reconnect = Some(reconnect);
                reply.advice = Some(advice);
            }
        };
        if matches!(answer, Answer::Nothing) {
            let Sent { exchange, transport, .. } = self.scene.sent.pop_front().unwrap();
            if transport != WebSocket {
                self.scene.input(|machine, now| machine.exchange_ended(exchange, Ok(()), now));
            }
            return;
        }
        self.scene.answer(answer_one);
    }

    fn fail(&mut self, kind: FailureKind, code: Option<u16>) {
        let transport = self.scene.sent[0].transport;
        if transport != WebSocket {
            return self.scene.fail(kind, code);
        }
        let mut failure = TransportFailure::new(transport, kind, "broken");
        (failure.http_code, failure.websocket_code) = (code, code);
        self.scene.sent.retain(|sent| sent.transport != WebSocket);
        self.scene.input(|machine, now| machine.connection_failed(transport, &failure, now));
    }

    /// The application ends what it began, and the server does not answer any more.
    fn end(&mut self) {
        self.happen(Event::Read(true));
        while self.batches > 0 {
            self.happen(Event::EndBatch);
        }
        self.happen(Event::Disconnect);
        for _ in 0..10 {
            self.happen(Event::Pass(600));
        }
    }
}

fn play(transports: &[ConnectionType], acknowledges: bool, keeps: bool, events: &[Event]) {
    let mut play = Play::new(transports, acknowledges, keeps);
    play.happen(Event::Handshake);
    events.iter().for_each(|event| play.happen(*event));
    play.end();
    let machine = &play.scene.machine;
    assert_eq!(machine.state(), State::Disconnected);
    assert_eq!(machine.waiting, (0, 0));
    assert!(machine.pending.is_empty() && machine.exchanges.is_empty());
    assert!(machine.calls.is_empty() && machine.timers.is_empty());
    assert!(machine.queue.is_empty() && machine.batched.is_empty());
    assert!(machine.subscriptions.channels().is_empty());
    assert_eq!(machine.deadline(), None);
    for waiter in 1..=play.last {
        let _ = play.scene.outcome(waiter);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: super::acknowledged::cases() / 2,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn everybody_is_answered_once_and_nothing_is_left(
        events in events(),
        transports in 0..3_usize,
        acknowledges: bool,
        keeps: bool,
    ) {
        let transports: &[_] =
            [&[WebSocket] as &[_], &[LongPolling], &[WebSocket, LongPolling]][transports];
        play(transports, acknowledges, keeps, &events);
    }
}
