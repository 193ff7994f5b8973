//! What takes part in a cloud: an object, a service, or something of an application's own that every node has.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bayeux_api::{ChannelId, Message};

use crate::Comet;

/// Something that several nodes have under the same name, and whose messages are its own affair: not an
/// application's broadcast, which goes on to subscribers. Added by
/// [`Oort::add_participant`](crate::Oort::add_participant) with its channels.
///
/// Joined and left of a node are told in order, and so is what it sends between them. The methods that are
/// not `async` must not wait.
#[async_trait]
pub trait Participant: Send + Sync + fmt::Debug {
    /// A node joined. Also told, at once, of those that have joined when this is added.
    fn joined(&self, _comet: &Comet) {}

    /// A node left.
    fn left(&self, _comet: &Comet) {}

    /// A node that has joined observes `channel`, one of the participant's broadcast channels, from now on or
    /// once more: it has its own such participant, and knows nothing yet of this one, or may have missed
    /// something.
    fn observed(&self, _comet: &Comet, _channel: &ChannelId) {}

    /// A message from a node on one of the participant's channels. What the same node sent next waits until
    /// this returns.
    async fn received(&self, _from: &Comet, _message: Message) {}
}

/// A participant and its channels.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) channels: Vec<ChannelId>,
    pub(crate) participant: Arc<dyn Participant>,
}
