//! What delivers to a session: a held request, a connection, or the program's own code.

use std::{fmt, sync::Arc};

use bayeux_api::Frozen;
use tokio::sync::{Notify, futures::Notified};

use crate::proto::carriage::Means;

/// What delivers to a session. It is told when there is something to do; and a connection may lend its
/// socket `D` while it has nothing else to do, so that whoever has a message for it writes it there
/// without waking it. In one piece with the socket, since a fan-out comes by here for each session.
#[derive(Debug)]
pub(crate) struct Carrier<D: ?Sized = dyn Direct> {
    wake: Notify,
    direct: D,
}

/// A socket that others than its connection may write to.
pub(crate) trait Direct: fmt::Debug + Send + Sync {
    /// Whether this is one indeed.
    fn is_there(&self) -> bool;

    /// Writes `messages`, and the number of their `batch` if they are acknowledged, as far as the peer takes them at
    /// once. They are taken out unless nothing was written.
    fn write(&self, messages: &mut Vec<Arc<Frozen>>, batch: Option<u64>) -> Written;
}

/// What those have who can only be woken.
#[derive(Debug)]
pub(crate) struct NoSocket;

impl Direct for NoSocket {
    fn is_there(&self) -> bool {
        false
    }

    fn write(&self, _messages: &mut Vec<Arc<Frozen>>, _batch: Option<u64>) -> Written {
        Written::Nothing
    }
}

/// How much was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// The beginning, with so many whole messages; the connection has to write the rest.
    Part(usize),
    Nothing,
}

impl<D> Carrier<D> {
    pub(crate) fn new(direct: D) -> Self {
        Self { wake: Notify::new(), direct }
    }

    /// Returns the connection's own socket.
    pub(crate) fn socket(&self) -> &D {
        &self.direct
    }
}

impl Carrier {
    /// Makes one that can only be woken.
    pub(crate) fn without_socket() -> Arc<Self> {
        Arc::new(Carrier::new(NoSocket))
    }

    /// Returns what can be written to without waking.
    pub(crate) fn direct(&self) -> Option<&dyn Direct> {
        self.direct.is_there().then_some(&self.direct)
    }

    /// Returns how this one delivers what needs no reply.
    pub(crate) fn means(&self) -> Means {
        if self.direct.is_there() { Means::Lend } else { Means::Push }
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until it is [woken](Self::wake), or returns at once if it was since the last time.
    pub(crate) fn woken(&self) -> Notified<'_> {
        self.wake.notified()
    }
}

/// A carrier is like itself only.
impl PartialEq for Carrier {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::addr_eq(self, other)
    }
}
