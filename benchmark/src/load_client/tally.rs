//! The account of what arrived: at some of the clients, or in the end at all of them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::histogram::Times;

/// What arrived.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(super) run: Arc<Run>,
    pub(crate) latency: Times,
    /// From the call that sends to the arrival from the network, before the listeners.
    pub(crate) network: Times,
    /// Deliveries that had a message at least.
    pub(crate) deliveries: u64,
    /// The longest latency in ns, and the message that had it.
    pub(crate) slowest: (u64, u64),
    /// When the last message came, in ns.
    pub(crate) last: u64,
    /// Messages that came again.
    pub(crate) repeated: u64,
    /// Messages that came after a later one of their publisher in the room.
    pub(crate) disordered: u64,
    /// Messages of an earlier run.
    pub(crate) strays: u64,
    /// The latest message to a client in a room by a publisher.
    latest: HashMap<(u32, u32, u32), u64>,
    /// Which of a room's messages a client has, a bit for each.
    had: HashMap<(u32, u32), Vec<u64>>,
}

/// The messages of a run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) messages: Vec<Sending>,
}

/// A message that is sent, or will be.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// When, in ns.
    pub(super) at: AtomicU64,
    /// Which message of its room it is, counted from 0.
    pub(super) nth: AtomicUsize,
}

impl Tally {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self {
            run,
            latency: Times::new(),
            network: Times::new(),
            deliveries: 0,
            slowest: (0, 0),
            last: 0,
            repeated: 0,
            disordered: 0,
            strays: 0,
            latest: HashMap::new(),
            had: HashMap::new(),
        }
    }

    /// Takes a message; false when it is of an earlier run, or came before.
    pub(super) fn heard(&mut self, of: (u32, u32, u32), start: u64, id: u64, now: u64) -> bool {
        let run = self.run.clone();
        let Some(sending) = run.sending(id) else {
            self.strays += 1;
            return false;
        };
        let (client, room, _) = of;
        let had = self.had.entry((client, room)).or_default();
        if !add_bit(had, sending.nth.load(Relaxed)) {
            self.repeated += 1;
            return false;
        }
        let latest = self.latest.entry(of).or_insert(id);
        self.disordered += u64::from(*latest > id);
        *latest = id.max(*latest);
        let latency = now.saturating_sub(start);
        self.latency.record(Duration::from_nanos(latency));
        self.slowest = self.slowest.max((latency, id));
        self.last = self.last.max(now);
        true
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.network.add(&other.network);
        self.deliveries += other.deliveries;
        self.slowest = self.slowest.max(other.slowest);
        self.last = self.last.max(other.last);
        self.repeated += other.repeated;
        self.disordered += other.disordered;
        self.strays += other.strays;
    }
}

impl Run {
    pub(super) fn sending(&self, id: u64) -> Option<&Sending> {
        self.messages.get(usize::try_from(id.checked_sub(self.first)?).ok()?)
    }
}

/// Sets a bit; false when it was set.
fn add_bit(bits: &mut Vec<u64>, nth: usize) -> bool {
    let (word, bit) = (nth / 64, 1 << (nth % 64));
    if bits.len() <= word {
        bits.resize(word + 1, 0);
    }
    let is_new = bits[word] & bit == 0;
    bits[word] |= bit;
    is_new
}
