//! The network: what becomes of what nodes send each other.

mod conditions;
mod faults;
mod stream;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, Instant},
};

pub use conditions::Conditions;
pub use stream::StreamId;

use crate::{Input, Place, Random, Truth, events::Events, world::Happening};

use stream::{Item, State, Stream};

/// What a node wants of the network.
#[derive(Debug)]
pub(crate) enum Order<P> {
    Dial { stream: StreamId, to: Place },
    Send { stream: StreamId, packet: P },
    Close { stream: StreamId },
    Datagram { to: Place, packet: P },
}

/// What happens in the network. An end of a stream is 0 for who dialled and 1 for who was dialled.
#[derive(Debug)]
pub(crate) enum Event<P> {
    /// A dial arrives.
    Knock(StreamId),
    /// Its answer arrives.
    Answer(StreamId),
    /// Nobody answered a dial.
    Unanswered(StreamId),
    /// The next of what the end sent arrives.
    Arrive(StreamId, usize),
    /// The end is told that there is no such stream any more.
    Reset(StreamId, usize),
    /// The end gives up if it has waited in vain since the instant.
    GiveUp(StreamId, usize, Instant),
    Datagram {
        from: Place,
        to: Place,
        packet: P,
    },
}

/// The network of a world.
#[derive(Debug)]
pub(crate) struct Network<P> {
    conditions: Conditions,
    random: Random,
    bases: BTreeMap<(Place, Place), Duration>,
    streams: BTreeMap<StreamId, Stream<P>>,
}

type Queue<P, C> = Events<Happening<P, C>>;

impl<P: Clone + Debug> Network<P> {
    pub(crate) fn new(conditions: Conditions, random: Random) -> Self {
        Self { conditions, random, bases: BTreeMap::new(), streams: BTreeMap::new() }
    }

    pub(crate) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    pub(crate) fn order<C>(
        &mut self,
        from: Place,
        order: Order<P>,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) {
        match order {
            Order::Dial { stream, to } => {
                let knock = now + self.latency(from, to);
                self.streams.insert(stream, Stream::new(from, to, knock));
                queue.add(knock, Happening::Network(Event::Knock(stream)));
                let unanswered = now + self.conditions.dial;
                queue.add(unanswered, Happening::Network(Event::Unanswered(stream)));
            }
            Order::Send { stream, packet } => {
                self.push(from, stream, Item::Packet(packet), now, queue);
            }
            Order::Close { stream } => {
                self.push(from, stream, Item::End, now, queue);
                if let Some((stream, end)) = self.end_of(stream, from) {
                    stream.ends[end].state = State::Closed;
                }
                self.sweep(stream);
            }
            Order::Datagram { to, packet } => self.datagram(from, to, &packet, now, queue),
        }
    }

    fn datagram<C>(
        &mut self,
        from: Place,
        to: Place,
        packet: &P,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) {
        if self.random.happens(self.conditions.loss) {
            return;
        }
        let copies = if self.random.happens(self.conditions.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let at = now + self.latency(from, to);
            let packet = packet.clone();
            queue.add(at, Happening::Network(Event::Datagram { from, to, packet }));
        }
    }

    /// Adds to what an open end sends.
    fn push<C>(
        &mut self,
        from: Place,
        id: StreamId,
        item: Item<P>,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) {
        let Some((stream, end)) = self.end_of(id, from) else { return };
        if stream.ends[end].state == State::Closed {
            return;
        }
        let (_, to) = stream.ways(end);
        stream.ends[end].sent.push_back(item);
        let at = now + self.latency(from, to);
        self.send_next(id, end, at, queue);
    }

    /// Has the next thing that an end sent arrive, after what it sent before.
    fn send_next<C>(&mut self, id: StreamId, end: usize, at: Instant, queue: &mut Queue<P, C>) {
        let again = self.random.happens(self.conditions.loss);
        let delay = if again { self.conditions.retransmission } else { Duration::ZERO };
        let Some(stream) = self.streams.get_mut(&id) else { return };
        let sender = &mut stream.ends[end];
        sender.last_arrival = sender.last_arrival.max(at + delay);
        queue.add(sender.last_arrival, Happening::Network(Event::Arrive(id, end)));
    }

    /// Lets something happen, and returns whom it reaches.
    pub(crate) fn happen<C>(
        &mut self,
        event: Event<P>,
        truth: &Truth<C>,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) -> Option<(Place, Input<P, C>)> {
        match event {
            Event::Datagram { from, to, packet } => {
                truth.reaches(from, to).then_some((to, Input::Datagram(from, packet)))
            }
            Event::Knock(id) => self.knock(id, truth, now, queue),
            Event::Answer(id) => self.answer(id, truth),
            Event::Unanswered(id) => {
                let is_waiting = self.streams.get(&id)?.ends[0].state == State::Dialling;
                is_waiting.then(|| self.closed(id, 0)).flatten()
            }
            Event::Arrive(id, end) => self.arrive(id, end, truth, now, queue),
            Event::Reset(id, end) => {
                let (to, from) = self.streams.get(&id)?.ways(end);
                if truth.reaches(from, to) {
                    return self.closed(id, end);
                }
                self.stall(id, end, now, queue);
                None
            }
            Event::GiveUp(id, end, since) => {
                let is_stalled = self.streams.get(&id)?.ends[end].stalled == Some(since);
                is_stalled.then(|| self.closed(id, end)).flatten()
            }
        }
    }

    fn knock<C>(
        &mut self,
        id: StreamId,
        truth: &Truth<C>,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) -> Option<(Place, Input<P, C>)> {
        let stream = self.streams.get(&id)?;
        let (dialler, dialled) = stream.ways(0);
        if !truth.reaches(dialler, dialled) || truth.is_dark(dialled) {
            return None;
        }
        let answer = now + self.latency(dialled, dialler);
        if truth.life(dialled).is_none() {
            queue.add(answer, Happening::Network(Event::Reset(id, 0)));
            return None;
        }
        let stream = self.streams.get_mut(&id)?;
        stream.ends[1].state = State::Open;
        stream.ends[1].last_arrival = answer;
        queue.add(answer, Happening::Network(Event::Answer(id)));
        Some((dialled, Input::Accepted(id, dialler)))
    }

    fn answer<C>(&mut self, id: StreamId, truth: &Truth<C>) -> Option<(Place, Input<P, C>)> {
        let stream = self.streams.get_mut(&id)?;
        let (dialler, dialled) = stream.ways(0);
        let is_waiting = stream.ends[0].state == State::Dialling;
        (is_waiting && truth.reaches(dialled, dialler)).then(|| {
            stream.ends[0].state = State::Open;
            (dialler, Input::Opened(id))
        })
    }

    fn arrive<C>(
        &mut self,
        id: StreamId,
        end: usize,
        truth: &Truth<C>,
        now: Instant,
        queue: &mut Queue<P, C>,
    ) -> Option<(Place, Input<P, C>)> {
        let stream = self.streams.get_mut(&id)?;
        let (from, to) = stream.ways(end);
        let is_heard = truth.reaches(from, to) && !truth.is_dark(to) && !stream.is_forgotten;
        let is_answered = truth.reaches(to, from);
        let state = stream.ends[1 - end].state;
        if !is_heard || state == State::Dialling {
            stream.ends[end].owed += 1;
            self.stall(id, end, now, queue);
            return None;
        }
        if state == State::Closed {
            if is_answered {
                let at = now + self.latency(to, from);
                queue.add(at, Happening::Network(Event::Reset(id, end)));
            } else {
                self.stall(id, end, now, queue);
            }
            return None;
        }
        match stream.ends[end].sent.pop_front()? {
            Item::Packet(packet) => {
                if !is_answered {
                    self.stall(id, end, now, queue);
                }
                Some((to, Input::Received(id, packet)))
            }
            Item::End => self.closed(id, 1 - end),
        }
    }

    /// What an end sends gets no answer from now on.
    fn stall<C>(&mut self, id: StreamId, end: usize, now: Instant, queue: &mut Queue<P, C>) {
        let at = now + self.conditions.stall;
        let Some(end_of) = self.streams.get_mut(&id).map(|stream| &mut stream.ends[end]) else {
            return;
        };
        if end_of.state == State::Open && end_of.stalled.is_none() {
            end_of.stalled = Some(now);
            queue.add(at, Happening::Network(Event::GiveUp(id, end, now)));
        }
    }

    /// An end is told that its stream is closed, unless it knows.
    fn closed<C>(&mut self, id: StreamId, end: usize) -> Option<(Place, Input<P, C>)> {
        let stream = self.streams.get_mut(&id)?;
        let place = stream.ends[end].place;
        // A system that has given a stream up sends nothing of it again.
        stream.ends[end].sent.clear();
        stream.ends[end].owed = 0;
        let former = std::mem::replace(&mut stream.ends[end].state, State::Closed);
        self.sweep(id);
        match former {
            State::Dialling => Some((place, Input::Refused(id))),
            State::Open => Some((place, Input::Closed(id))),
            State::Closed => None,
        }
    }

    /// Nothing is kept of a stream that nobody has.
    fn sweep(&mut self, id: StreamId) {
        let ends = self.streams.get(&id).map(|stream| stream.ends.each_ref());
        if ends.is_some_and(|ends| ends.iter().all(|end| end.state == State::Closed)) {
            self.streams.remove(&id);
        }
    }

    fn end_of(&mut self, id: StreamId, place: Place) -> Option<(&mut Stream<P>, usize)> {
        let stream = self.streams.get_mut(&id)?;
        let end = stream.ends.iter().position(|end| end.place == place)?;
        Some((stream, end))
    }

    fn latency(&mut self, from: Place, to: Place) -> Duration {
        let (least, most) = self.conditions.latency;
        let random = &mut self.random;
        let base = self.bases.entry((from, to)).or_insert_with(|| random.between(least, most));
        *base + self.random.between(Duration::ZERO, self.conditions.jitter)
    }
}
