//! Why a WebSocket ends, and with which code.

use std::io;

/// Why nothing more arrives or leaves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("closed by the peer")]
    Closed,
    #[error("a message larger than allowed")]
    TooLarge,
    #[error("not UTF-8")]
    Utf8,
    #[error("a breach of the WebSocket protocol: {0}")]
    Protocol(&'static str),
    #[error("the connection failed: {0}")]
    Broken(#[from] io::Error),
    #[error("the peer does not read")]
    Stuck,
}

impl SocketError {
    /// Returns what to tell the peer, if it can still be told.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::TooLarge => Some(Code::TooLarge),
            Self::Utf8 => Some(Code::NotUtf8),
            Self::Protocol(_) => Some(Code::Protocol),
            Self::Closed | Self::Broken(_) | Self::Stuck => None,
        }
    }
}

/// With which code a connection is closed (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Normal,
    Away,
    Protocol,
    Unsupported,
    NotUtf8,
    TooLarge,
    Error,
}

impl Code {
    /// Returns the number of section 7.4.1.
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::Away => 1001,
            Self::Protocol => 1002,
            Self::Unsupported => 1003,
            Self::NotUtf8 => 1007,
            Self::TooLarge => 1009,
            Self::Error => 1011,
        }
    }
}
