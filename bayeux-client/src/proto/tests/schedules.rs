//! Whatever order answers come in, and however often a server ends a session or finds a request too large, it
//! has in the end what the client is subscribed to.

use std::collections::{BTreeMap, BTreeSet};

use bayeux_api::{
    Advice,
    ConnectionType::{self, LongPolling, WebSocket},
    Message,
    client::{FailureKind, TransportFailure},
};
use proptest::prelude::*;
use serde_json::json;

use super::scene::{SECOND, Scene, Sent, good, handshaken};
use crate::State;

/// A server that ends sessions, says so in many words, and takes so many messages in a request.
struct Server {
    most: usize,
    sessions: u32,
    /// The session that is, what it is subscribed to, and whether its next connect is the last.
    session: Option<String>,
    subscribed: BTreeSet<String>,
    is_ending: bool,
    /// What has been handled and is not answered yet, by its exchange.
    handled: BTreeMap<u64, Vec<Message>>,
}

impl Server {
    fn new(most: usize) -> Self {
        Self {
            most,
            sessions: 0,
            session: None,
            subscribed: BTreeSet::new(),
            is_ending: false,
            handled: BTreeMap::new(),
        }
    }

    /// Handles a request once. Returns whether it takes it.
    fn handle(&mut self, sent: &Sent) -> bool {
        if sent.messages.len() > self.most {
            return false;
        }
        if !self.handled.contains_key(&sent.exchange) {
            let replies = sent.messages.iter().map(|message| self.reply(message)).collect();
            self.handled.insert(sent.exchange, replies);
        }
        true
    }

    fn reply(&mut self, message: &Message) -> Message {
        let mut reply = message.reply();
        if message.is_handshake() {
            self.sessions += 1;
            handshaken(&mut reply);
            reply.client_id = Some(self.sessions.to_string());
            self.session.clone_from(&reply.client_id);
            self.subscribed.clear();
            self.is_ending = false;
            return reply;
        }
        if self.session.is_none() || self.session != message.client_id {
            let errors = ["402::session_unknown", "403::Unknown client", "401:7:Unknown client"];
            reply.successful = Some(false);
            reply.error = Some(errors[self.sessions as usize % errors.len()].to_owned());
            if message.is_connect() {
                reply.advice = Some(Advice::handshake());
            }
            return reply;
        }
        good(&mut reply);
        let channel = message.subscription.iter().flat_map(|one| one.channels()).next().cloned();
        match message.channel() {
            "/meta/subscribe" => self.subscribed.extend(channel),
            "/meta/unsubscribe" => drop(channel.map(|channel| self.subscribed.remove(&channel))),
            "/meta/connect" if self.is_ending => {
                reply.advice = Some(Advice::handshake());
                self.session = None;
            }
            _ => {}
        }
        reply
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Subscribe(usize),
    /// The oldest subscriber goes.
    Leave,
    Publish,
    /// The server handles one of the requests that are on their way, and does not answer yet.
    Handle(usize),
    /// It answers one.
    Answer(usize),
    /// The connection of one breaks.
    Lose(usize),
    /// The server ends the session, or tells so with the next connect.
    End(bool),
    /// Time passes, in tenths of a second.
    Pass(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..CHANNELS.len()).prop_map(Event::Subscribe),
        1 => Just(Event::Leave),
        1 => Just(Event::Publish),
        3 => (0..4_usize).prop_map(Event::Handle),
        6 => (0..4_usize).prop_map(Event::Answer),
        1 => (0..4_usize).prop_map(Event::Lose),
        2 => any::<bool>().prop_map(Event::End),
        1 => (1..30_u32).prop_map(Event::Pass),
    ];
    proptest::collection::vec(event, 1..120)
}

const CHANNELS: [&str; 3] = ["/a", "/b", "/c"];

struct Play {
    scene: Scene,
    server: Server,
    /// The subscribers that have not gone, by their number.
    members: BTreeMap<u32, &'static str>,
    last: u32,
}

impl Play {
    fn new(transport: ConnectionType, most: usize) -> Self {
        // Longer than a play takes, so that nothing is overdue.
        let mut scene = Scene::new(&[transport], |config| {
            config.max_network_delay = Some(10_000 * SECOND);
        });
        scene.input(|machine, now| machine.handshake(Message::default(), 0, now));
        Self { scene, server: Server::new(most), members: BTreeMap::new(), last: 0 }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Subscribe(channel) => {
                self.last += 1;
                let (member, channel) = (self.last, CHANNELS[channel]);
                self.members.insert(member, channel);
                self.scene.input(|machine, now| {
                    machine.subscribe(channel, u64::from(member), member, now);
                });
            }
            Event::Leave => {
                if let Some((member, channel)) = self.members.pop_first() {
                    self.leave(member, channel);
                }
            }
            Event::Publish => {
                self.last += 1;
                let (message, waiter) = (Message::with_data("/p", json!(1)), self.last);
                self.scene.input(|machine, now| machine.publish(message, waiter, now));
            }
            Event::Handle(nth) => self.handle(nth),
            Event::Answer(nth) => self.answer(nth),
            Event::Lose(nth) => {
                if self.bring_forward(nth) {
                    self.scene.fail(FailureKind::Closed, None);
                }
            }
            Event::End(is_told) => match is_told {
                true => self.server.is_ending = true,
                false => self.server.session = None,
            },
            Event::Pass(tenths) => self.scene.pass(SECOND * tenths / 10),
        }
        // Who is told that there is no subscription goes.
        let failed = self.scene.resolved.iter().filter(|(_, outcome)| outcome.is_err());
        for waiter in failed.map(|(waiter, _)| *waiter).collect::<Vec<_>>() {
            if let Some(channel) = self.members.remove(&waiter) {
                self.leave(waiter, channel);
            }
        }
        for (member, channel) in &self.members {
            assert!(self.scene.machine.is_subscribed(channel, u64::from(*member)), "{channel}");
        }
    }

    fn leave(&mut self, member: u32, channel: &str) {
        let member = u64::from(member);
        self.scene.input(|machine, now| machine.unsubscribe(channel, member, None, now));
    }

    /// Brings one of the requests that are on their way to the front.
    fn bring_forward(&mut self, nth: usize) -> bool {
        let count = self.scene.sent.len();
        if count > 0 {
            let sent = self.scene.sent.remove(nth % count).unwrap();
            self.scene.sent.push_front(sent);
        }
        count > 0
    }

    /// What comes over a WebSocket is handled in its order.
    fn handle(&mut self, nth: usize) {
        let count = self.scene.sent.len();
        if count == 0 {
            return;
        }
        let nth = nth % count;
        let first = if self.scene.sent[nth].transport == WebSocket { 0 } else { nth };
        let in_order = |sent: &Sent| sent.exchange;
        let mut due: Vec<_> = self.scene.sent.range(first..=nth).map(in_order).collect();
        due.sort_unstable();
        for exchange in due {
            let at = self.scene.sent.iter().position(|sent| sent.exchange == exchange).unwrap();
            if !self.server.handle(&self.scene.sent[at]) {
                self.bring_forward(at);
                return self.refuse();
            }
        }
    }

    /// The oldest request is larger than the server takes.
    fn refuse(&mut self) {
        let sent = self.scene.sent.pop_front().unwrap();
        let transport = sent.transport;
        if transport == WebSocket {
            let mut failure = TransportFailure::new(transport, FailureKind::Closed, "too large");
            failure.websocket_code = Some(1009);
            self.scene.sent.clear();
            self.scene.input(|machine, now| machine.connection_failed(transport, &failure, now));
        } else {
            self.scene.sent.push_front(sent);
            self.scene.fail(FailureKind::Status, Some(413));
        }
    }

    fn answer(&mut self, nth: usize) {
        let Some(exchange) = self.nth(nth) else { return };
        self.handle(nth);
        let Some(replies) = self.server.handled.remove(&exchange) else { return };
        let at = self.scene.sent.iter().position(|sent| sent.exchange == exchange).unwrap();
        let transport = self.scene.sent.remove(at).unwrap().transport;
        self.scene.input(|machine, now| machine.received(replies, transport, now));
        if transport != WebSocket {
            self.scene.input(|machine, now| machine.exchange_ended(exchange, Ok(()), now));
        }
    }

    fn nth(&self, nth: usize) -> Option<u64> {
        let count = self.scene.sent.len();
        (count > 0).then(|| self.scene.sent[nth % count].exchange)
    }

    /// From now on the server is good. It still owes the answers to sessions that are over.
    fn settle(&mut self) {
        for _ in 0..12 {
            for _ in 0..8 {
                let session = &self.server.session;
                let is_now = |sent: &Sent| {
                    let message = &sent.messages[0];
                    message.is_handshake() || message.is_connect() || message.client_id == *session
                };
                let Some(nth) = self.scene.sent.iter().position(is_now) else { break };
                self.happen(Event::Answer(nth));
            }
            self.happen(Event::Pass(10));
        }
    }
}

fn play(transport: ConnectionType, most: usize, events: &[Event]) {
    let mut play = Play::new(transport, most);
    events.iter().for_each(|event| play.happen(*event));
    play.settle();
    assert_eq!(play.scene.machine.client_id(), play.server.session.as_deref());
    assert_eq!(play.scene.machine.state(), State::Connected);
    let wanted: BTreeSet<_> = play.members.values().map(|channel| (*channel).to_owned()).collect();
    // An unsubscribe that was lost is not repeated.
    assert!(wanted.is_subset(&play.server.subscribed), "{wanted:?}");
    for member in play.members.keys() {
        assert!(play.scene.outcome(*member).is_ok(), "{member}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: super::acknowledged::cases() / 2,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn over_a_websocket_a_session_has_what_is_subscribed_to(events in events(), most in 1..4_usize) {
        play(WebSocket, most, &events);
    }

    #[test]
    fn over_long_polling_a_session_has_what_is_subscribed_to(
        events in events(),
        most in 1..4_usize,
    ) {
        play(LongPolling, most, &events);
    }
}
