//! The counters behind [`Statistics`].

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bayeux_api::server::Statistics;

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// One counter for each thing that happens; read as a [`Statistics`].
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        impl Counters {
            pub(crate) fn read(&self) -> Statistics {
                let mut statistics = Statistics::default();
                $(statistics.$name = self.$name.0.load(Relaxed);)*
                statistics
            }
        }
    };
}

counters! {
    held_connects, websockets, handshakes, handshakes_refused, handshakes_limited, sessions_expired,
    sessions_overflowed, messages_received, messages_published, messages_queued, messages_sent,
    messages_dropped, messages_requeued, malformed, unknown_expired, unknown_never_seen,
    unknown_other_browser, channels_swept,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        if count > 0 {
            self.0.fetch_add(count as u64, Relaxed);
        }
    }

    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
