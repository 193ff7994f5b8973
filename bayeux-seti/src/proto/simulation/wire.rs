//! What goes between two simulated nodes.

use bayeux_oort::Comet;

use crate::proto::wire::Said;

#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// The first in each direction: who that is.
    Hello(Comet),
    /// Somebody is still there.
    Ping,
    /// A broadcast, to whoever has dialled.
    Said(Said),
}
