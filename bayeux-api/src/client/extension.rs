//! What sees every message of a client.

use std::fmt;

use async_trait::async_trait;
use bayeux_common::Message;

use crate::Flow;

/// Sees, changes or stops every message of one client. A message over which a method panics is stopped.
#[async_trait]
pub trait ClientExtension: Send + Sync + fmt::Debug {
    /// Sees a message that arrives, before the listeners do.
    #[doc(alias = "rcv")]
    async fn incoming(&self, _message: &mut Message) -> Flow {
        Flow::Continue
    }

    /// Sees a message before it is sent.
    #[doc(alias = "send")]
    async fn outgoing(&self, _message: &mut Message) -> Flow {
        Flow::Continue
    }
}
