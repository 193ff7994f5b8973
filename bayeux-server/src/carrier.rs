//! What delivers to a session: a held request, a connection, or the program's own code.

use std::{fmt, sync::Arc};

use bayeux_api::Frozen;
use tokio::sync::{Notify, futures::Notified};

/// What delivers to a session. It is told when there is something to do; and a connection may lend its
/// socket while it has nothing else to do, so that whoever has a message for it writes it there
/// without waking it.
#[derive(Debug, Default)]
pub(crate) struct Carrier {
    wake: Notify,
    direct: Option<Arc<dyn Direct>>,
}

/// A socket that others than its connection may write to.
pub(crate) trait Direct: fmt::Debug + Send + Sync {
    /// Writes `messages`, as far as the peer takes them at once. They are taken out unless nothing was
    /// written.
    fn write(&self, messages: &mut Vec<Arc<Frozen>>) -> Written;
}

/// How much was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// The beginning, with so many whole messages; the connection has to write the rest.
    Part(usize),
    Nothing,
}

impl Carrier {
    pub(crate) fn new(direct: Option<Arc<dyn Direct>>) -> Self {
        Self { wake: Notify::new(), direct }
    }

    pub(crate) fn direct(&self) -> Option<&dyn Direct> {
        self.direct.as_deref()
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until it is [woken](Self::wake), or returns at once if it was since the last time.
    pub(crate) fn woken(&self) -> Notified<'_> {
        self.wake.notified()
    }
}
