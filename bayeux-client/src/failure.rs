//! What the client means to do after a failure, which a listener may change.

use std::time::Duration;

use bayeux_api::{ConnectionType, Reconnect, client::TransportFailure};
use url::Url;

/// A failed handshake or connect, and what comes next.
#[derive(Clone, Debug)]
#[doc(alias = "ClientTransport.FailureInfo")]
#[non_exhaustive]
pub struct FailureInfo {
    /// What failed.
    pub failure: TransportFailure,
    /// What to do: another connect, another handshake, or nothing more.
    pub action: Reconnect,
    /// How long to wait before that.
    pub delay: Duration,
    /// Over what; none when no transport is left.
    pub transport: Option<ConnectionType>,
    /// To which address.
    pub url: Url,
}
