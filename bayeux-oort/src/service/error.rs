//! What may fail of a service.

use std::time::Duration;

use bayeux_api::{ChannelIdError, Json};

use crate::{ChannelTaken, SendError};

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The node that answered says that it failed, and this is what it says: what its handler made a failure,
    /// the message of its error, or that it ignores the request.
    #[error("the node failed to do it: {0}")]
    Failure(Json),
    /// No answer came in this time. The request may have been handled all the same.
    #[error("no answer came within {0:?}")]
    Timeout(Duration),
    /// The node of this URL left before it answered. It may have handled the request all the same.
    #[error("the node {0} left before it answered")]
    Left(String),
    /// No node of this URL has joined.
    #[error("there is no node {0}")]
    Unknown(String),
    /// No node is there that could answer: this one has nothing to say, and there is no other, or none any
    /// more; or there is no primary.
    #[error("there is no node that could answer")]
    Nobody,
    /// As many requests as may wait for an answer do so.
    #[error("there are {0} requests that wait for an answer")]
    TooMany(usize),
    /// The request could not be sent.
    #[error("the request was not sent: {0}")]
    Send(SendError),
    /// The service is over, or this node has left the cloud.
    #[error("the service is over")]
    Stopped,
    /// The parameter has no JSON form.
    #[error("the parameter has no JSON form: {0}")]
    Parameter(String),
    /// The result is not of the type that is wanted.
    #[error("the result is of another type: {0}")]
    Result(String),
}

impl From<SendError> for ServiceError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotJoined(url) => Self::Left(url),
            SendError::Stopped => Self::Stopped,
            SendError::Refused(_) | SendError::Failed(_) => Self::Send(error),
        }
    }
}

/// Why a service cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartServiceError {
    /// Its name is not part of a channel's.
    #[error(transparent)]
    Channel(#[from] ChannelIdError),
    /// Its name has something wild or bound in it, or ends as the channel of another service's results.
    #[error("{0} is no name of a service")]
    Name(String),
    /// There is a service of that name on this node.
    #[error(transparent)]
    Taken(#[from] ChannelTaken),
}
