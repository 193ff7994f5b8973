//! Why a WebSocket ends, and with which code.

use std::io;

use bayeux_api::DecodeError;

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
}

impl SocketError {
    /// Returns what to tell the peer, if it can still be told.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::TooLarge => Some(Code::TooLarge),
            Self::Utf8 => Some(Code::NotUtf8),
            Self::Protocol(_) => Some(Code::Protocol),
            Self::Closed | Self::Broken(_) => None,
        }
    }
}

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The peer is gone.
    Gone,
    /// The peer has closed it, with this code.
    Closed(Option<u16>),
    /// It is closed by this end.
    Close(Code, String),
}

impl From<&SocketError> for End {
    fn from(error: &SocketError) -> Self {
        match error.code() {
            Some(code) => Self::Close(code, error.to_string()),
            None => {
                tracing::debug!(%error, "websocket lost");
                Self::Gone
            }
        }
    }
}

impl From<DecodeError> for End {
    fn from(error: DecodeError) -> Self {
        let is_large = matches!(error, DecodeError::TooLarge(_) | DecodeError::TooMany(_));
        let code = if is_large { Code::TooLarge } else { Code::Error };
        Self::Close(code, error.to_string())
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
