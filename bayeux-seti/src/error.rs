//! Why a Seti cannot do something.

use bayeux_api::ChannelIdError;
use bayeux_oort::ChannelTaken;

/// Why a Seti cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartSetiError {
    /// There is one on this node.
    #[error(transparent)]
    Taken(#[from] ChannelTaken),
    /// The node's URL makes no channel.
    #[error(transparent)]
    Channel(#[from] ChannelIdError),
    /// Another node of the cloud has the same Seti id, since their URLs differ in nothing but signs: what is sent to
    /// one would come to both. One of them needs another URL.
    #[error("the URLs {own} and {other} make the same Seti id, {seti_id}")]
    Collision {
        /// This node's URL.
        own: String,
        /// The other one's.
        other: String,
        /// What both make.
        seti_id: String,
    },
    /// The node has left the cloud.
    #[error("the node has left the cloud")]
    Stopped,
    /// The server refuses a local session.
    #[error("the server refuses its own session \"seti\": {0}")]
    Session(String),
}

/// Why a user is not associated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssociateError {
    /// The session has ended, or was not handshaken.
    #[error("the session {0} has ended, or was not handshaken")]
    Ended(String),
    /// The session is of another node's server: a user is associated on the node on which the session is.
    #[error("the session {0} is of another server than this node's")]
    Foreign(String),
    /// The user's id is longer than [allowed](crate::SetiConfig::max_user_id).
    #[error("the user's id has {0} bytes, which is too long")]
    LongId(usize),
    /// The Seti was stopped.
    #[error("the Seti was stopped")]
    Stopped,
}

/// Why a message to users is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendMessageError {
    /// It is not the name of a channel.
    #[error(transparent)]
    Name(#[from] ChannelIdError),
    /// It is a wild or meta channel, or one of the cloud's own.
    #[error("nothing is sent to users on channel {0}")]
    Channel(String),
    /// The data has no JSON form.
    #[error("the data has no JSON form: {0}")]
    Data(String),
    /// The Seti was stopped.
    #[error("the Seti was stopped")]
    Stopped,
}
