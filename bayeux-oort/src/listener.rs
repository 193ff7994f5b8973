//! What an application hears of nodes that come and go.

use std::fmt;

use async_trait::async_trait;

use crate::Comet;

/// Hears of nodes, from when it was added. Joined and left of one node alternate, beginning with joined, or with left if
/// it was there already, and one thing is told after the other: a listener may wait. While it does, a node that joined
/// and left again may go untold. What a listener is told may be later than [`Oort::comets`](crate::Oort::comets) has it.
///
/// One that is removed while it waits is let go of: what it is at ends at its next `await`, which also holds for one
/// that removes itself.
#[async_trait]
#[doc(alias = "Oort.CometListener")]
pub trait CometListener: Send + Sync + fmt::Debug {
    /// A node joined: what is broadcast here from now on on a channel that it observes reaches it.
    #[doc(alias = "cometJoined")]
    async fn comet_joined(&self, _comet: &Comet) {}

    /// A node left, or was lost.
    #[doc(alias = "cometLeft")]
    async fn comet_left(&self, _comet: &Comet) {}
}
