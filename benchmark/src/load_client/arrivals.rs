//! What arrives at the clients: how long it took, and whether it came once and in order.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bayeux_client::{
    TransportListener,
    api::{
        Message,
        client::{FailureKind, TransportFailure},
    },
};
use serde::{Deserialize, Serialize};

use crate::load_client::tally::{Run, Sending, Tally};

/// The payload of a message, with CometD's names.
#[derive(Debug, Serialize)]
pub(crate) struct Payload<'a> {
    pub(crate) room: usize,
    /// The number of the client that sends it.
    pub(crate) user: u32,
    pub(crate) chat: &'a str,
    /// When it was to be sent, in ns of the clock of [`Arrivals`].
    pub(crate) start: u64,
    /// Counts up over all runs.
    pub(crate) msg_id: u64,
}

/// What is read of a payload by the listeners.
#[derive(Deserialize)]
struct Heard {
    user: u32,
    start: u64,
    msg_id: u64,
}

/// What is read of it when it comes from the network.
#[derive(Deserialize)]
struct Seen {
    msg_id: u64,
}

/// All that arrives, of the current run.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// When the clock of the payloads began.
    epoch: Instant,
    received: AtomicU64,
    /// By the number of the client, so that they seldom wait for each other.
    shards: Vec<Mutex<Tally>>,
    problems: Mutex<Problems>,
    is_cut_off: AtomicBool,
}

/// What went wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problems {
    pub(crate) count: u64,
    pub(crate) first: Option<String>,
}

const SHARDS: usize = 16;

impl Arrivals {
    pub(crate) fn new() -> Self {
        let run = Arc::new(Run { first: 0, messages: Vec::new() });
        Self {
            epoch: Instant::now(),
            received: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Mutex::new(Tally::new(run.clone()))).collect(),
            problems: Mutex::default(),
            is_cut_off: AtomicBool::new(false),
        }
    }

    /// Begins a run of so many messages, of which the first has this id. Returns what to tell when
    /// one is sent: its id, and which message of its room it is, counted from 0.
    pub(crate) fn begin(&self, first: u64, messages: u64) -> impl Fn(u64, usize) {
        let messages = (0..messages).map(|_| Sending::default()).collect();
        let run = Arc::new(Run { first, messages });
        for shard in &self.shards {
            *lock(shard) = Tally::new(run.clone());
        }
        *lock(&self.problems) = Problems::default();
        self.received.store(0, Relaxed);
        let epoch = self.epoch;
        move |id, nth| {
            if let Some(sending) = run.sending(id) {
                sending.nth.store(nth, Relaxed);
                sending.at.store(nanos(epoch), Relaxed);
            }
        }
    }

    /// Returns the time of the payloads' clock, in ns.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.epoch)
    }

    /// Returns how many messages have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// Whether the server cannot be reached any more.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.is_cut_off.load(Relaxed)
    }

    pub(crate) fn problems(&self) -> Problems {
        lock(&self.problems).clone()
    }

    pub(crate) fn problem(&self, what: impl FnOnce() -> String) {
        lock(&self.problems).add(what);
    }

    /// Returns what arrived at all.
    pub(crate) fn total(&self) -> Tally {
        let mut total = Tally::new(lock(&self.shards[0]).run.clone());
        self.shards.iter().for_each(|shard| total.add(&lock(shard)));
        total
    }

    /// Takes a message that a listener got.
    pub(crate) fn heard(&self, client: u32, room: u32, message: &Message) {
        let now = self.now();
        let payload = message.data.as_ref().map(|data| data.to::<Heard>());
        let Some(Ok(Heard { user, start, msg_id })) = payload else {
            self.problem(|| format!("what came is no message of this program: {message:?}"));
            return;
        };
        if self.shard(client).heard((client, room, user), start, msg_id, now) {
            self.received.fetch_add(1, Relaxed);
        }
    }

    /// Takes what came together from the network.
    fn seen(&self, client: u32, messages: &[Message]) {
        let now = self.now();
        let published = messages.iter().filter(|message| message.channel().starts_with(PREFIX));
        let mut ids = published
            .filter_map(|message| Some(message.data.as_ref()?.to::<Seen>().ok()?.msg_id))
            .peekable();
        if ids.peek().is_none() {
            return;
        }
        let mut shard = self.shard(client);
        shard.deliveries += 1;
        for id in ids {
            let run = shard.run.clone();
            if let Some(sending) = run.sending(id) {
                let since = now.saturating_sub(sending.at.load(Relaxed));
                shard.network.record(Duration::from_nanos(since));
            }
        }
    }

    fn shard(&self, client: u32) -> MutexGuard<'_, Tally> {
        lock(&self.shards[client as usize % SHARDS])
    }
}

impl Problems {
    fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        self.first.get_or_insert_with(what);
    }
}

/// Sees the traffic of one client.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) client: u32,
    pub(crate) arrivals: Arc<Arrivals>,
}

impl TransportListener for Watch {
    fn messages(&self, messages: &[Message]) {
        self.arrivals.seen(self.client, messages);
        for refused in messages.iter().filter(|reply| reply.successful == Some(false)) {
            self.arrivals.problem(|| {
                let error = refused.error.as_deref().unwrap_or("no reason given");
                format!("client {}: {} refused: {error}", self.client, refused.channel())
            });
        }
    }

    fn failure(&self, failure: &TransportFailure, requests: &[Message]) {
        let arrivals = &self.arrivals;
        let channels: Vec<_> = requests.iter().map(Message::channel).collect();
        arrivals.problem(|| format!("client {}: {} {failure}", self.client, channels.join(", ")));
        if failure.kind == FailureKind::Unreachable {
            arrivals.is_cut_off.store(true, Relaxed);
        }
    }
}

/// What the channels of the messages begin with.
pub(crate) const PREFIX: &str = "/bench";

fn nanos(epoch: Instant) -> u64 {
    u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(user: u32, msg_id: u64) -> Message {
        let payload =
            serde_json::json!({ "user": user, "start": 0, "msg_id": msg_id, "chat": "x" });
        Message::with_data("/bench/a/1", payload)
    }

    #[test]
    fn what_comes_again_or_late_is_told_of() {
        let arrivals = Arrivals::new();
        let sent = arrivals.begin(100, 10);
        (0..10).for_each(|nth| sent(100 + nth as u64, nth));
        for (user, id) in [(1, 100), (2, 103), (1, 102), (1, 102), (1, 101), (2, 99), (2, 110)] {
            arrivals.heard(5, 1, &message(user, id));
        }
        let total = arrivals.total();
        assert_eq!((arrivals.received(), total.latency.len()), (4, 4));
        assert_eq!((total.repeated, total.disordered, total.strays), (1, 1, 2));
    }

    #[test]
    fn a_delivery_counts_once_and_only_with_messages() {
        let arrivals = Arc::new(Arrivals::new());
        let sent = arrivals.begin(0, 10);
        sent(3, 0);
        sent(4, 1);
        let watch = Watch { client: 7, arrivals: arrivals.clone() };
        let mut refused = Message::new("/bench/a/1");
        refused.successful = Some(false);
        watch.messages(&[message(1, 3), message(1, 4)]);
        watch.messages(&[refused]);
        let total = arrivals.total();
        assert_eq!((total.deliveries, total.network.len()), (1, 2));
        assert_eq!(arrivals.problems().count, 1);
    }
}
