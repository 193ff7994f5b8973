//! What starting a batch gives back.

use std::fmt;

/// Holds back the messages of a session until it, and every other one of that session, is dropped.
#[must_use = "dropping it ends the batch"]
pub struct Batch(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Batch {
    /// Makes a batch that runs `end` when it is dropped.
    pub fn new(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }

    /// Ends the batch; the outermost lets go what was held back.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch")
    }
}
