//! How a session lives: its connects, and when it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{
    Advice, Frozen,
    server::{Overflow, Removal},
};

use crate::proto::{
    after,
    carriage::{Means, Tell, Turn},
    session::{Accepted, Ahead, Cycle, Delivered, Held, Hold, Phase, Presence, Session, Stage},
};

impl<C: Clone + PartialEq> Session<C> {
    /// The handshake succeeded; false when the session is not a new one.
    pub(crate) fn handshaken(&mut self, now: Instant) -> bool {
        if self.phase != Phase::New {
            return false;
        }
        self.phase = Phase::Live(Stage::Handshaken, self.busy(now));
        true
    }

    /// A message arrived that is not a connect: the session lives at least for another while.
    pub(crate) fn touch(&mut self, now: Instant) {
        if let Phase::Live(_, Presence::Away(since)) = &mut self.phase {
            *since = now.max(*since);
        }
    }

    /// A request is worked on, and the next connect may be behind it: the session lives meanwhile.
    pub(crate) fn begin_work(&mut self, now: Instant) {
        self.works += 1;
        self.works_until = Some(after(now, self.rules.max_processing));
    }

    /// That is done, and the client has time for its connect. If it is sent away, [everybody](Self::everybody)
    /// has to see it.
    pub(crate) fn end_work(&mut self, now: Instant) {
        self.works = self.works.saturating_sub(1);
        if self.works == 0 {
            self.works_until = None;
        }
        self.touch(now);
    }

    /// A connect arrived, with its advice; one that is held is overtaken, and its carrier is to be told.
    /// None when the session does not live.
    pub(crate) fn connect(
        &mut self,
        advice: Option<&Advice>,
        now: Instant,
    ) -> Option<(Accepted, Tell<C>)> {
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
        let may_wait = stage == Stage::Connected && !self.time_to_hold().is_zero();
        Some((Accepted { cycle: self.cycle, may_wait }, self.carriage.call()))
    }

    /// Holds the connect unless it has to be answered at once. If it is the newest, the session is
    /// carried by `carrier` from now on, or, if that is a request which is answered, by nobody; the
    /// carrier before is to be told.
    pub(crate) fn hold(
        &mut self,
        accepted: Accepted,
        carrier: &C,
        means: Means,
        now: Instant,
    ) -> (Hold, Tell<C>) {
        if accepted.cycle != self.cycle {
            return (Hold::Overtaken, Tell::Nobody);
        }
        let Phase::Live(stage, Presence::Busy(_)) = self.phase else {
            return (Hold::Not, Tell::Nobody);
        };
        let timeout = self.time_to_hold();
        // The connection that brought it carries the session from here on.
        if self.ahead == Ahead::May && means != Means::Reply {
            self.ahead = Ahead::Goes;
        }
        let has_reason = !self.pushes(means) && self.is_due(now);
        let is_held = accepted.may_wait && !timeout.is_zero() && !has_reason;
        if is_held {
            self.phase = Phase::Live(stage, Presence::Held(after(now, timeout)));
        }
        let before = match means {
            // It has looked just now.
            Means::Reply if is_held => self.carriage.take(carrier, means, Turn::Waits),
            Means::Reply => self.carriage.release(),
            Means::Push | Means::Lend => self.carriage.take(carrier, means, Turn::Again),
        };
        (if is_held { Hold::For(timeout) } else { Hold::Not }, Tell::from(before))
    }

    /// For how long the newest connect may be held.
    fn time_to_hold(&self) -> Duration {
        if self.is_leaving() {
            return Duration::ZERO;
        }
        self.timing(|timing| timing.advised_timeout).unwrap_or_else(|| self.timeout())
    }

    /// Answers the connect of `cycle` with a request that cannot hold it; the carrier before is to be
    /// told.
    pub(crate) fn release(&mut self, cycle: Cycle) -> Tell<C> {
        let is_newest = cycle == self.cycle && self.is_handshook();
        Tell::from(if is_newest { self.carriage.release() } else { None })
    }

    /// Asks what a held connect does now.
    pub(crate) fn held(&mut self, cycle: Cycle, means: Means, now: Instant) -> Held {
        if cycle != self.cycle {
            return Held::Overtaken;
        }
        let Phase::Live(stage, Presence::Held(until)) = self.phase else { return Held::Resume };
        let pushes = self.pushes(means);
        let is_due = !pushes && self.is_due(now) || self.is_leaving();
        if !is_due && now < until {
            let lazy = self.lazy_until.filter(|_| !pushes && self.batch == 0);
            return Held::Wait(lazy.map_or(until, |lazy| lazy.min(until)));
        }
        self.phase = Phase::Live(stage, self.busy(now));
        if is_due { Held::Resume } else { Held::TimedOut }
    }

    /// Takes back that the connect of `cycle` is held: it is answered at once after all.
    pub(crate) fn let_go(&mut self, cycle: Cycle, carrier: &C, now: Instant) {
        self.carriage.leave(carrier);
        if let Phase::Live(stage, Presence::Held(_)) = self.phase
            && cycle == self.cycle
        {
            self.phase = Phase::Live(stage, self.busy(now));
        }
    }

    /// The reply to the connect or handshake of `cycle` was written, or never will be. The client may
    /// be away for as long as it was told, and some more.
    pub(crate) fn replied(&mut self, cycle: Cycle, now: Instant) {
        if cycle != self.cycle {
            return;
        }
        if let Phase::Live(stage, Presence::Busy(_) | Presence::Held(_)) = self.phase {
            let since = after(now, self.current_interval());
            self.phase = Phase::Live(stage, Presence::Away(since));
        }
    }

    /// Ends the session, with a last message to its client; returns how many messages were dropped.
    /// [Everybody](Self::everybody) has to see it.
    pub(crate) fn end(
        &mut self,
        removal: Removal,
        farewell: Option<Arc<Frozen>>,
        now: Instant,
    ) -> usize {
        let mut dropped = 0;
        if let Some(farewell) = farewell
            && let (Delivered::Queued { dropped: others }, _) =
                self.deliver(farewell, None, Some(Overflow::DropOldest), now)
        {
            dropped = others;
        }
        self.remove(removal);
        match removal {
            Removal::Expired | Removal::Overflowed => dropped + self.clear(),
            Removal::Disconnected | Removal::Removed => dropped,
            _ => dropped,
        }
    }

    pub(super) fn remove(&mut self, removal: Removal) {
        if !matches!(self.phase, Phase::Gone(_)) {
            self.phase = Phase::Gone(removal);
        }
    }

    /// Tells whether the session's time is over.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    /// When the session next has to be looked at; always known while it lives.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::New | Phase::Gone(_) => None,
            Phase::Live(_, Presence::Away(since)) => {
                self.works_until.max(Some(after(since, self.max_interval())))
            }
            Phase::Live(_, Presence::Busy(until)) => Some(until),
            // Whoever holds the connect answers it in time; this is for when nobody does.
            Phase::Live(_, Presence::Held(until)) => Some(after(until, self.rules.max_processing)),
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
            Phase::Gone(_) => "DISCONNECTED",
        }
    }

    pub(crate) fn removal(&self) -> Option<Removal> {
        match self.phase {
            Phase::Gone(removal) => Some(removal),
            Phase::New | Phase::Live(..) => None,
        }
    }

    /// Whether messages go out over a carrier without the reply to its held connect.
    fn pushes(&self, means: Means) -> bool {
        means != Means::Reply && self.is_pushed()
    }

    /// Returns how long anything may take that is done for the session.
    pub(crate) fn max_processing(&self) -> Duration {
        self.rules.max_processing
    }

    pub(super) fn busy(&self, now: Instant) -> Presence {
        Presence::Busy(after(now, self.rules.max_processing))
    }
}
