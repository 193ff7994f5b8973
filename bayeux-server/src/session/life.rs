//! How a session lives: from its handshake to its end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{Advice, ConnectionType, Frozen, implement::lock, server::Removal};

use crate::{
    channel::Channel,
    clock,
    driver::Timers,
    proto::{
        queue::Since,
        session::{Accepted, Cycle},
    },
    session::{Core, Session},
};

/// What is left to do when a session has ended.
pub(crate) struct Ended {
    pub(crate) subscriptions: Vec<Arc<Channel>>,
    /// How many messages will not be delivered.
    pub(crate) dropped: usize,
}

/// What a connect says the client has got: all batches up to this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ack {
    pub(crate) batch: u64,
    pub(crate) since: Since,
}

/// Stands for a request that is worked on, for longer than a moment: its session lives meanwhile.
#[derive(Debug)]
pub(crate) struct AtWork(Arc<Session>);

impl AtWork {
    pub(crate) fn begin(session: &Arc<Session>) -> Self {
        lock(&session.core).machine.begin_work(clock::now());
        Self(session.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let now = clock::now();
        let is_dismissed = self.0.with_timer(|core| {
            core.machine.end_work(now);
            core.machine.is_dismissed()
        });
        if is_dismissed {
            self.0.wake();
        }
    }
}

impl Session {
    /// Notes that the handshake succeeded; false when this session is not a new one.
    pub(crate) fn handshaken(&self) -> bool {
        let now = clock::now();
        self.with_timer(|core| core.machine.handshaken(now))
    }

    /// Notes that the client was heard of.
    pub(crate) fn touch(&self) {
        lock(&self.core).machine.touch(clock::now());
    }

    /// Accepts a connect; one that is held is overtaken and woken to see it.
    pub(crate) fn connect(&self, advice: Option<&Advice>, ack: Option<Ack>) -> Option<Accepted> {
        let now = clock::now();
        let (accepted, tell) = self.with_timer(|core| {
            let accepted = core.machine.connect(advice, now);
            if let Some(ack) = ack.filter(|_| core.machine.is_acknowledged()) {
                core.machine.acknowledge(ack.batch, ack.since);
            }
            accepted
        })?;
        tell.wake();
        Some(accepted)
    }

    /// Notes that the reply to the handshake or a connect was written, or never will be.
    pub(crate) fn replied(&self, cycle: Cycle) {
        let now = clock::now();
        self.with_timer(|core| core.machine.replied(cycle, now));
    }

    /// Ends the session, with a last message to its client: from here on it takes nothing more, and all
    /// who carry it see that.
    pub(crate) fn end(&self, removal: Removal, farewell: Option<Arc<Frozen>>) -> Ended {
        let server = self.server.upgrade();
        let mut core = lock(&self.core);
        let dropped = core.machine.end(removal, farewell, clock::now());
        if let (Some(timer), Some(server)) = (core.timer.take(), &server) {
            server.timers.disarm(timer);
        }
        let subscriptions = core.subscriptions.take().to_vec();
        core.lookouts.tell();
        drop(core);
        self.wake();
        Ended { subscriptions, dropped }
    }

    /// Tells whether the session's time is over; if not, the timers get to know when it will be.
    pub(crate) fn is_over_or_arms(&self, timers: &Timers, now: Instant) -> bool {
        let mut core = lock(&self.core);
        if core.machine.is_over(now) {
            return true;
        }
        if core.timer.is_some_and(|timer| timer.at > now) {
            // The deadline moved while the driver came here.
            return false;
        }
        core.timer = None;
        self.arm(&mut core, timers);
        false
    }

    pub(super) fn with_timer<T>(&self, change: impl FnOnce(&mut Core) -> T) -> T {
        // Not dropped under the lock: the last handle of a server ends its sessions.
        let server = self.server.upgrade();
        let mut core = lock(&self.core);
        let result = change(&mut core);
        if let Some(server) = &server {
            self.arm(&mut core, &server.timers);
        }
        result
    }

    fn arm(&self, core: &mut Core, timers: &Timers) {
        let Some(deadline) = core.machine.deadline() else { return };
        let is_earlier = core.timer.is_none_or(|timer| deadline < timer.at);
        if is_earlier && self.origin.transport.is_some() {
            core.timer = Some(timers.arm(core.timer, deadline, self.me.clone()));
        }
    }

    /// Tells whether the client is not in this process.
    pub(crate) fn is_of_network(&self) -> bool {
        self.origin.transport.is_some_and(|transport| transport != ConnectionType::InProcess)
    }

    /// Sends the client away for so long, since the server ends.
    pub(crate) fn dismiss(&self, absence: Duration) {
        lock(&self.core).machine.dismiss(absence);
        self.wake();
    }

    /// Returns for how long the client is sent away, which the reply to a connect is to tell it; it may wait
    /// for another reply if this is not the last.
    pub(crate) fn tell_dismissal(&self, is_last: bool) -> Option<Duration> {
        lock(&self.core).machine.tell_dismissal(is_last)
    }

    pub(crate) fn is_dismissed(&self) -> bool {
        lock(&self.core).machine.is_dismissed()
    }

    /// Whether the client was told that it is sent away.
    pub(crate) fn knows_dismissal(&self) -> bool {
        lock(&self.core).machine.knows_dismissal()
    }

    /// Whether a server that ends has nothing more to do for this session.
    pub(crate) fn is_settled(&self, now: Instant) -> bool {
        lock(&self.core).machine.is_settled(now)
    }

    pub(crate) fn removal(&self) -> Option<Removal> {
        lock(&self.core).machine.removal()
    }
}
