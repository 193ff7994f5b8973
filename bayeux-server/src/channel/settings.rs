//! The settings of a channel, which are read for each message.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use bayeux_api::{
    ChannelId,
    implement::lock,
    server::{Access, Reach},
};

use crate::channel::order::Order;

#[derive(Debug)]
pub(crate) struct Settings {
    flags: AtomicU8,
    rare: OnceLock<Box<Rare>>,
}

/// What few channels ever have.
#[derive(Debug, Default)]
struct Rare {
    lazy_timeout: Mutex<Option<Duration>>,
    order: OnceLock<Arc<Order>>,
}

const PERSISTENT: u8 = 1;
const LAZY: u8 = 2;
const BROADCAST_TO_PUBLISHER: u8 = 4;
const EXACT: u8 = 8;
const CLUSTER: u8 = 16;
const ORDERED: u8 = 32;

impl Settings {
    /// Those from the start.
    pub(super) fn of(id: &ChannelId) -> Self {
        let persistent = if id.is_broadcast() { 0 } else { PERSISTENT };
        let flags = AtomicU8::new(BROADCAST_TO_PUBLISHER | persistent);
        Self { flags, rare: OnceLock::new() }
    }

    pub(crate) fn is_persistent(&self) -> bool {
        self.has(PERSISTENT)
    }

    pub(super) fn set_persistent(&self, persistent: bool) {
        self.set(PERSISTENT, persistent);
    }

    pub(crate) fn is_lazy(&self) -> bool {
        self.has(LAZY)
    }

    /// Makes the channel lazy or not; what is not lazy has no lazy timeout.
    pub(super) fn set_lazy(&self, lazy: bool) {
        match self.rare.get() {
            Some(rare) => {
                let mut timeout = lock(&rare.lazy_timeout);
                *timeout = timeout.filter(|_| lazy);
                self.set(LAZY, lazy);
            }
            None => self.set(LAZY, lazy),
        }
    }

    pub(crate) fn lazy_timeout(&self) -> Option<Duration> {
        self.rare.get().and_then(|rare| *lock(&rare.lazy_timeout))
    }

    pub(super) fn set_lazy_timeout(&self, timeout: Duration) {
        let mut own = lock(&self.rare.get_or_init(Box::default).lazy_timeout);
        *own = Some(timeout);
        self.set(LAZY, true);
    }

    pub(crate) fn is_broadcast_to_publisher(&self) -> bool {
        self.has(BROADCAST_TO_PUBLISHER)
    }

    pub(super) fn set_broadcast_to_publisher(&self, broadcast: bool) {
        self.set(BROADCAST_TO_PUBLISHER, broadcast);
    }

    pub(crate) fn reach(&self) -> Reach {
        if self.has(EXACT) { Reach::Exact } else { Reach::All }
    }

    pub(super) fn set_reach(&self, reach: Reach) {
        self.set(EXACT, reach == Reach::Exact);
    }

    pub(crate) fn access(&self) -> Access {
        if self.has(CLUSTER) { Access::Cluster } else { Access::Everybody }
    }

    pub(super) fn set_access(&self, access: Access) {
        self.set(CLUSTER, access == Access::Cluster);
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.has(ORDERED)
    }

    pub(super) fn set_ordered(&self, ordered: bool) {
        if ordered {
            self.order();
        }
        self.set(ORDERED, ordered);
    }

    /// Returns the channel's order, which it has from when it is first asked for.
    pub(crate) fn order(&self) -> &Arc<Order> {
        self.rare.get_or_init(Box::default).order.get_or_init(Arc::default)
    }

    pub(crate) fn position(&self) -> Option<u64> {
        Some(self.rare.get()?.order.get()?.position())
    }

    /// Whether the channel is kept, be it for what it says of others.
    pub(super) fn are_kept(&self) -> bool {
        self.has(PERSISTENT | EXACT | CLUSTER | ORDERED)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.load(Relaxed) & flag != 0
    }

    fn set(&self, flag: u8, is_set: bool) {
        match is_set {
            true => self.flags.fetch_or(flag, Relaxed),
            false => self.flags.fetch_and(!flag, Relaxed),
        };
    }
}
