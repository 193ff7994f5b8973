//! One session: its life, its heart-beat and its queue.
//!
//! ```text
//!        handshaken              hold
//!   New ────────────▶ Busy(until) ────────▶ Held(until)
//!    │                  │  ▲  ▲                 │  │
//!    │         replied  │  │  └──── resume ──────┘  │ replied (the carrier broke)
//!    │                  ▼  │ connect                ▼
//!    │                 Away(since) ◀─────────────────┘
//!    ▼                  │
//!   Gone ◀──────────────┴─ end, from anywhere
//! ```
//!
//! A session that lives is in exactly one of the three middle states, and each of them carries the
//! instant at which it ends: no session can be forgotten.
//!
//! Each `/meta/connect` gets a [`Cycle`]. Only the newest counts: an older one that is still held is
//! overtaken, and whatever happens to it later changes nothing (Bayeux 1.0, section 5.2; CometD's
//! "meta connect cycle").
//!
//! Who delivers is a machine of its own, [`carriage`](crate::proto::carriage), which is asked together
//! with this one: that a connect is held and that its request carries the session is one step.

mod delivery;
mod dismissal;
mod life;
#[cfg(test)]
mod tests;
mod timing;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bayeux_api::{ConnectionType, Frozen, server::Removal};

use crate::{
    config::TransportConfig,
    proto::{
        carriage::{Carriage, Tell},
        queue::Queue,
        session::timing::Timing,
    },
};

#[derive(Debug)]
pub(crate) struct Session<C> {
    /// What its transport is configured with, or this session has in place of that.
    rules: Arc<TransportConfig>,
    phase: Phase,
    cycle: Cycle,
    /// How many requests are worked on, for longer than a moment, and until when that may take.
    works: u32,
    works_until: Option<Instant>,
    queue: Queue,
    /// When waiting lazy messages have to go out; none when nothing waits.
    lazy_until: Option<Instant>,
    batch: u32,
    /// None while nobody has set any, which is so for most.
    timing: Option<Box<Timing>>,
    /// The transport that the client was last advised for.
    advised: Option<ConnectionType>,
    delivery: Delivery,
    ahead: Ahead,
    broadcast_to_publisher: bool,
    carriage: Carriage<C>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    New,
    /// Lives; whether it has ever connected, and what it does now.
    Live(Stage, Presence),
    Gone(Removal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Handshaken,
    Connected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// No connect is here since the instant, and the session ends if none comes in time.
    Away(Instant),
    /// A handshake or connect is being processed or its reply written, which has to be done by the
    /// instant.
    Busy(Instant),
    /// A connect is held; it is answered at the instant or for a message.
    Held(Instant),
}

/// The number of a connect within its session; the handshake is the one before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cycle(u64);

impl Cycle {
    pub(crate) const HANDSHAKE: Self = Self(0);

    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// When messages go to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// With every response, and over a WebSocket at once.
    Any,
    /// With replies to connects only.
    ConnectOnly,
}

/// Whether messages that are acknowledged go ahead of the replies that take a number along, over the connection that
/// carries the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ahead {
    /// The client does not know of it.
    Never,
    /// Not until the client has said, by a connect over it, what it has: what was sent over another connection before
    /// may be lost, and comes first.
    Stops,
    /// It has, and its connection does not carry yet.
    May,
    Goes,
}

/// What a connection has to send now, and the number of its batch if that is acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) messages: Vec<Arc<Frozen>>,
    pub(crate) batch: Option<u64>,
}

/// A connect that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) cycle: Cycle,
    /// Whether it may be held: the first of a session is not, nor one whose client wants no wait. Such
    /// a one is answered, though a newer one takes its place before.
    pub(crate) may_wait: bool,
}

/// What becomes of a connect that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold<T = Duration> {
    /// It is held, for at most so long.
    For(T),
    /// It is answered at once.
    Not,
    /// It is not answered: a newer one took its place.
    Overtaken,
}

/// What a held connect does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Waits, and asks again at the instant or when woken.
    Wait(Instant),
    /// Goes on, because its time ran out.
    TimedOut,
    /// Goes on, because there is something to deliver or the session ended.
    Resume,
    /// Is not answered: a newer connect took its place.
    Overtaken,
}

/// What a message did to the session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It was queued, and others were dropped for it.
    Queued { dropped: usize },
    /// It was not.
    Dropped,
    /// The session ended before.
    Gone,
    /// The queue is full, which has ended the session.
    Overflowed,
}

/// What became of a message for which others do not have to make room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offered<C> {
    /// It was queued, which this one has to be told.
    Queued(Tell<C>),
    /// Not yet: what waits is to be written to the carrier's socket before.
    Write,
    /// There is no room.
    Full,
    /// The session has ended.
    Gone,
}

impl<C: Clone + PartialEq> Session<C> {
    pub(crate) fn new(
        rules: Arc<TransportConfig>,
        delivery: Delivery,
        broadcast_to_publisher: bool,
    ) -> Self {
        Self {
            rules,
            phase: Phase::New,
            cycle: Cycle::default(),
            works: 0,
            works_until: None,
            queue: Queue::default(),
            lazy_until: None,
            batch: 0,
            timing: None,
            advised: None,
            delivery,
            ahead: Ahead::Never,
            broadcast_to_publisher,
            carriage: Carriage::default(),
        }
    }
}
