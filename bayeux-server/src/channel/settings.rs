//! The settings of a channel, which are read for each message.

use std::{
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use bayeux_api::{
    ChannelId,
    implement::lock,
    server::{Access, Reach},
};

#[derive(Debug)]
pub(crate) struct Settings {
    flags: AtomicU8,
    /// Of those that ever had one.
    lazy_timeout: OnceLock<Box<Mutex<Option<Duration>>>>,
}

const PERSISTENT: u8 = 1;
const LAZY: u8 = 2;
const BROADCAST_TO_PUBLISHER: u8 = 4;
const EXACT: u8 = 8;
const CLUSTER: u8 = 16;

impl Settings {
    /// Those from the start.
    pub(super) fn of(id: &ChannelId) -> Self {
        let persistent = if id.is_broadcast() { 0 } else { PERSISTENT };
        let flags = AtomicU8::new(BROADCAST_TO_PUBLISHER | persistent);
        Self { flags, lazy_timeout: OnceLock::new() }
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
        match self.lazy_timeout.get() {
            Some(timeout) => {
                let mut timeout = lock(timeout);
                *timeout = timeout.filter(|_| lazy);
                self.set(LAZY, lazy);
            }
            None => self.set(LAZY, lazy),
        }
    }

    pub(crate) fn lazy_timeout(&self) -> Option<Duration> {
        self.lazy_timeout.get().and_then(|timeout| *lock(timeout))
    }

    pub(super) fn set_lazy_timeout(&self, timeout: Duration) {
        let mut own = lock(self.lazy_timeout.get_or_init(Box::default));
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

    /// Whether the channel is kept for what it says of others.
    pub(super) fn are_kept(&self) -> bool {
        self.has(PERSISTENT | EXACT | CLUSTER)
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
