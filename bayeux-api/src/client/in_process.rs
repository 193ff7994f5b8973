//! The seam of the in-process transport: a server in the same program, as a client sees it.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::client::TransportFailure;

/// A connection to a server in the same program.
///
/// The server's crate implements it, and a client takes it in place of a network, so that neither
/// needs to know the other.
#[async_trait]
pub trait InProcess: Send + Sync + Debug {
    /// Sends a JSON array of messages and returns the array that answers it. A `/meta/connect` may be
    /// held for its timeout.
    ///
    /// # Errors
    ///
    /// When the server has no messages for an answer; the HTTP status that it would have answered
    /// with is in the failure.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is like closing the connection: what was sent may have been processed, and
    /// messages that were not returned stay in the session's queue.
    async fn send(&self, messages: &str) -> Result<String, TransportFailure>;
}
