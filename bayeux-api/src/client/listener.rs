//! What a client's channel calls.

use async_trait::async_trait;
use bayeux_common::Message;

use crate::client::ClientSessionChannel;

/// Gets the messages that arrive on a channel. Closures are listeners too. A panic is logged, and the
/// next listener gets the message.
#[async_trait]
pub trait MessageListener: Send + Sync {
    /// Gets one message.
    async fn on_message(&self, channel: &dyn ClientSessionChannel, message: &Message);
}

#[async_trait]
impl<F> MessageListener for F
where
    F: Fn(&dyn ClientSessionChannel, &Message) + Send + Sync,
{
    async fn on_message(&self, channel: &dyn ClientSessionChannel, message: &Message) {
        self(channel, message);
    }
}
