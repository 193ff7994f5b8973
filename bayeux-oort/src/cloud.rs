//! What joins the nodes: who is there, and how what one sends gets to the others.
//!
//! Everything above this — [`Oort`](crate::Oort), objects, services — knows no more of how nodes are connected
//! than this trait. The [mesh](crate::Mesh) is CometD's way: each node is a Bayeux client of each other one. A
//! broker would be another.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use async_trait::async_trait;
use bayeux_api::{ChannelId, Message};
use bayeux_server::Server;

use crate::Comet;

/// What joins this node to others.
#[async_trait]
pub trait Cloud: Send + Sync + fmt::Debug {
    /// Returns this node.
    fn own(&self) -> &Comet;

    /// Returns the other nodes that have joined, in the order of their ids.
    fn comets(&self) -> Vec<Comet>;

    /// Starts to join `server`: from now on `listener` is told. Called once.
    ///
    /// # Errors
    ///
    /// When it cannot start, and why.
    async fn start(
        &self,
        server: &Server,
        listener: Arc<dyn CloudListener>,
    ) -> Result<(), StartError>;

    /// Has what others [broadcast](Self::broadcast) on `channel`, which may be wild, come here from now on.
    fn observe(&self, channel: &ChannelId);

    /// Ends [`observe`](Self::observe).
    fn deobserve(&self, channel: &ChannelId);

    /// Brings a message on a broadcast channel to all nodes that observe it. It also reaches this node's own
    /// subscribers, but not `listener`. Messages reach each node in the order in which these calls were
    /// polled first.
    ///
    /// # Errors
    ///
    /// When it goes nowhere.
    async fn broadcast(&self, message: Message) -> Result<(), SendError>;

    /// Sends a message on a service channel to one other node. It is handed over by the call itself: messages
    /// to one node arrive in the order of the calls, and one whose future is dropped is sent all the same. The
    /// future is of whether the node took it.
    fn send(&self, to: &Comet, message: Message) -> Sending;

    /// Leaves the cloud: the others know at once.
    async fn stop(&self);
}

/// The future of whether a node took a message.
pub type Sending = Pin<Box<dyn Future<Output = Result<(), SendError>> + Send>>;

/// What a [`Cloud`] tells. Joined and left of one node alternate, beginning with joined, and are told in the
/// order in which they happen, also with regard to what the node sends.
///
/// The methods that are not `async` must not wait.
#[async_trait]
pub trait CloudListener: Send + Sync + fmt::Debug {
    /// A node joined: what is sent to it arrives, and what it sends arrives here.
    fn joined(&self, comet: &Comet);

    /// A node left, or was lost. One that comes back joins again: by the same id if it had only been cut off,
    /// by another one if it has started anew.
    fn left(&self, comet: &Comet);

    /// A node that has joined observes `channel` from now on, perhaps once more, after it may have missed
    /// something: whatever it has to know of what was broadcast there before has to be sent to it now.
    fn observed(&self, comet: &Comet, channel: &ChannelId);

    /// A message from a node that has joined: a broadcast that was observed, or what was sent to this node.
    /// What the same node sent next waits until this returns.
    async fn received(&self, from: &Comet, message: Message);
}

/// Why a message did not reach a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No such node has joined, or it has left meanwhile.
    #[error("the node {0} is not in the cloud")]
    NotJoined(String),
    /// It did not take the message, and says why.
    #[error("the node refused the message: {0}")]
    Refused(String),
    /// The message could not be sent.
    #[error("the message could not be sent: {0}")]
    Failed(String),
    /// This node has left the cloud.
    #[error("this node has left the cloud")]
    Stopped,
}

/// Why a cloud could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It was started before, or is being started.
    #[error("it was started before, or is being started")]
    Started,
    /// Something is not as it should be, in words that say what to do.
    #[error("{0}")]
    Failed(String),
}
