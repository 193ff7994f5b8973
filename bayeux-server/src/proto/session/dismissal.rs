//! A client that is sent away, since its server ends: for how long, and whether it knows.
//!
//! Its connects are answered at once from then on, or as soon as nothing of it is worked on. The first such
//! reply tells it to begin anew after a while, and takes along what waits for it; nothing that comes later can
//! reach it.

use std::time::{Duration, Instant};

use crate::proto::{
    after,
    session::{Phase, Presence, Session},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dismissal {
    /// For how long the client is to stay away.
    absence: Duration,
    /// Whether a reply says so that was not seen to be lost.
    is_told: bool,
}

/// How late a client may come with its next connect and still be waited for.
const GRACE: Duration = Duration::from_secs(1);

impl<C: Clone + PartialEq> Session<C> {
    /// Sends the client away, for `absence`, unless it was sent before. [Everybody](Self::everybody) has to
    /// see it.
    pub(crate) fn dismiss(&mut self, absence: Duration) {
        if !self.is_dismissed() {
            let dismissal = Dismissal { absence, is_told: false };
            self.change_timing(|timing| timing.dismissal = Some(dismissal));
        }
    }

    /// Returns for how long the client stays away, which the reply to a connect is to tell it; none if it
    /// is not sent away, or may come once more, unless this is the last reply.
    pub(crate) fn tell_dismissal(&mut self, is_last: bool) -> Option<Duration> {
        let Dismissal { absence, .. } =
            self.dismissal().filter(|_| is_last || self.is_leaving())?;
        self.change_timing(|timing| timing.dismissal = Some(Dismissal { absence, is_told: true }));
        Some(absence)
    }

    /// The reply that told it is known not to have arrived.
    pub(crate) fn was_not_told(&mut self) {
        if let Some(Dismissal { absence, .. }) = self.dismissal() {
            let dismissal = Dismissal { absence, is_told: false };
            self.change_timing(|timing| timing.dismissal = Some(dismissal));
        }
    }

    pub(crate) fn is_dismissed(&self) -> bool {
        self.dismissal().is_some()
    }

    /// Whether the client is to go now: there are no answers that its last reply might have to bring.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_dismissed() && self.works == 0
    }

    pub(crate) fn knows_dismissal(&self) -> bool {
        self.dismissal().is_some_and(|dismissal| dismissal.is_told)
    }

    /// Whether a server that ends has nothing more to do for this session: its client knows, and has what
    /// waited for it; or nothing waits or is worked on, and the client did not come when it should have. What
    /// is not acknowledged may not have arrived, and waits.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        match self.phase {
            Phase::New | Phase::Gone(_) => true,
            Phase::Live(_, Presence::Away(since)) => {
                let is_late = after(since, GRACE) <= now;
                self.knows_dismissal() || is_late && self.works == 0 && self.queue.is_empty()
            }
            Phase::Live(_, Presence::Busy(_) | Presence::Held(_)) => false,
        }
    }

    fn dismissal(&self) -> Option<Dismissal> {
        self.timing.as_deref().and_then(|timing| timing.dismissal)
    }
}
