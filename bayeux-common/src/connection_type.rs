//! The names of the transports, as `supportedConnectionTypes` and `connectionType` give them.

use std::{fmt, str::FromStr};

/// A transport that both ends can agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConnectionType {
    /// `websocket`.
    WebSocket,
    /// `long-polling`: JSON over HTTP POST.
    LongPolling,
    /// `callback-polling`: JSONP over HTTP GET.
    CallbackPolling,
    /// `in-process`: both ends in one program, for documentation and tests.
    InProcess,
}

impl ConnectionType {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::LongPolling => "long-polling",
            Self::CallbackPolling => "callback-polling",
            Self::InProcess => "in-process",
        }
    }
}

impl fmt::Display for ConnectionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connection type that this implementation does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown connection type {0:?}; known are websocket, long-polling, callback-polling")]
pub struct UnknownConnectionType(pub String);

impl FromStr for ConnectionType {
    type Err = UnknownConnectionType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "websocket" => Ok(Self::WebSocket),
            "long-polling" => Ok(Self::LongPolling),
            "callback-polling" => Ok(Self::CallbackPolling),
            "in-process" => Ok(Self::InProcess),
            other => Err(UnknownConnectionType(other.to_owned())),
        }
    }
}
