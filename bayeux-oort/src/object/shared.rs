//! What becomes of a change after it was made here.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use crate::{Comet, object::ShareError};

/// A change that was made here and is on its way to the others, together with what the call returns.
pub struct Shared<T> {
    value: T,
    version: u64,
    waits: Arc<dyn Waits>,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T, version: u64, waits: Arc<dyn Waits>) -> Self {
        Self { value, version, waits }
    }

    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Shared<U> {
        Shared { value: map(self.value), version: self.version, waits: self.waits }
    }

    /// Returns what the call returns, such as the old value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns what the call returns, such as the old value.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Returns the version of this node's part that has the change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Waits until each node that has the object at the time of this call has applied the change, or has left.
    ///
    /// A node of this implementation says so itself. One of CometD's cannot: it is sent the whole part, at
    /// most once at a time however many wait, and counts as having it when its server has taken that. With
    /// such nodes this costs as much as the part is large.
    ///
    /// It may be a long wait, for as long as a node is lost without having left.
    ///
    /// # Errors
    ///
    /// When the object is stopped meanwhile.
    ///
    /// # Cancel safety
    ///
    /// May be dropped and called again. The change is shared all the same.
    pub async fn applied(&self) -> Result<Applied, ShareError> {
        let mut progress = self.waits.progress();
        let (asked, _wanted) = (self.waits.want(self.version), Wanted(self));
        let mut applied = Applied::default();
        for comet in asked {
            loop {
                // Marked as seen before it is looked: what changes meanwhile is seen by the next wait.
                progress.borrow_and_update();
                if self.waits.is_stopped() {
                    return Err(ShareError::Stopped);
                }
                match self.waits.has_applied(&comet, self.version) {
                    Some(true) => break applied.by.push(comet),
                    None => break applied.left.push(comet),
                    Some(false) => progress.changed().await.map_err(|_| ShareError::Stopped)?,
                }
            }
        }
        Ok(applied)
    }
}

/// Which nodes have applied a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Those that have.
    pub by: Vec<Comet>,
    /// Those that left instead.
    pub left: Vec<Comet>,
}

/// An object, as who waits for a change sees it.
pub(crate) trait Waits: Send + Sync {
    /// Has the nodes be asked for a version, until [`unwant`](Self::unwant); returns the nodes.
    fn want(&self, version: u64) -> Vec<Comet>;
    fn unwant(&self, version: u64);
    /// None when it has left.
    fn has_applied(&self, comet: &Comet, version: u64) -> Option<bool>;
    fn is_stopped(&self) -> bool;
    /// Changes whenever one of the others may have.
    fn progress(&self) -> watch::Receiver<()>;
}

struct Wanted<'a, T>(&'a Shared<T>);

impl<T> Drop for Wanted<'_, T> {
    fn drop(&mut self) {
        self.0.waits.unwant(self.0.version);
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("value", &self.value)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
