//! The rules of a Bayeux client, as a state machine: (state, input, now) → outputs.
//!
//! ```text
//!                          ┌───────────── 402, advice ─────────────┐
//!                          ▼                                       │
//! Disconnected ─▶ Handshaking ─▶ Handshaken ─▶ Live: Connecting ─▶ Connected ◀─▶ Unconnected
//!       ▲              │             │           │ (one connect waits or is on its way)
//!       │              ▼             ▼           ▼
//!       └──────── Terminating ◀─ Disconnecting ◀─┘
//! ```
//!
//! There is never more than one handshake and one connect on its way. Whoever asked for something is
//! answered exactly once, by [`Output::Resolve`]. Section 4 of CometD's reference calls this the
//! client's life cycle.

#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod ack;
mod connect;
mod disconnect;
mod exchange;
mod failure;
mod handshake;
mod negotiation;
mod pace;
mod portion;
mod random;
mod reading;
mod receive;
mod request;
mod retry;
mod servers;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bayeux_api::{Advice, ConnectionType, Message, client::RequestError};
use url::Url;

use self::{
    ack::Acknowledgement,
    exchange::{Exchange, Kind, Pending, Timer, What},
    negotiation::Negotiation,
    pace::Pace,
    portion::Portion,
    random::Random,
    reading::Reading,
    request::Request,
    servers::Servers,
    subscriptions::Subscriptions,
};
use crate::{Config, FailureInfo, State};

/// What a request got.
pub(crate) type Outcome = Result<Message, RequestError>;

/// What is to be done, in this order. `T` is whoever waits for something.
#[derive(Debug)]
pub(crate) enum Output<T> {
    /// Ask the application for the fields of a handshake; then [`Machine::credentials`].
    Credentials,
    /// Send messages together; over a transport that answers, [`Machine::exchange_ended`] when it has.
    Send { exchange: u64, transport: ConnectionType, url: Url, messages: Vec<Message> },
    /// Nothing waits for this exchange any more.
    Cancel(u64),
    /// An answer is late: ask the listeners whether to wait on; then [`Machine::overdue`].
    Overdue(u64),
    /// A handshake or connect failed: ask the listeners what to do; then [`Machine::decided`].
    Decide(Box<FailureInfo>),
    /// Answer whoever waits.
    Resolve(T, Outcome),
    /// Show a message to the listeners.
    Notify(Message),
    /// Show a message to the extensions and the listeners that stands for a reply which did not come.
    Failed(Message),
    /// The state has changed.
    State(State),
    /// Nobody is subscribed to the channel any more, whatever they think.
    Unsubscribed(String),
    /// Open a WebSocket to see whether that works by now; then [`Machine::probed`].
    Probe(Url),
    /// Close what is open of this transport, since the client has left it.
    Leave(ConnectionType),
    /// Close everything: the session is over.
    Close,
}

/// The machine of one client.
#[derive(Debug)]
pub(crate) struct Machine<T> {
    config: Config,
    phase: Phase,
    negotiation: Negotiation,
    servers: Servers,
    asks_credentials: bool,
    client_id: Option<String>,
    template: Message,
    handshaker: Option<T>,
    advice: Advice,
    failures: Failures,
    ack: Acknowledgement,
    subscriptions: Subscriptions<T>,
    pace: Pace,
    /// Of handshakes, which messages do not speed up.
    pace_of_sessions: Pace,
    portion: Portion,
    /// Who waits for the answer to a call, and until when.
    calls: BTreeMap<u64, (Instant, T)>,
    /// Depth of batches, which may outlive a session, and what they hold back.
    batch: u32,
    batched: Vec<Request<T>>,
    queue: VecDeque<Vec<Request<T>>>,
    /// What waits or is on its way: requests and the bytes of their payloads.
    waiting: (usize, usize),
    pending: BTreeMap<u64, Pending<T>>,
    exchanges: BTreeMap<u64, Exchange>,
    timers: BTreeSet<(Instant, Timer)>,
    reading: Reading,
    /// Requests that wait to be sent while nothing is read fail in time, as far as this one.
    told_until: u64,
    /// A better transport that has been seen to work, for the next connect.
    promoted: Option<ConnectionType>,
    is_probing: bool,
    last_id: u64,
    random: Random,
    outputs: Vec<Output<T>>,
}

#[derive(Debug)]
enum Phase {
    Disconnected,
    Handshaking {
        again: bool,
        step: Step,
    },
    /// Waits for the messages that come with the handshake, and not longer than that.
    Handshaken {
        left: u64,
        batch: Option<i64>,
        until: Instant,
    },
    Live {
        progress: Progress,
        step: Step,
    },
    Disconnecting,
    /// Waits for the reply to the last connect, and not longer than that.
    Terminating(Instant),
}

/// How far the one handshake or connect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Waiting(Instant),
    /// The application is asked for credentials, and not longer than that.
    Asking(Instant),
    Sent,
    /// It failed, and the listeners are asked what to do.
    Deciding(Decision),
}

/// When the next handshake or connect comes after one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// At once, over another transport or from another address: whoever waits for the handshake does
    /// so still.
    SameAttempt,
    /// After a wait, which may be none. This attempt has failed.
    Retry(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Connecting,
    Connected,
    Unconnected,
}

/// Failures in a row, since the last connect that succeeded.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    since: Option<Instant>,
    /// Whether the server has asked for another handshake among them.
    has_advised: bool,
}

impl<T> Machine<T> {
    /// Makes the machine of a client that is disconnected. `seed` decides what is random of it.
    pub(crate) fn new(
        config: Config,
        transports: &[ConnectionType],
        urls: Vec<Url>,
        asks_credentials: bool,
        seed: u64,
    ) -> Self {
        Self {
            negotiation: Negotiation::new(transports, config.probe_interval.min(LONGEST)),
            ack: Acknowledgement::new(config.acknowledgements, config.acknowledgements_ahead),
            config,
            phase: Phase::Disconnected,
            servers: Servers::new(urls),
            asks_credentials,
            client_id: None,
            template: Message::default(),
            handshaker: None,
            advice: Advice::default(),
            failures: Failures::default(),
            subscriptions: Subscriptions::default(),
            pace: Pace::default(),
            pace_of_sessions: Pace::default(),
            portion: Portion::default(),
            calls: BTreeMap::new(),
            batch: 0,
            batched: Vec::new(),
            queue: VecDeque::new(),
            waiting: (0, 0),
            pending: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            timers: BTreeSet::new(),
            reading: Reading::GoesOn,
            told_until: 0,
            promoted: None,
            is_probing: false,
            last_id: 0,
            random: Random::new(seed),
            outputs: Vec::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        match &self.phase {
            Phase::Disconnected => State::Disconnected,
            Phase::Handshaking { again: false, .. } => State::Handshaking,
            Phase::Handshaking { again: true, .. } => State::Rehandshaking,
            Phase::Handshaken { .. } => State::Handshaken,
            Phase::Live { progress: Progress::Connecting, .. } => State::Connecting,
            Phase::Live { progress: Progress::Connected, .. } => State::Connected,
            Phase::Live { progress: Progress::Unconnected, .. } => State::Unconnected,
            Phase::Disconnecting => State::Disconnecting,
            Phase::Terminating(_) => State::Terminating,
        }
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    pub(crate) fn transport(&self) -> ConnectionType {
        self.negotiation.current()
    }

    pub(crate) fn url(&self) -> &Url {
        self.servers.current()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Takes what is to be done.
    pub(crate) fn take_outputs(&mut self) -> Vec<Output<T>> {
        std::mem::take(&mut self.outputs)
    }

    /// When [`tick`](Self::tick) is next due, if ever.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Handshaking { step, .. } | Phase::Live { step, .. } => match step {
                Step::Waiting(until) | Step::Asking(until) => Some(*until),
                Step::Sent | Step::Deciding(_) => None,
            },
            Phase::Handshaken { until, .. } => Some(*until).filter(|_| !self.is_unread()),
            Phase::Terminating(until) => Some(*until),
            Phase::Disconnected | Phase::Disconnecting => None,
        };
        let timer = self.timers.first().map(|(at, _)| *at);
        [phase, timer, self.probe_at()].into_iter().flatten().min()
    }

    /// Does what the time has come for.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.run_timers(now);
        match &self.phase {
            Phase::Handshaking { step: Step::Waiting(until), .. } if *until <= now => {
                self.begin_handshake(now);
            }
            Phase::Handshaking { step: Step::Asking(until), .. } if *until <= now => {
                self.credentials(Err("no credentials were given in time".to_owned()), now);
            }
            Phase::Live { step: Step::Waiting(until), .. } if *until <= now => {
                self.send_connect(now);
            }
            // What comes now comes late: without the acknowledgement of it, it comes again.
            Phase::Handshaken { until, .. } if *until <= now && !self.is_unread() => {
                self.ack.lost();
                self.start_connecting(now);
            }
            Phase::Terminating(until) if *until <= now => self.finish(),
            Phase::Disconnected
            | Phase::Handshaking { .. }
            | Phase::Handshaken { .. }
            | Phase::Live { .. }
            | Phase::Disconnecting
            | Phase::Terminating(_) => {}
        }
        if self.probe_at().is_some_and(|at| at <= now) {
            self.is_probing = true;
            let url = self.servers.current().clone();
            self.outputs.push(Output::Probe(url));
        }
    }

    fn run_timers(&mut self, now: Instant) {
        while let Some((at, timer)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, timer));
            match timer {
                Timer::Exchange(late) if self.is_unread() => self.wait_no_longer(late, now),
                Timer::Exchange(exchange) => self.outputs.push(Output::Overdue(exchange)),
                Timer::Call(call) => {
                    if let Some(waiter) = self.take_call(call) {
                        self.outputs.push(Output::Resolve(waiter, Err(RequestError::Timeout)));
                    }
                }
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        let before = self.state();
        self.phase = phase;
        let state = self.state();
        if state != before {
            debug_assert!(before.may_become(state), "{before} became {state}");
            self.outputs.push(Output::State(state));
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// No wait is longer, whatever a server advises.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// From the second failure in a row no wait is shorter, whatever the application says.
const SHORTEST: Duration = Duration::from_millis(10);
