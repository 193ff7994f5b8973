//! What goes between two simulated nodes.

use bayeux_oort::Comet;

use crate::proto::{announcements::Change, digest::Digest, users::UserId};

#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// The first in each direction: who that is.
    Hello(Comet),
    /// Somebody is still there.
    Ping,
    /// A broadcast, to whoever has dialled.
    Said(Said),
}

#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) users: Vec<UserId>,
    pub(super) change: Change,
    pub(super) replaces: bool,
    pub(super) asks: bool,
    pub(super) digest: Option<Digest>,
}
