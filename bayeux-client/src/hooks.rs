//! What an application may supply to a client, beside extensions.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bayeux_api::{Message, client::TransportFailure};

use crate::FailureInfo;

/// Gives the fields of a handshake that prove who the client is. Asked at each handshake, also when
/// the client starts a new session by itself, so that a token which has expired meanwhile is a fresh
/// one.
#[async_trait]
pub trait Credentials: Send + Sync + fmt::Debug {
    /// Returns a message of whose fields `ext`, `data` and the unknown ones are added to the
    /// handshake.
    ///
    /// # Errors
    ///
    /// When there are none now, with the reason. The client tries again as after a failure of the
    /// network.
    async fn credentials(&self) -> Result<Message, String>;
}

/// Hears of what goes over the transports. Every method does nothing unless written.
///
/// The methods are called by the task that does the client's work, which waits for them.
#[doc(alias = "ClientTransport")]
pub trait TransportListener: Send + Sync + fmt::Debug {
    /// Messages are about to be sent together.
    #[doc(alias = "onSending")]
    fn sending(&self, _messages: &[Message]) {}

    /// Messages have arrived together.
    #[doc(alias = "onMessages")]
    fn messages(&self, _messages: &[Message]) {}

    /// Requests failed. They are given by channel, id and subscription.
    #[doc(alias = "onFailure")]
    fn failure(&self, _failure: &TransportFailure, _requests: &[Message]) {}

    /// A handshake or connect failed. What the client means to do about it may be changed: the
    /// address, the transport, the action and the delay.
    #[doc(alias = "onTransportFailure")]
    fn transport_failure(&self, _info: &mut FailureInfo) {}

    /// A reply is late, by the [maximum network delay](crate::Config::max_network_delay). Returns how
    /// long to wait on; none to let the requests fail. Of several listeners the first that says so
    /// counts.
    #[doc(alias = "onTimeout")]
    fn timeout(&self, _requests: &[Message]) -> Option<Duration> {
        None
    }
}
