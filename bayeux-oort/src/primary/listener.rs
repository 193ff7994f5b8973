//! What an application hears of primaries.

use std::fmt;

use async_trait::async_trait;

use crate::Comet;

/// Hears of the primary of an [`OortPrimaryService`](crate::OortPrimaryService), from when it was added. One thing is
/// told after the other, when it is so already: a listener may wait, and holds up nothing else. While it does, what
/// changes and changes back may go untold.
///
/// One that is removed while it waits is let go of: what it is at ends at its next `await`, which also holds for one
/// that removes itself.
#[async_trait]
pub trait PrimaryListener: Send + Sync + fmt::Debug {
    /// This node became primary.
    async fn became_primary(&self) {}

    /// This node is not primary any more: an older primary came into view, too few candidates are left, or the
    /// service ends.
    async fn ceased_to_be_primary(&self) {}

    /// Another node is primary, or this one, or none. Told after the others.
    async fn primary_changed(&self, _primary: Option<&Comet>) {}
}
