//! How a session lives: its connects, and when it ends.

use std::time::{Duration, Instant};

use bayeux_api::{Advice, server::Removal};

use crate::proto::{
    after,
    session::{Accepted, Cycle, Delivery, Held, Phase, Presence, Session, Stage},
};

impl Session {
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
    pub(super) fn pushes(&self, carrier_can: bool) -> bool {
        carrier_can && self.delivery == Delivery::Any
    }

    pub(super) fn busy(&self, now: Instant) -> Presence {
        Presence::Busy(after(now, self.rules.max_processing))
    }

    /// How long the client may be away after a reply.
    pub(super) fn silence(&self) -> Duration {
        self.current_interval().saturating_add(self.max_interval())
    }
}
