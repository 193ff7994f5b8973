//! What joins several servers to a cluster, in which a message that is published on one reaches the
//! subscribers of all.
//!
//! A server knows no more of the others than this: it passes on what is published, follows which
//! channels its own subscribers are interested in, and takes in what others have passed on. Whether these
//! are reached by a broker, a mesh or nothing at all is the [`Backplane`]'s matter.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_common::{ChannelId, Frozen};

use crate::{
    implement::{Intake, Provenance},
    server::{Published, ServerSession},
};

/// What connects a server to others.
///
/// Only broadcasts go through it: neither messages on meta and service channels, nor what is delivered to
/// one session, nor what is published on a wild channel.
///
/// Each call has to be over within [`timeout`](Self::timeout): its future is dropped then, and the call has
/// failed. So it has when it panics.
#[async_trait]
pub trait Backplane: Send + Sync + fmt::Debug {
    /// Starts with `inlet`, by which messages of others come in. Called once, when the server is built,
    /// perhaps outside of a runtime.
    fn start(&self, inlet: Inlet);

    /// Passes `message` on to the other servers, and says when this one's subscribers get it. Called after
    /// extensions and listeners have seen the message, for one message after the other of each publisher.
    ///
    /// # Errors
    ///
    /// When the message cannot be passed on. It goes nowhere then: the publisher is told
    /// `503::publish_unavailable`, or [`PublishError::Unavailable`](crate::server::PublishError). That is
    /// also told after the [`timeout`](Self::timeout), though the message may have been passed on.
    async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        channel: &ChannelId,
        message: &Arc<Frozen>,
    ) -> Result<Passage, Unavailable>;

    /// Sees to it that messages of others on `channel`, which may be wild, come in: the first subscriber
    /// here is about to subscribe, and waits. A message on several channels that were joined has to come in
    /// once.
    ///
    /// Joins and leaves of one channel take turns, and never overlap. Those of different channels do.
    ///
    /// # Errors
    ///
    /// When the channel cannot be joined: all who wait are told `503::subscribe_unavailable`, and
    /// the next subscriber has it tried again. A join that failed is not followed by a leave.
    async fn join(&self, _channel: &ChannelId) -> Result<(), Unavailable> {
        Ok(())
    }

    /// The last subscriber here is gone, or the server was stopped or dropped: messages of others on
    /// `channel` need not come in any more. When this fails, or takes too long, the channel counts as left.
    async fn leave(&self, _channel: &ChannelId) {}

    /// Returns how long the server waits for one call; 10 seconds unless written. Asked once.
    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// When the subscribers of the server that has passed a message on get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passage {
    /// Now.
    Through,
    /// When it [comes back](Inlet::receive_back) by the inlet: in the one order that it has for all.
    Back,
}

/// Why a backplane cannot do what it was asked for; for the log.
#[derive(Debug, thiserror::Error)]
#[error("the backplane is unavailable")]
pub struct Unavailable(#[source] Box<dyn Error + Send + Sync>);

impl Unavailable {
    /// Says what it was that failed: an error, or a text.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Where messages of other servers come in. Cheap to clone; it does not keep the server.
#[derive(Clone, Debug)]
pub struct Inlet(Weak<dyn Intake>);

impl Inlet {
    /// Makes the inlet of a server.
    #[doc(hidden)]
    pub fn new(intake: Weak<dyn Intake>) -> Self {
        Self(intake)
    }

    /// Sends a message that another server has passed on to this one's subscribers, and to nobody else:
    /// it is not passed on again. `from` is the session on whose behalf, if there is one here.
    ///
    /// Extensions, policy and authorizers are not asked, which was done where the message was published.
    /// The listeners of channels see it as any other, and may change or stop it here; only if there are any
    /// it is decoded. A listener that publishes something itself does so on each server. If a channel is
    /// lazy here, so is the message.
    ///
    /// Messages reach each subscriber in the order of the calls, if one waits for the other. Nobody
    /// gets a message that is not on a broadcast channel, or is on a wild one.
    ///
    /// None when the server is stopped or dropped.
    pub async fn receive(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> Option<Published> {
        self.0.upgrade()?.receive(from, message, Provenance::Other).await
    }

    /// Sends a message that this server passed on, and that [comes back](Passage::Back), to its own
    /// subscribers. It is what [`receive`](Self::receive) does, but that its listeners have seen it already.
    /// `from` is its publisher, who may want none of his own messages.
    ///
    /// None when the server is stopped or dropped.
    pub async fn receive_back(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> Option<Published> {
        self.0.upgrade()?.receive(from, message, Provenance::Own).await
    }
}
