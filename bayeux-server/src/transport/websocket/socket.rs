//! The WebSocket itself, on tungstenite: all that the rest of the server knows of it.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        error::CapacityError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{config::Config, transport::websocket::counted::Counted};

#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<Counted<TokioIo<Upgraded>>>,
}

/// What arrives.
#[derive(Debug)]
pub(crate) enum Received {
    Text(Utf8Bytes),
    /// A ping or pong: the peer lives.
    Alive,
    /// A binary message, which Bayeux does not have.
    Binary,
}

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
    Protocol(String),
    #[error("the connection failed: {0}")]
    Broken(String),
    #[error("the peer does not read")]
    Stuck,
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

impl Socket {
    pub(crate) async fn new(io: TokioIo<Upgraded>, config: &Config) -> Self {
        let size = config.websocket.max_message_size;
        let limits = WebSocketConfig::default()
            .read_buffer_size(config.ws.buffer_size)
            .write_buffer_size(0)
            .max_write_buffer_size(usize::MAX)
            .max_message_size(Some(size))
            .max_frame_size(Some(size));
        let stream =
            WebSocketStream::from_raw_socket(Counted::new(io), Role::Server, Some(limits)).await;
        Self { stream }
    }

    /// Waits for what arrives. May be dropped and asked again without a loss.
    pub(crate) async fn receive(&mut self) -> Result<Received, SocketError> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Received::Text(text)),
                Some(Ok(Message::Binary(_))) => return Ok(Received::Binary),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(Received::Alive),
                Some(Ok(Message::Close(_))) => {}
                Some(Ok(Message::Frame(_))) => unreachable!("frames are not read apart"),
                Some(Err(error)) => return Err(error.into()),
                None => return Err(SocketError::Closed),
            }
        }
    }

    /// Writes one text message. Waits until the messages before it are [flushed](Self::flush), never
    /// for this one.
    pub(crate) async fn write(&mut self, text: Bytes) -> Result<(), SocketError> {
        let text = Utf8Bytes::try_from(text).map_err(|_| SocketError::Utf8)?;
        Ok(self.stream.feed(Message::Text(text)).await?)
    }

    pub(crate) async fn flush(&mut self) -> Result<(), SocketError> {
        Ok(self.stream.flush().await?)
    }

    /// Returns how many bytes the kernel has taken.
    pub(crate) fn written(&self) -> u64 {
        self.stream.get_ref().written()
    }

    /// Closes, and waits a moment for the peer to do the same.
    pub(crate) async fn close(&mut self, code: Code, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: trimmed(reason).into_owned().into() };
        let farewell = async {
            self.stream.close(Some(frame)).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok::<_, tungstenite::Error>(())
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), farewell).await;
    }
}

/// A close frame has place for 123 bytes of reason.
fn trimmed(reason: &str) -> Cow<'_, str> {
    const MOST: usize = 123;
    if reason.len() <= MOST {
        return Cow::Borrowed(reason);
    }
    Cow::Owned(reason[..reason.floor_char_boundary(MOST)].to_owned())
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

impl From<tungstenite::Error> for SocketError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "tungstenite has more variants where another crate of the program turns on its handshake"
    )]
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::Error;
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed,
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLarge,
            Error::Utf8(_) => Self::Utf8,
            Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Closed
            }
            Error::Protocol(error) => Self::Protocol(error.to_string()),
            error => Self::Broken(error.to_string()),
        }
    }
}

impl From<Code> for CloseCode {
    fn from(code: Code) -> Self {
        match code {
            Code::Normal => Self::Normal,
            Code::Away => Self::Away,
            Code::Protocol => Self::Protocol,
            Code::Unsupported => Self::Unsupported,
            Code::NotUtf8 => Self::Invalid,
            Code::TooLarge => Self::Size,
            Code::Error => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters() {
        let reason = "é".repeat(100);
        assert_eq!(trimmed(&reason).len(), 122);
        assert_eq!(trimmed("short"), "short");
    }
}
