//! The server's side of an inlet.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_common::Frozen;

use crate::server::{Published, ServerSession};

/// What takes in messages that a backplane brings.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Sends a message to this server's own subscribers; none when the server is over.
    async fn receive(
        self: Arc<Self>,
        from: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
        provenance: Provenance,
    ) -> Option<Published>;
}

/// Which server has passed a message on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// The one that it comes back to.
    Own,
    /// Another.
    Other,
}
