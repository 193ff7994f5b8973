//! Listeners that are told one thing after the other, so that each waits for those before it.

use std::{fmt, future::Future, sync::Arc};

use tokio_util::sync::CancellationToken;

/// A listener that holds up others while it waits, and is let go of when it is removed: what it was at ends then.
pub struct Told<T: ?Sized> {
    removed: CancellationToken,
    listener: Arc<T>,
}

impl<T: ?Sized> Told<T> {
    pub(super) fn new(listener: Arc<T>) -> Self {
        Self { removed: CancellationToken::new(), listener }
    }

    /// Has the listener hear something, until it is removed.
    pub(super) fn hear<'a, F: Future + 'a>(
        &'a self,
        hears: impl FnOnce(&'a T) -> F,
    ) -> impl Future<Output = Option<F::Output>> {
        self.removed.run_until_cancelled(hears(&self.listener))
    }

    /// Returns what is cancelled when it is removed.
    pub(super) fn removed(&self) -> CancellationToken {
        self.removed.clone()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Told<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(f)
    }
}
