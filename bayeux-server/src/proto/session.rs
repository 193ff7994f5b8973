//! One session: its life, its heart-beat and its queue.
//!
//! ```text
//!          handshaken                 connect               hold
//!   New ──────────────▶ Away(until) ─────────▶ Busy(until) ──────▶ Parked(until)
//!    │                     ▲  │                  │   ▲                │  │
//!    │                     │  │ tick: expired    │   └── resume ──────┘  │
//!    │                     └──┼──── replied ─────┘                       │
//!    │                     └──┼──── replied (the carrier broke) ─────────┘
//!    ▼                        ▼
//!   Gone ◀──────────── remove, from anywhere
//! ```
//!
//! A session that lives is in exactly one of the three middle states, and each of them carries the
//! instant at which it ends: no session can be forgotten.
//!
//! Each `/meta/connect` gets a [`Cycle`]. Only the newest counts: an older one that is still held is
//! overtaken, and whatever happens to it later changes nothing (Bayeux 1.0, section 5.2; CometD's
//! "meta connect cycle").

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{
    Advice, ConnectionType, Frozen, Reconnect,
    server::{Depth, Overflow, Removal},
};

use crate::proto::{
    after,
    queue::{Bounds, Pushed, Queue},
};

/// What a session takes from its transport's configuration.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
    pub(crate) max_interval: Duration,
    /// How long processing a connect and writing its reply may take.
    pub(crate) max_processing: Duration,
    /// How long a lazy message waits; zero is not at all.
    pub(crate) max_lazy_timeout: Duration,
    /// The longest timeout and interval that a client may ask for.
    pub(crate) max_advised: Duration,
    pub(crate) bounds: Bounds,
    pub(crate) overflow: Overflow,
    /// Whether advice tells `maxInterval`.
    pub(crate) advise_max_interval: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    rules: Arc<Rules>,
    phase: Phase,
    cycle: Cycle,
    queue: Queue,
    /// When waiting lazy messages have to go out; none when nothing waits.
    lazy_until: Option<Instant>,
    batch: u32,
    /// None while nobody has set any, which is so for most.
    timing: Option<Box<Timing>>,
    /// The transport that the client was last advised for.
    advised: Option<ConnectionType>,
    delivery: Delivery,
    broadcast_to_publisher: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    /// Lives; whether it has ever connected, and what it does now.
    Live(Stage, Presence),
    Gone(Removal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshaken,
    Connected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// No connect is here; the session ends at the instant if none comes.
    Away(Instant),
    /// A connect is being processed or its reply written, which has to be done by the instant.
    Busy(Instant),
    /// A connect is held; it is answered at the instant or for a message.
    Parked(Instant),
}

/// The number of a connect within its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cycle(u64);

impl Cycle {
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What application and client set, over the transport's rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Timing {
    timeout: Option<Duration>,
    interval: Option<Duration>,
    max_interval: Option<Duration>,
    /// For the current connect only.
    advised_timeout: Option<Duration>,
    advised_interval: Option<Duration>,
}

/// When messages go to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// With every response, and over a WebSocket at once.
    Any,
    /// With replies to connects only.
    ConnectOnly,
}

/// A connect that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) cycle: Cycle,
    /// Whether the session was connected before; the first connect is never held.
    pub(crate) was_connected: bool,
}

/// What a held connect does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Waits, and asks again at the instant or when woken.
    Wait(Instant),
    /// Goes on, because its time ran out.
    TimedOut,
    /// Goes on, because there is something to deliver or the session ended.
    Resume,
    /// Is not answered: a newer connect took its place.
    Overtaken,
}

/// What a message did to the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It was queued, others were dropped for it, and the carrier has to look or not.
    Queued { wake: bool, dropped: usize },
    /// It was not.
    Dropped,
    /// The session ended before.
    Gone,
    /// The queue is full and the session has to be ended.
    Overflowed,
}

impl Session {
    pub(crate) fn new(rules: Arc<Rules>, delivery: Delivery, broadcast_to_publisher: bool) -> Self {
        Self {
            rules,
            phase: Phase::New,
            cycle: Cycle::default(),
            queue: Queue::default(),
            lazy_until: None,
            batch: 0,
            timing: None,
            advised: None,
            delivery,
            broadcast_to_publisher,
        }
    }

    // --- life ---

    /// The handshake succeeded; false when the session is not a new one.
    pub(crate) fn handshaken(&mut self, now: Instant) -> bool {
        if self.phase != Phase::New {
            return false;
        }
        self.phase = Phase::Live(Stage::Handshaken, Presence::Away(after(now, self.silence())));
        true
    }

    /// A message arrived that is not a connect: the session lives at least for another while.
    pub(crate) fn touch(&mut self, now: Instant) {
        let at_least = after(now, self.max_interval());
        if let Phase::Live(_, Presence::Away(until)) = &mut self.phase {
            *until = at_least.max(*until);
        }
    }

    /// A connect arrived, with its advice. None when the session does not live.
    pub(crate) fn connect(&mut self, advice: Option<&Advice>, now: Instant) -> Option<Accepted> {
        let Phase::Live(stage, _) = self.phase else { return None };
        self.cycle = self.cycle.next();
        self.phase = Phase::Live(Stage::Connected, self.busy(now));
        let most = self.rules.max_advised;
        let (timeout, interval) =
            (advice.and_then(Advice::timeout), advice.and_then(Advice::interval));
        self.change_timing(|timing| {
            timing.advised_timeout = timeout.map(|time| time.min(most));
            timing.advised_interval = interval.map(|time| time.min(most));
        });
        if advice.is_some() {
            self.advised = None;
        }
        Some(Accepted { cycle: self.cycle, was_connected: stage == Stage::Connected })
    }

    /// Holds the connect unless it has to be answered at once, and returns for how long. `pushes`
    /// tells whether its carrier can deliver messages without it.
    pub(crate) fn hold(
        &mut self,
        accepted: Accepted,
        pushes: bool,
        now: Instant,
    ) -> Option<Duration> {
        let Phase::Live(stage, Presence::Busy(_)) = self.phase else { return None };
        let timeout =
            self.timing(|timing| timing.advised_timeout).unwrap_or_else(|| self.timeout());
        let has_reason = !self.pushes(pushes) && self.is_due(now);
        let is_held = accepted.was_connected
            && accepted.cycle == self.cycle
            && !timeout.is_zero()
            && !has_reason;
        if !is_held {
            return None;
        }
        self.phase = Phase::Live(stage, Presence::Parked(after(now, timeout)));
        Some(timeout)
    }

    /// Asks what a held connect does now.
    pub(crate) fn held(&mut self, cycle: Cycle, pushes: bool, now: Instant) -> Held {
        if cycle != self.cycle {
            return Held::Overtaken;
        }
        let Phase::Live(stage, Presence::Parked(until)) = self.phase else { return Held::Resume };
        let pushes = self.pushes(pushes);
        let is_due = !pushes && self.is_due(now);
        if !is_due && now < until {
            let lazy = self.lazy_until.filter(|_| !pushes && self.batch == 0);
            return Held::Wait(lazy.map_or(until, |lazy| lazy.min(until)));
        }
        self.phase = Phase::Live(stage, self.busy(now));
        if is_due { Held::Resume } else { Held::TimedOut }
    }

    /// Takes back that the connect of `cycle` is held: it is answered at once after all.
    pub(crate) fn let_go(&mut self, cycle: Cycle, now: Instant) {
        if let Phase::Live(stage, Presence::Parked(_)) = self.phase
            && cycle == self.cycle
        {
            self.phase = Phase::Live(stage, self.busy(now));
        }
    }

    /// The reply to the connect of `cycle` was written, or never will be.
    pub(crate) fn replied(&mut self, cycle: Cycle, now: Instant) {
        if cycle != self.cycle {
            return;
        }
        if let Phase::Live(stage, Presence::Busy(_) | Presence::Parked(_)) = self.phase {
            self.phase = Phase::Live(stage, Presence::Away(after(now, self.silence())));
        }
    }

    /// Ends the session; false when it had ended before.
    pub(crate) fn remove(&mut self, removal: Removal) -> bool {
        let is_first = !matches!(self.phase, Phase::Gone(_));
        if is_first {
            self.phase = Phase::Gone(removal);
        }
        is_first
    }

    /// Tells whether the session's time is over.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// When the session next has to be looked at; always known while it lives.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::New | Phase::Gone(_) => None,
            Phase::Live(_, Presence::Away(until) | Presence::Busy(until)) => Some(until),
            // Whoever holds the connect answers it in time; this is for when nobody does.
            Phase::Live(_, Presence::Parked(until)) => {
                Some(after(until, self.rules.max_processing))
            }
        }
    }

    pub(crate) fn is_handshook(&self) -> bool {
        matches!(self.phase, Phase::Live(..))
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Live(Stage::Connected, _))
    }

    /// Returns CometD's name of the state.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.phase {
            Phase::New => "NEW",
            Phase::Live(Stage::Handshaken, _) => "HANDSHAKEN",
            Phase::Live(Stage::Connected, _) => "CONNECTED",
            Phase::Gone(Removal::Expired) => "EXPIRED",
            Phase::Gone(Removal::Disconnected | Removal::Removed | Removal::Overflowed) => {
                "DISCONNECTED"
            }
        }
    }

    pub(crate) fn removal(&self) -> Option<Removal> {
        match self.phase {
            Phase::Gone(removal) => Some(removal),
            Phase::New | Phase::Live(..) => None,
        }
    }

    /// Whether messages go out without waking the held connect, over a carrier that can do that.
    fn pushes(&self, carrier_can: bool) -> bool {
        carrier_can && self.delivery == Delivery::Any
    }

    fn busy(&self, now: Instant) -> Presence {
        Presence::Busy(after(now, self.rules.max_processing))
    }

    /// How long the client may be away after a reply.
    fn silence(&self) -> Duration {
        self.current_interval().saturating_add(self.max_interval())
    }

    // --- messages ---

    /// Queues a message; `lazy_timeout` is its channel's, if it has one.
    pub(crate) fn deliver(
        &mut self,
        message: Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        overflow: Option<Overflow>,
        now: Instant,
    ) -> Delivered {
        if let Phase::Gone(_) = self.phase {
            return Delivered::Gone;
        }
        let is_lazy = message.is_lazy();
        // Then somebody was woken before, and has not looked yet.
        let was_due = self.is_due(now);
        let overflow = overflow.unwrap_or(self.rules.overflow);
        let dropped = match self.queue.push(message, self.rules.bounds, overflow) {
            Pushed::Queued { dropped } => dropped,
            Pushed::Dropped => return Delivered::Dropped,
            Pushed::Overflowed => return Delivered::Overflowed,
        };
        let is_earlier = is_lazy && self.lazy_by(now, lazy_timeout);
        Delivered::Queued { wake: self.batch == 0 && !was_due && (!is_lazy || is_earlier), dropped }
    }

    /// Sets when lazy messages go out, if that is earlier than it was.
    fn lazy_by(&mut self, now: Instant, lazy_timeout: Option<Duration>) -> bool {
        let until = after(now, lazy_timeout.unwrap_or(self.rules.max_lazy_timeout));
        let is_earlier = self.lazy_until.is_none_or(|earlier| until < earlier);
        if is_earlier {
            self.lazy_until = Some(until);
        }
        is_earlier
    }

    /// Whether anything waits to be delivered, lazy or not.
    pub(crate) fn is_waiting(&self) -> bool {
        self.queue.is_waiting()
    }

    pub(crate) fn is_full_for(&self, message: &Frozen) -> bool {
        self.queue.is_full_for(message, self.rules.bounds)
    }

    /// Whether messages have to go out now.
    fn is_due(&self, now: Instant) -> bool {
        // The end of a session is the end of its batches.
        (self.batch == 0 || matches!(self.phase, Phase::Gone(_)))
            && (self.queue.is_urgent()
                || self.queue.is_waiting() && self.lazy_until.is_some_and(|until| until <= now))
    }

    /// Takes what a connection that delivers without connects has to send now, if anything.
    pub(crate) fn push(&mut self, now: Instant) -> Option<Vec<Arc<Frozen>>> {
        let mut messages = Vec::new();
        self.push_into(&mut messages, now).then_some(messages)
    }

    /// Moves what such a connection has to send now to the end of `messages`; true when it has to send
    /// anything.
    pub(crate) fn push_into(&mut self, messages: &mut Vec<Arc<Frozen>>, now: Instant) -> bool {
        let is_due = self.delivery == Delivery::Any && self.is_due(now);
        if is_due {
            self.lazy_until = None;
            self.queue.drain_into(messages);
        }
        is_due
    }

    /// When a connection that delivers without connects has to look again.
    pub(crate) fn push_deadline(&self) -> Option<Instant> {
        self.lazy_until.filter(|_| {
            self.delivery == Delivery::Any && self.batch == 0 && self.queue.is_waiting()
        })
    }

    /// Takes what goes with the response to something other than a connect.
    pub(crate) fn drain_with_response(&mut self) -> Vec<Arc<Frozen>> {
        match self.delivery {
            Delivery::Any => self.drain(),
            Delivery::ConnectOnly => Vec::new(),
        }
    }

    /// Takes what goes with the reply to the connect of `cycle`, and the number to acknowledge.
    /// Nothing goes with an overtaken one, which would steal it from the newer.
    pub(crate) fn drain_with_connect(&mut self, cycle: Cycle) -> (Option<u64>, Vec<Arc<Frozen>>) {
        if cycle == self.cycle { self.drain_with_reply() } else { (None, Vec::new()) }
    }

    /// Takes what goes with the reply to a handshake, and the number to acknowledge.
    pub(crate) fn drain_with_reply(&mut self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        self.lazy_until = None;
        self.queue.drain_with_reply()
    }

    fn drain(&mut self) -> Vec<Arc<Frozen>> {
        self.lazy_until = None;
        self.queue.drain()
    }

    /// Puts back what could not be delivered; returns how many messages that pushed out.
    pub(crate) fn put_back(&mut self, messages: Vec<Arc<Frozen>>) -> usize {
        if let Phase::Gone(_) = self.phase {
            return messages.len();
        }
        self.queue.put_back(messages);
        self.queue.trim(self.rules.bounds)
    }

    pub(crate) fn enable_acknowledgements(&mut self) {
        self.delivery = Delivery::ConnectOnly;
        self.queue.enable_acknowledgements();
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.queue.is_acknowledged()
    }

    pub(crate) fn acknowledge(&mut self, batch: u64) {
        self.queue.acknowledge(batch);
        if !self.queue.is_waiting() {
            self.lazy_until = None;
        }
    }

    /// Drops all messages, at the end; returns how many had not been delivered.
    pub(crate) fn clear(&mut self) -> usize {
        self.lazy_until = None;
        self.queue.clear()
    }

    pub(crate) fn depth(&self) -> Depth {
        self.queue.depth()
    }

    pub(crate) fn start_batch(&mut self) {
        self.batch += 1;
    }

    /// Ends a batch; true when it was the outermost and messages that are not lazy wait.
    pub(crate) fn end_batch(&mut self) -> bool {
        self.batch = self.batch.saturating_sub(1);
        self.batch == 0 && self.queue.is_urgent()
    }

    // --- advice and settings ---

    /// Returns the advice for a reply over `transport`, if the client does not have it yet.
    pub(crate) fn take_advice(&mut self, transport: Option<ConnectionType>) -> Option<Advice> {
        if transport.is_some() && self.advised == transport {
            return None;
        }
        self.advised = transport;
        let max_interval = self.rules.advise_max_interval.then(|| millis(self.max_interval()));
        Some(Advice {
            reconnect: Some(Reconnect::Retry),
            interval: Some(millis(self.current_interval())),
            timeout: Some(millis(self.timeout())),
            max_interval,
            ..Advice::default()
        })
    }

    /// Makes the next reply carry advice.
    pub(crate) fn advise_again(&mut self) {
        self.advised = None;
    }

    pub(crate) fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.change_timing(|timing| timing.timeout = timeout);
        self.advise_again();
    }

    pub(crate) fn set_interval(&mut self, interval: Option<Duration>) {
        self.change_timing(|timing| timing.interval = interval);
        self.advise_again();
    }

    pub(crate) fn set_max_interval(&mut self, max_interval: Option<Duration>) {
        self.change_timing(|timing| timing.max_interval = max_interval);
    }

    pub(crate) fn own_timeout(&self) -> Option<Duration> {
        self.timing(|timing| timing.timeout)
    }

    pub(crate) fn own_interval(&self) -> Option<Duration> {
        self.timing(|timing| timing.interval)
    }

    pub(crate) fn own_max_interval(&self) -> Option<Duration> {
        self.timing(|timing| timing.max_interval)
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.delivery
    }

    pub(crate) fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    pub(crate) fn is_broadcast_to_publisher(&self) -> bool {
        self.broadcast_to_publisher
    }

    pub(crate) fn set_broadcast_to_publisher(&mut self, broadcast: bool) {
        self.broadcast_to_publisher = broadcast;
    }

    fn timeout(&self) -> Duration {
        self.timing(|timing| timing.timeout).unwrap_or(self.rules.timeout)
    }

    fn max_interval(&self) -> Duration {
        self.timing(|timing| timing.max_interval).unwrap_or(self.rules.max_interval)
    }

    fn current_interval(&self) -> Duration {
        let own = self.timing(|timing| timing.interval).unwrap_or(self.rules.interval);
        self.timing(|timing| timing.advised_interval).unwrap_or(own)
    }

    fn timing(&self, field: impl FnOnce(&Timing) -> Option<Duration>) -> Option<Duration> {
        self.timing.as_deref().and_then(field)
    }

    fn change_timing(&mut self, change: impl FnOnce(&mut Timing)) {
        let mut timing = self.timing.as_deref().copied().unwrap_or_default();
        change(&mut timing);
        match &mut self.timing {
            own if timing == Timing::default() => *own = None,
            Some(own) => **own = timing,
            own @ None => *own = Some(Box::new(timing)),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bayeux_api::Message;
    use serde_json::json;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules() -> Rules {
        Rules {
            timeout: 20 * SECOND,
            interval: Duration::ZERO,
            max_interval: 10 * SECOND,
            max_processing: 60 * SECOND,
            max_lazy_timeout: 5 * SECOND,
            max_advised: 600 * SECOND,
            bounds: Bounds { messages: 3, bytes: 10_000 },
            overflow: Overflow::Disconnect,
            advise_max_interval: false,
        }
    }

    fn session() -> (Session, Instant) {
        #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
        let now = Instant::now();
        let mut session = Session::new(Arc::new(rules()), Delivery::Any, true);
        assert!(session.handshaken(now));
        (session, now)
    }

    /// A session whose second connect is held.
    fn parked() -> (Session, Instant, Cycle) {
        let (mut session, now) = session();
        let first = session.connect(None, now).unwrap();
        session.replied(first.cycle, now);
        let second = session.connect(None, now).unwrap();
        assert_eq!(session.hold(second, false, now), Some(20 * SECOND));
        (session, now, second.cycle)
    }

    fn message(n: u32) -> Arc<Frozen> {
        Message::with_data("/a", json!(n)).freeze()
    }

    fn lazy() -> Arc<Frozen> {
        let mut message = Message::new("/a");
        message.lazy = true;
        message.freeze()
    }

    fn deliver(session: &mut Session, message: Arc<Frozen>, now: Instant) -> bool {
        match session.deliver(message, None, None, now) {
            Delivered::Queued { wake, .. } => wake,
            Delivered::Dropped | Delivered::Gone | Delivered::Overflowed => {
                panic!("the message was not queued")
            }
        }
    }

    #[test]
    fn handshake_without_connect_expires() {
        let (session, now) = session();
        assert!(!session.is_over(now + 9 * SECOND));
        assert!(session.is_over(now + 10 * SECOND));
    }

    #[test]
    fn first_connect_is_answered_at_once() {
        let (mut session, now) = session();
        let accepted = session.connect(None, now).unwrap();
        assert_eq!(session.hold(accepted, false, now), None);
    }

    #[test]
    fn parked_connect_is_answered_by_the_first_delivery() {
        let (mut session, now, cycle) = parked();
        assert_eq!(session.held(cycle, false, now), Held::Wait(now + 20 * SECOND));
        assert!(deliver(&mut session, message(1), now));
        assert_eq!(session.held(cycle, false, now), Held::Resume);
        assert_eq!(session.drain_with_reply().1.len(), 1);
    }

    #[test]
    fn parked_connect_is_answered_when_its_time_is_over() {
        let (mut session, now, cycle) = parked();
        let later = now + 20 * SECOND;
        assert_eq!(session.held(cycle, false, later), Held::TimedOut);
        session.replied(cycle, later);
        assert!(!session.is_over(later + 9 * SECOND));
        assert!(session.is_over(later + 10 * SECOND));
    }

    #[test]
    fn a_connection_that_pushes_keeps_its_connect_parked() {
        let (mut session, now, cycle) = parked();
        deliver(&mut session, message(1), now);
        assert_eq!(session.held(cycle, true, now), Held::Wait(now + 20 * SECOND));
        assert_eq!(session.push(now).unwrap().len(), 1);
        assert!(session.push(now).is_none());
    }

    #[test]
    fn an_older_connect_is_overtaken_and_changes_nothing_any_more() {
        let (mut session, now, old) = parked();
        let new = session.connect(None, now).unwrap();
        assert_eq!(session.held(old, false, now), Held::Overtaken);
        session.replied(old, now);
        assert_eq!(session.hold(new, false, now), Some(20 * SECOND));
    }

    #[test]
    fn nothing_is_delivered_with_an_overtaken_connect() {
        let (mut session, now, old) = parked();
        let new = session.connect(None, now).unwrap();
        deliver(&mut session, message(1), now);
        assert!(session.drain_with_connect(old).1.is_empty());
        assert_eq!(session.drain_with_connect(new.cycle).1.len(), 1);
    }

    #[test]
    fn a_broken_carrier_leaves_the_session_its_silence() {
        let (mut session, now, cycle) = parked();
        session.replied(cycle, now);
        assert_eq!(session.deadline(), Some(now + 10 * SECOND));
    }

    #[test]
    fn messages_extend_the_life_and_never_shorten_it() {
        let (mut session, now) = session();
        session.touch(now + 5 * SECOND);
        assert_eq!(session.deadline(), Some(now + 15 * SECOND));
        session.touch(now);
        assert_eq!(session.deadline(), Some(now + 15 * SECOND));
    }

    #[test]
    fn advised_timeout_and_interval_are_for_one_connect() {
        let (mut session, now, _) = parked();
        let advice = Advice { timeout: Some(0), interval: Some(5000), ..Advice::default() };
        let accepted = session.connect(Some(&advice), now).unwrap();
        assert_eq!(session.hold(accepted, false, now), None);
        let advised = session.take_advice(Some(ConnectionType::LongPolling)).unwrap();
        assert_eq!((advised.timeout, advised.interval), (Some(20_000), Some(5000)));
        session.replied(accepted.cycle, now);
        assert_eq!(session.deadline(), Some(now + 15 * SECOND));

        let accepted = session.connect(None, now).unwrap();
        assert_eq!(session.hold(accepted, false, now), Some(20 * SECOND));
        session.replied(accepted.cycle, now);
        assert_eq!(session.deadline(), Some(now + 10 * SECOND));
    }

    #[test]
    fn a_client_cannot_ask_for_eternity() {
        let (mut session, now, _) = parked();
        let advice =
            Advice { timeout: Some(i64::MAX), interval: Some(i64::MAX), ..Advice::default() };
        let accepted = session.connect(Some(&advice), now).unwrap();
        assert_eq!(session.hold(accepted, false, now), Some(600 * SECOND));
        session.replied(accepted.cycle, now);
        assert_eq!(session.deadline(), Some(now + 610 * SECOND));
    }

    #[test]
    fn advice_is_given_once_per_transport() {
        let (mut session, now) = session();
        let (polling, ws) = (Some(ConnectionType::LongPolling), Some(ConnectionType::WebSocket));
        assert!(session.take_advice(polling).is_some());
        assert_eq!(session.take_advice(polling), None);
        assert!(session.take_advice(ws).is_some());
        session.set_timeout(Some(SECOND));
        assert_eq!(session.take_advice(ws).unwrap().timeout, Some(1000));
        session.connect(Some(&Advice::default()), now);
        assert!(session.take_advice(ws).is_some());
    }

    #[test]
    fn a_batch_holds_deliveries_back() {
        let (mut session, now, cycle) = parked();
        session.start_batch();
        assert!(!deliver(&mut session, message(1), now));
        assert_eq!(session.held(cycle, false, now), Held::Wait(now + 20 * SECOND));
        assert!(session.end_batch());
        assert_eq!(session.held(cycle, false, now), Held::Resume);
        assert!(!session.end_batch() || session.is_due(now));
    }

    #[test]
    fn a_lazy_time_goes_with_its_message() {
        let (mut session, now, cycle) = parked();
        session.enable_acknowledgements();
        deliver(&mut session, lazy(), now);
        // It was never sent.
        session.acknowledge(1_000_000);
        assert_eq!(session.held(cycle, false, now), Held::Wait(now + 20 * SECOND));
    }

    #[test]
    fn the_earlier_of_two_lazy_times_counts() {
        let (mut session, now, cycle) = parked();
        assert!(deliver(&mut session, lazy(), now));
        assert_eq!(session.held(cycle, false, now), Held::Wait(now + 5 * SECOND));
        session.deliver(lazy(), Some(SECOND), None, now);
        assert!(!deliver(&mut session, lazy(), now));
        assert_eq!(session.held(cycle, false, now), Held::Wait(now + SECOND));
        assert_eq!(session.held(cycle, false, now + SECOND), Held::Resume);
        assert_eq!(session.drain_with_reply().1.len(), 3);
    }

    #[test]
    fn a_lazy_message_whose_time_came_while_away_is_due_at_the_next_connect() {
        let (mut session, now, cycle) = parked();
        session.replied(cycle, now);
        deliver(&mut session, lazy(), now);
        let early = session.connect(None, now + SECOND).unwrap();
        assert!(session.hold(early, false, now + SECOND).is_some());
        let late = session.connect(None, now + 6 * SECOND).unwrap();
        assert_eq!(session.hold(late, false, now + 6 * SECOND), None);
    }

    #[test]
    fn an_unacknowledged_message_answers_the_next_connect() {
        let (mut session, now, cycle) = parked();
        session.enable_acknowledgements();
        deliver(&mut session, message(1), now);
        assert!(session.push(now).is_none());
        assert_eq!(session.held(cycle, true, now), Held::Resume);
        assert_eq!(session.drain_with_reply().0, Some(1));

        let again = session.connect(None, now).unwrap();
        session.acknowledge(0);
        assert_eq!(session.hold(again, false, now), None);
        let last = session.connect(None, now).unwrap();
        session.acknowledge(1);
        assert_eq!(session.hold(last, false, now), Some(20 * SECOND));
    }

    #[test]
    fn a_full_queue_ends_the_session_and_an_ended_one_takes_nothing() {
        let (mut session, now, cycle) = parked();
        for n in 0..3 {
            deliver(&mut session, message(n), now);
        }
        assert_eq!(session.deliver(message(3), None, None, now), Delivered::Overflowed);
        assert!(session.remove(Removal::Overflowed) && !session.remove(Removal::Expired));
        assert_eq!(session.deliver(message(4), None, None, now), Delivered::Gone);
        assert_eq!(session.held(cycle, false, now), Held::Resume);
        assert!(session.connect(None, now).is_none());
        assert_eq!(session.removal(), Some(Removal::Overflowed));
    }

    mod any_order {
        use proptest::prelude::*;

        use super::*;

        #[derive(Clone, Debug)]
        enum Input {
            Handshake,
            Connect { timeout: Option<i64>, interval: Option<i64> },
            Hold { pushes: bool },
            Held { pushes: bool, cycle: u64 },
            Replied { cycle: u64 },
            Message,
            Deliver { lazy: bool },
            Push,
            DrainAndFail,
            DrainWithReply,
            EnableAcknowledgements,
            Acknowledge(u64),
            StartBatch,
            EndBatch,
            Remove,
            Wait(u64),
        }

        fn input() -> impl Strategy<Value = Input> {
            prop_oneof![
                Just(Input::Handshake),
                (any::<Option<i64>>(), any::<Option<i64>>())
                    .prop_map(|(timeout, interval)| Input::Connect { timeout, interval }),
                Just(Input::Connect { timeout: None, interval: None }),
                any::<bool>().prop_map(|pushes| Input::Hold { pushes }),
                (any::<bool>(), 0..9_u64).prop_map(|(pushes, cycle)| Input::Held { pushes, cycle }),
                (0..9_u64).prop_map(|cycle| Input::Replied { cycle }),
                Just(Input::Message),
                any::<bool>().prop_map(|lazy| Input::Deliver { lazy }),
                Just(Input::Push),
                Just(Input::DrainAndFail),
                Just(Input::DrainWithReply),
                Just(Input::EnableAcknowledgements),
                (0..9_u64).prop_map(Input::Acknowledge),
                Just(Input::StartBatch),
                Just(Input::EndBatch),
                Just(Input::Remove),
                (0..40_000_u64).prop_map(Input::Wait),
            ]
        }

        proptest! {
            #[test]
            fn every_live_session_has_a_deadline_within_reach(
                inputs in proptest::collection::vec(input(), 0..80),
            ) {
                #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
                let mut now = Instant::now();
                let mut session = Session::new(Arc::new(rules()), Delivery::Any, true);
                let mut accepted = Accepted { cycle: Cycle(0), was_connected: false };
                for input in inputs {
                    match input {
                        Input::Handshake => drop(session.handshaken(now)),
                        Input::Connect { timeout, interval } => {
                            let advice = Advice { timeout, interval, ..Advice::default() };
                            let connect = session.connect(Some(&advice), now);
                            accepted = connect.unwrap_or(accepted);
                        }
                        Input::Hold { pushes } => drop(session.hold(accepted, pushes, now)),
                        Input::Held { pushes, cycle } => {
                            session.held(Cycle(cycle), pushes, now);
                        }
                        Input::Replied { cycle } => session.replied(Cycle(cycle), now),
                        Input::Message => session.touch(now),
                        Input::Deliver { lazy: true } => {
                            session.deliver(lazy(), None, None, now);
                        }
                        Input::Deliver { lazy: false } => {
                            let message = message(0);
                            session.deliver(message, None, Some(Overflow::DropOldest), now);
                        }
                        Input::Push => drop(session.push(now)),
                        Input::DrainAndFail => {
                            let failed = session.drain_with_response();
                            session.put_back(failed);
                        }
                        Input::DrainWithReply => drop(session.drain_with_reply()),
                        Input::EnableAcknowledgements => session.enable_acknowledgements(),
                        Input::Acknowledge(batch) => session.acknowledge(batch),
                        Input::StartBatch => session.start_batch(),
                        Input::EndBatch => drop(session.end_batch()),
                        Input::Remove => drop(session.remove(Removal::Removed)),
                        Input::Wait(millis) => {
                            now += Duration::from_millis(millis);
                            if session.is_over(now) {
                                session.remove(Removal::Expired);
                            }
                        }
                    }
                    let deadline = session.deadline();
                    prop_assert_eq!(deadline.is_some(), session.is_handshook());
                    let reach = rules().max_advised + rules().max_processing + rules().max_interval;
                    prop_assert!(deadline.is_none_or(|deadline| deadline <= now + reach));
                    let depth = session.depth();
                    prop_assert!(depth.messages <= rules().bounds.messages);
                    prop_assert!(depth.bytes <= rules().bounds.bytes);
                }
            }
        }
    }
}
