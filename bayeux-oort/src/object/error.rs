//! Why an object cannot be started, or a change not be shared.

use bayeux_api::ChannelIdError;

use crate::ChannelTaken;

/// Why an object cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The name is no single segment of a channel.
    #[error("the object's name {0:?} is not one segment of a channel's name")]
    Name(String),
    /// The name makes no channel.
    #[error(transparent)]
    Channel(#[from] ChannelIdError),
    /// There is an object of that name on this node.
    #[error(transparent)]
    Taken(#[from] ChannelTaken),
}

/// Why a change was not made, nor shared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// A value has no JSON form.
    #[error("the value has no JSON form")]
    Value(#[from] serde_json::Error),
    /// Its own code panicked when it was written; the log has more.
    #[error("the value panicked")]
    Panicked,
    /// The object was stopped.
    #[error("the object was stopped")]
    Stopped,
}
