//! A machine, its clock, and what comes of it.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bayeux_api::{
    Advice, ConnectionType, Message, Reconnect,
    client::{FailureKind, TransportFailure},
};
use url::Url;

use crate::{
    Backoff, Config, State,
    proto::{Machine, Outcome, Output},
};

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// What was sent together and has no answer yet.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) exchange: u64,
    pub(super) transport: ConnectionType,
    pub(super) url: Url,
    pub(super) messages: Vec<Message>,
}

pub(super) struct Scene {
    pub(super) machine: Machine<u32>,
    pub(super) now: Instant,
    pub(super) sent: VecDeque<Sent>,
    pub(super) resolved: Vec<(u32, Outcome)>,
    pub(super) notified: Vec<Message>,
    pub(super) states: Vec<State>,
    pub(super) asked_for_credentials: u32,
    pub(super) probes: u32,
    pub(super) unsubscribed: Vec<String>,
    pub(super) cancelled: Vec<u64>,
}

impl Scene {
    pub(super) fn new(transports: &[ConnectionType], change: impl FnOnce(&mut Config)) -> Self {
        Self::with(transports, &["http://server/cometd"], false, change)
    }

    pub(super) fn with(
        transports: &[ConnectionType],
        urls: &[&str],
        asks_credentials: bool,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config { backoff: Backoff::Constant(SECOND), ..Config::default() };
        change(&mut config);
        let urls = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        Self {
            machine: Machine::new(config, transports, urls, asks_credentials, 7),
            now: Instant::now(),
            sent: VecDeque::new(),
            resolved: Vec::new(),
            notified: Vec::new(),
            states: Vec::new(),
            asked_for_credentials: 0,
            probes: 0,
            unsubscribed: Vec::new(),
            cancelled: Vec::new(),
        }
    }

    /// A client over `transport` that is connected, and whose next connect is held.
    pub(super) fn connected(transport: ConnectionType, change: impl FnOnce(&mut Config)) -> Self {
        let mut scene = Self::new(&[transport], change);
        scene.connect();
        scene
    }

    pub(super) fn connect(&mut self) {
        self.input(|machine, now| machine.handshake(Message::default(), 0, now));
        self.answer(handshaken);
        self.answer(|reply| reply.successful = Some(true));
        assert_eq!(self.machine.state(), State::Connected);
        self.resolved.clear();
        self.notified.clear();
        self.states.clear();
    }

    pub(super) fn input<R>(&mut self, input: impl FnOnce(&mut Machine<u32>, Instant) -> R) -> R {
        let result = input(&mut self.machine, self.now);
        self.perform();
        result
    }

    fn perform(&mut self) {
        loop {
            let outputs = self.machine.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                match output {
                    Output::Credentials => self.asked_for_credentials += 1,
                    Output::Send { exchange, transport, url, messages } => {
                        self.sent.push_back(Sent { exchange, transport, url, messages });
                    }
                    Output::Cancel(exchange) => {
                        self.sent.retain(|sent| sent.exchange != exchange);
                        self.cancelled.push(exchange);
                    }
                    Output::Overdue(exchange) => self.machine.overdue(exchange, None, self.now),
                    Output::Decide(info) => self.machine.decided(*info, self.now),
                    Output::Resolve(waiter, outcome) => self.resolved.push((waiter, outcome)),
                    Output::Notify(message) | Output::Failed(message) => {
                        self.notified.push(message);
                    }
                    Output::State(state) => self.states.push(state),
                    Output::Unsubscribed(channel) => self.unsubscribed.push(channel),
                    Output::Probe(_) => self.probes += 1,
                    Output::Leave(transport) => {
                        if transport == ConnectionType::WebSocket {
                            self.sent.retain(|sent| sent.transport != transport);
                        }
                    }
                    Output::Close => self.sent.clear(),
                }
            }
        }
    }

    /// Lets time pass, and does what is due meanwhile.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.machine.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(|machine, now| machine.tick(now));
        }
        self.now = end;
    }

    /// Returns the channels of what is on its way.
    pub(super) fn on_its_way(&self) -> Vec<Vec<&str>> {
        self.sent.iter().map(|sent| sent.messages.iter().map(Message::channel).collect()).collect()
    }

    /// Answers the oldest that is on its way, each message by a reply that `change` has changed.
    pub(super) fn answer(&mut self, change: impl Fn(&mut Message)) {
        let sent = self.sent.pop_front().expect("something is on its way");
        let replies = sent.messages.iter().map(|message| {
            let mut reply = message.reply();
            change(&mut reply);
            reply
        });
        let replies = replies.collect();
        let transport = sent.transport;
        self.input(|machine, now| machine.received(replies, transport, now));
        if transport != ConnectionType::WebSocket {
            self.input(|machine, now| machine.exchange_ended(sent.exchange, Ok(()), now));
        }
    }

    /// Lets the oldest that is on its way fail.
    pub(super) fn fail(&mut self, kind: FailureKind, code: Option<u16>) {
        let sent = self.sent.pop_front().expect("something is on its way");
        let mut failure = TransportFailure::new(sent.transport, kind, "broken");
        failure.http_code = code;
        if sent.transport == ConnectionType::WebSocket {
            self.sent.retain(|other| other.transport != ConnectionType::WebSocket);
            self.input(|machine, now| machine.connection_failed(sent.transport, &failure, now));
        } else {
            self.input(|machine, now| machine.exchange_ended(sent.exchange, Err(failure), now));
        }
    }

    /// Lets something arrive that nobody asked for.
    pub(super) fn arrive(&mut self, message: Message) {
        let transport = self.machine.transport();
        self.input(|machine, now| machine.received(vec![message], transport, now));
    }

    /// Returns what the waiter got, which it gets once.
    pub(super) fn outcome(&self, waiter: u32) -> &Outcome {
        let mut outcomes = self.resolved.iter().filter(|(one, _)| *one == waiter);
        let outcome = outcomes.next().expect("the waiter is answered");
        assert!(outcomes.next().is_none(), "{waiter} is answered twice");
        &outcome.1
    }

    pub(super) fn is_answered(&self, waiter: u32) -> bool {
        self.resolved.iter().any(|(one, _)| *one == waiter)
    }
}

/// Makes the good reply to a handshake.
pub(super) fn handshaken(reply: &mut Message) {
    reply.successful = Some(true);
    reply.client_id = Some("c1".to_owned());
    let known = ["websocket", "long-polling"].map(str::to_owned);
    reply.supported_connection_types = Some(known.to_vec());
    let advice = reply.advice_mut();
    advice.reconnect = Some(Reconnect::Retry);
    (advice.interval, advice.timeout) = (Some(0), Some(20_000));
}

pub(super) fn good(reply: &mut Message) {
    reply.successful = Some(true);
}

/// Makes the reply to a connect of a session that the server does not know.
pub(super) fn unknown(reply: &mut Message) {
    reply.fail(&bayeux_api::BayeuxError::SessionUnknown);
    reply.advice = Some(Advice::handshake());
}
