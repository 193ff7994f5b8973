//! A node: what is tested, with whatever it needs to be one.

use std::{
    fmt::{Arguments, Debug},
    time::{Duration, Instant},
};

use crate::{Place, Random, StreamId, Trace, network::Order};

/// A node of a world: a machine, or several with what joins them to the network. It is made anew at each
/// start, and dropped when it crashes.
pub trait Node {
    /// What nodes send each other.
    type Packet: Clone + Debug;
    /// What an application asks of a node.
    type Command: Clone + Debug;

    /// Takes what happens to the node, beginning with [`Input::Start`].
    fn handle(
        &mut self,
        input: Input<Self::Packet, Self::Command>,
        context: &mut Context<'_, Self::Packet>,
    );

    /// When the node next needs [`Input::Tick`], if ever.
    fn deadline(&self) -> Option<Instant>;

    /// Looks whether all is as it must be at any time, after each input.
    ///
    /// # Errors
    ///
    /// What is not.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input<P, C> {
    /// It starts.
    Start,
    /// It is to end, in good order; it is gone a moment later, when what it sends now is on its way.
    Stop,
    /// Its [deadline](Node::deadline) has come.
    Tick,
    /// The application asks something.
    Ask(C),
    /// Another node opened a stream to this one.
    Accepted(StreamId, Place),
    /// A stream that this node dialled is open.
    Opened(StreamId),
    /// A stream that this node dialled does not open.
    Refused(StreamId),
    /// A packet came by a stream.
    Received(StreamId, P),
    /// A stream that was open is closed, by the other end or since it broke.
    Closed(StreamId),
    /// A packet came by itself.
    Datagram(Place, P),
}

/// What a node can do while it takes an input.
#[derive(Debug)]
pub struct Context<'a, P> {
    pub(crate) own: Place,
    pub(crate) now: Instant,
    pub(crate) elapsed: Duration,
    pub(crate) random: &'a mut Random,
    pub(crate) trace: &'a Trace,
    pub(crate) streams: &'a mut u64,
    pub(crate) orders: &'a mut Vec<Order<P>>,
}

impl<P> Context<'_, P> {
    /// Returns where the node is.
    pub fn own(&self) -> Place {
        self.own
    }

    /// Returns what time it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Returns the random numbers of this node.
    pub fn random(&mut self) -> &mut Random {
        self.random
    }

    /// Writes a line into the trace.
    pub fn note(&self, line: Arguments<'_>) {
        self.trace.note(self.elapsed, format_args!("{} {line}", self.own));
    }

    /// Begins to open a stream, which ends with [`Input::Opened`] or [`Input::Refused`].
    pub fn dial(&mut self, to: Place) -> StreamId {
        *self.streams += 1;
        let stream = StreamId(*self.streams);
        self.orders.push(Order::Dial { stream, to });
        stream
    }

    /// Sends a packet by a stream. It arrives after those sent before, unless the stream breaks.
    pub fn send(&mut self, stream: StreamId, packet: P) {
        self.orders.push(Order::Send { stream, packet });
    }

    /// Closes a stream, or gives up dialling it. What was sent before still arrives.
    pub fn close(&mut self, stream: StreamId) {
        self.orders.push(Order::Close { stream });
    }

    /// Sends a packet by itself: it may be lost, overtaken and doubled.
    pub fn datagram(&mut self, to: Place, packet: P) {
        self.orders.push(Order::Datagram { to, packet });
    }
}
