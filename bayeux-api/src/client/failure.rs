//! Why messages could not be exchanged with the server.

use std::time::Duration;

use bayeux_common::ConnectionType;

/// A failure below Bayeux: of the network, of HTTP or WebSocket, or of what came over them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{connection_type}: {reason}")]
#[doc(alias("FailureInfo", "failure"))]
#[non_exhaustive]
pub struct TransportFailure {
    /// Over what.
    pub connection_type: ConnectionType,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What happened, in words.
    pub reason: String,
    /// The status that the server answered with, if it was not the expected one; 204 when an answer
    /// was empty.
    pub http_code: Option<u16>,
    /// The code with which the WebSocket was closed (RFC 6455, section 7.4).
    pub websocket_code: Option<u16>,
    /// How long the server wants to be left alone: its `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// Kinds of [`TransportFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: refused, no such host, no route, no answer in time.
    Unreachable,
    /// A connection, but not a safe one: the certificates do not fit.
    Untrusted,
    /// The server answered with another HTTP status than was asked for.
    Status,
    /// The connection ended, or broke, before the answer was there.
    Closed,
    /// No answer came within the maximum network delay.
    Timeout,
    /// What came is not Bayeux.
    Invalid,
    /// What came, or was to be sent, is larger than allowed.
    TooLarge,
    /// An answer came, but without a reply to this message.
    Unanswered,
    /// This end gave up: the client was aborted, or a hook of the application said so.
    Aborted,
}

impl TransportFailure {
    /// Makes a failure without codes.
    pub fn new(
        connection_type: ConnectionType,
        kind: FailureKind,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            connection_type,
            kind,
            reason: reason.into(),
            http_code: None,
            websocket_code: None,
            retry_after: None,
        }
    }

    /// Returns whether trying again cannot help until somebody changes something: certificates that
    /// do not fit, or an HTTP status that says the request itself is wrong. Not 404, which a proxy
    /// answers while its server restarts, nor 408, 425 and 429, which ask for another time.
    pub fn is_fatal(&self) -> bool {
        match self.kind {
            FailureKind::Untrusted => true,
            FailureKind::Status => match self.http_code {
                Some(404 | 408 | 425 | 429) | None => false,
                Some(code) => (300..500).contains(&code),
            },
            FailureKind::Unreachable
            | FailureKind::Closed
            | FailureKind::Timeout
            | FailureKind::Invalid
            | FailureKind::TooLarge
            | FailureKind::Unanswered
            | FailureKind::Aborted => false,
        }
    }
}
