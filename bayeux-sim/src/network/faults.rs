//! What faults do to the network.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use crate::{
    Place, Truth,
    network::{Event, Network, Order, Queue, stream::State},
    world::Happening,
};

impl<P: Clone + Debug> Network<P> {
    /// A process is gone: its system closes what it had, unless the host is gone too.
    pub(crate) fn gone<C>(
        &mut self,
        place: Place,
        truth: &Truth<C>,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) {
        for id in self.streams.keys().copied().collect::<Vec<_>>() {
            if !truth.is_dark(place) {
                self.order(place, Order::Close { stream: id }, now, queue);
            } else if let Some((stream, end)) = self.end_of(id, place) {
                stream.ends[end].state = State::Closed;
                stream.ends[end].sent.clear();
                self.sweep(id);
            }
        }
    }

    /// What waits because of something that may be over is tried again.
    pub(crate) fn retry<C>(&mut self, truth: &Truth<C>, now: Instant, queue: &mut Queue<P, C>) {
        for id in self.streams.keys().copied().collect::<Vec<_>>() {
            for end in 0..2 {
                let Some(stream) = self.streams.get_mut(&id) else { continue };
                let (from, to) = stream.ways(end);
                let is_good = truth.reaches(from, to)
                    && truth.reaches(to, from)
                    && !truth.is_dark(to)
                    && !stream.is_forgotten;
                if !is_good {
                    continue;
                }
                stream.ends[end].stalled = None;
                let owed = std::mem::take(&mut stream.ends[end].owed);
                let delay = self.random.between(Duration::ZERO, self.conditions.retransmission);
                (0..owed).for_each(|_| self.send_next(id, end, now + delay, queue));
            }
        }
    }

    /// The streams between two break: both are told, if they can be.
    pub(crate) fn break_between<C>(
        &mut self,
        one: Place,
        other: Place,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) {
        for (id, stream) in &mut self.streams {
            if stream.is_between(one, other) {
                stream.is_forgotten = true;
                for end in 0..2 {
                    let delay = self.random.between(Duration::ZERO, self.conditions.jitter);
                    queue.add(now + delay, Happening::Network(Event::Reset(*id, end)));
                }
            }
        }
    }

    /// What is on the way between two forgets their streams.
    pub(crate) fn forget_between(&mut self, one: Place, other: Place) {
        let streams = self.streams.values_mut().filter(|stream| stream.is_between(one, other));
        streams.for_each(|stream| stream.is_forgotten = true);
    }
}
