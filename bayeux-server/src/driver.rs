//! The only timers of sessions: ends sessions whose time is over and sweeps unused channels.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bayeux_api::{implement::lock, server::Removal};
use tokio::sync::Notify;

use crate::{
    clock::now,
    proto::after,
    server::{Inner, Server},
    session::Session,
};

/// When which session has to be looked at. Each session is here once; times are rounded up, so that one
/// wake-up serves many sessions.
#[derive(Debug)]
pub(crate) struct Timers {
    start: Instant,
    due: Mutex<Due>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Due {
    sessions: BTreeMap<Timer, Weak<Session>>,
    last: u64,
}

/// When a session is looked at; of those at the same time each has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timer {
    pub(crate) at: Instant,
    number: u64,
}

const STEP: Duration = Duration::from_millis(50);

/// A wait in which nobody notices a step.
const LONG: Duration = Duration::from_secs(1);

impl Timers {
    pub(crate) fn new() -> Self {
        Self { start: now(), due: Mutex::default(), changed: Arc::default() }
    }

    /// Looks at `session` soon after `deadline`, and no more at the time of the timer before.
    pub(crate) fn arm(
        &self,
        before: Option<Timer>,
        deadline: Instant,
        session: Weak<Session>,
    ) -> Timer {
        let at = self.next_step(deadline);
        let mut due = lock(&self.due);
        due.last += 1;
        let timer = Timer { at, number: due.last };
        let is_first = due.sessions.first_key_value().is_none_or(|(first, _)| at < first.at);
        due.sessions.insert(timer, session);
        let gone = before.and_then(|before| due.sessions.remove(&before));
        drop(due);
        drop(gone);
        if is_first {
            self.changed.notify_one();
        }
        timer
    }

    /// Forgets the session of this timer, which would otherwise keep its memory until then.
    pub(crate) fn disarm(&self, timer: Timer) {
        let gone = lock(&self.due).sessions.remove(&timer);
        drop(gone);
    }

    /// Returns when to end a wait until `until`: a long one ends together with others, up to 50 ms late,
    /// since a wake-up for each of many idle sessions costs more than what it is for.
    pub(crate) fn round(&self, until: Instant, now: Instant) -> Instant {
        let is_long = until.saturating_duration_since(now) >= LONG;
        if is_long { self.next_step(until) } else { until }
    }

    /// Lets the driver see that the server has gone.
    pub(crate) fn end(&self) {
        self.changed.notify_one();
    }

    fn next_step(&self, after: Instant) -> Instant {
        let steps = after.saturating_duration_since(self.start).as_millis() / STEP.as_millis();
        let steps = u32::try_from(steps).unwrap_or(u32::MAX - 1);
        self.start + STEP * (steps + 1)
    }

    fn next(&self) -> Option<Instant> {
        lock(&self.due).sessions.first_key_value().map(|(timer, _)| timer.at)
    }

    fn take_due(&self, now: Instant) -> Vec<Weak<Session>> {
        let mut due = lock(&self.due);
        let mut sessions = Vec::new();
        while let Some(entry) = due.sessions.first_entry() {
            if entry.key().at > now {
                break;
            }
            sessions.push(entry.remove());
        }
        sessions
    }
}

/// Says that a server is driven, until the driver ends: with the server, or with the runtime that the
/// driver is on, so that another one can take over.
#[derive(Debug)]
pub(crate) struct Driving(Weak<Inner>);

impl Driving {
    pub(crate) fn of(server: &Arc<Inner>) -> Self {
        Self(Arc::downgrade(server))
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        if let Some(server) = self.0.upgrade() {
            server.is_driven.store(false, Relaxed);
        }
    }
}

/// Runs until the server is stopped or dropped.
pub(crate) async fn run(driving: Driving) {
    let server = &driving.0;
    let Some((changed, period)) =
        server.upgrade().map(|inner| (inner.timers.changed.clone(), inner.config.sweep_period))
    else {
        return;
    };
    let mut next_sweep: tokio::time::Instant = after(now(), period).into();
    loop {
        let Some(inner) = server.upgrade().filter(|inner| !inner.is_stopped()) else { return };
        let wake = inner.timers.next().map_or(next_sweep, |next| next_sweep.min(next.into()));
        drop(inner);
        tokio::select! {
            biased;
            () = changed.notified() => {}
            () = tokio::time::sleep_until(wake) => {}
        }
        let Some(server) = server.upgrade().map(Server) else { return };
        end_expired(&server);
        if next_sweep <= tokio::time::Instant::now() {
            server.sweep().await;
            next_sweep = after(now(), period).into();
        }
    }
}

fn end_expired(server: &Server) {
    let now = now();
    for session in server.0.timers.take_due(now).iter().filter_map(Weak::upgrade) {
        if session.is_over_or_arms(&server.0.timers, now) {
            // A task of its own, since the application's listeners may wait.
            let server = server.clone();
            tokio::spawn(async move { server.end_session(&session, Removal::Expired, None).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_has_one_timer_however_long_it_lives_and_none_after() {
        let server = Server::new();
        let client = server.in_process();
        let reply = client.send(r#"[{"channel":"/meta/handshake"}]"#).await.unwrap();
        let id = reply.split("\"clientId\":\"").nth(1).unwrap().split('"').next().unwrap();
        let connect = format!(r#"[{{"channel":"/meta/connect","clientId":"{id}"}}]"#);
        // Eight hours.
        for _ in 0..1440 {
            client.send(&connect).await.unwrap();
        }
        let timers = || lock(&server.0.timers.due).sessions.len();
        assert_eq!(timers(), 1);
        client
            .send(&format!(r#"[{{"channel":"/meta/disconnect","clientId":"{id}"}}]"#))
            .await
            .unwrap();
        assert_eq!(timers(), 0);
    }
}
