//! A stream between two nodes: what is sent arrives in its order, if it arrives.

use std::{collections::VecDeque, fmt, time::Instant};

use crate::Place;

/// The name of a stream, which both of its ends use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u64);

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}", self.0)
    }
}

#[derive(Debug)]
pub(super) struct Stream<P> {
    pub(super) ends: [End<P>; 2],
    /// Nothing gets through any more, whatever else does.
    pub(super) is_forgotten: bool,
}

#[derive(Debug)]
pub(super) struct End<P> {
    pub(super) place: Place,
    pub(super) state: State,
    /// What this end sent that has not arrived.
    pub(super) sent: VecDeque<Item<P>>,
    /// When the last of it arrives.
    pub(super) last_arrival: Instant,
    /// How much of it came to nothing, and is tried again when something is mended.
    pub(super) owed: usize,
    /// Since when nobody has confirmed what was sent.
    pub(super) stalled: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Item<P> {
    Packet(P),
    /// The end is closed: nothing follows.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Dialling,
    Open,
    Closed,
}

impl<P> Stream<P> {
    pub(super) fn new(from: Place, to: Place, arrival: Instant) -> Self {
        let end = |place, state| End {
            place,
            state,
            sent: VecDeque::new(),
            last_arrival: arrival,
            owed: 0,
            stalled: None,
        };
        let ends = [end(from, State::Dialling), end(to, State::Closed)];
        Self { ends, is_forgotten: false }
    }

    /// Returns the places of an end and of the other one.
    pub(super) fn ways(&self, end: usize) -> (Place, Place) {
        (self.ends[end].place, self.ends[1 - end].place)
    }

    pub(super) fn is_between(&self, one: Place, other: Place) -> bool {
        let ends = [self.ends[0].place, self.ends[1].place];
        ends == [one, other] || ends == [other, one]
    }
}
