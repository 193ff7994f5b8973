//! An open WebSocket: the client's end of the `websocket` transport.

use std::{
    collections::VecDeque,
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use bayeux_api::client::{FailureKind, TransportFailure};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        error::{CapacityError, ProtocolError},
        protocol::{
            CloseFrame, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use crate::transport::{
    failure,
    ping::{Due, Ping},
    settings::NetworkConfig,
    stream::Stream,
};

/// An open WebSocket, polled by one task that both writes and reads, so that two ends that write at
/// once never wait for each other.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: WebSocketStream<Stream>,
    most: usize,
    /// What waits to be framed.
    queue: VecDeque<Outgoing>,
    /// Whether something was framed that the kernel may not have yet.
    is_dirty: bool,
    /// Why nothing can be written any more. What the server said before that is still read.
    broken: Option<tungstenite::Error>,
    /// Why nothing can be read any more, behind what was.
    failed: Option<TransportFailure>,
    ping: Option<Ping>,
    is_ping_due: bool,
}

/// A message of which the bytes from `next` on are still to be framed.
#[derive(Debug)]
struct Outgoing {
    text: Utf8Bytes,
    next: usize,
}

impl Socket {
    pub(super) fn new(stream: WebSocketStream<Stream>, config: &NetworkConfig) -> Self {
        Self {
            stream,
            most: config.max_message_size,
            queue: VecDeque::new(),
            is_dirty: false,
            broken: None,
            failed: None,
            ping: config.ping_interval.map(|interval| Ping::new(interval, config.ping_timeout)),
            is_ping_due: false,
        }
    }

    /// Queues one text message. It leaves when the socket is next [polled](Self::poll_receive), so
    /// that several are written at once.
    pub(crate) fn send(&mut self, text: String) {
        self.queue.push_back(Outgoing { text: text.into(), next: 0 });
    }

    /// Returns whether nothing is left to write.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.is_dirty
    }

    /// Writes what is queued as far as it goes, and returns the text messages that have arrived, at least one and about
    /// `most`. Pings are answered.
    ///
    /// A failure means that the connection is over; it comes once.
    pub(crate) fn poll_receive(
        &mut self,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Utf8Bytes>, TransportFailure>> {
        if let Some(failure) = self.failed.take() {
            return Poll::Ready(Err(failure));
        }
        self.poll_send(cx);
        let (mut texts, mut bytes) = (Vec::new(), 0);
        while texts.len() < most && bytes < MOST_READ {
            match self.poll_text(cx) {
                Poll::Ready(Ok(text)) => {
                    bytes += text.len();
                    texts.push(text);
                }
                Poll::Ready(Err(failure)) if texts.is_empty() => return Poll::Ready(Err(failure)),
                Poll::Ready(Err(failure)) => {
                    self.failed = Some(failure);
                    break;
                }
                Poll::Pending if texts.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(texts))
    }

    /// Has reading fail from here on.
    pub(crate) fn fail(&mut self, failure: TransportFailure) {
        self.failed = Some(failure);
    }

    /// Returns the next text message.
    fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Result<Utf8Bytes, TransportFailure>> {
        loop {
            let read = self.stream.poll_next_unpin(cx);
            if read.is_ready() {
                self.ping.iter_mut().for_each(Ping::heard);
            }
            match read {
                Poll::Ready(Some(Ok(Message::Text(text)))) => return Poll::Ready(Ok(text)),
                Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {}
                Poll::Ready(Some(Ok(Message::Binary(_)))) => {
                    return Poll::Ready(Err(failure::websocket(
                        FailureKind::Invalid,
                        Some(CloseCode::Unsupported.into()),
                        "the server sent a binary message, which Bayeux does not have",
                    )));
                }
                Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                    // The answer to it; that it arrives is the server's concern.
                    let _ = self.stream.poll_flush_unpin(cx);
                    return Poll::Ready(Err(closed(frame)));
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(self.failed(&error)));
                }
                Poll::Ready(None) => return Poll::Ready(Err(ended())),
                Poll::Pending => {
                    return match self.broken.take_if(|error| !is_ended(error)) {
                        Some(error) => Poll::Ready(Err(self.failed(&error))),
                        None => self.poll_ping(cx),
                    };
                }
            }
        }
    }

    /// Asks a server that has said nothing for a while; fails when that does not answer.
    fn poll_ping(&mut self, cx: &mut Context<'_>) -> Poll<Result<Utf8Bytes, TransportFailure>> {
        while let Some(ping) = &mut self.ping {
            match ready!(ping.poll_due(cx)) {
                Due::Ping => {
                    self.is_ping_due = true;
                    self.poll_send(cx);
                }
                Due::Silence => {
                    let reason = format!("the server answered no ping within {:?}", ping.timeout());
                    let code = Some(CloseCode::Abnormal.into());
                    return Poll::Ready(Err(failure::websocket(FailureKind::Closed, code, reason)));
                }
            }
        }
        Poll::Pending
    }

    /// Writes what is queued as far as it goes, and reads nothing. What fails is told when it is read.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) {
        if self.broken.is_none()
            && let Poll::Ready(Err(error)) = self.poll_write(cx)
        {
            self.broken = Some(error);
        }
    }

    /// Writes what is queued, says farewell with a code and a reason, of which CometD sends 30
    /// characters, waits a second at most for the server to do the same, and drops the connection.
    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let reason: String = reason.chars().take(30).collect();
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let farewell = async {
            std::future::poll_fn(|cx| self.poll_write_beside_reading(cx)).await?;
            self.stream.close(Some(frame)).await?;
            while let Some(Ok(_)) = self.stream.next().await {}
            Ok::<_, tungstenite::Error>(())
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        loop {
            if self.is_ping_due {
                ready!(self.stream.poll_ready_unpin(cx))?;
                self.is_ping_due = false;
                self.is_dirty = true;
                self.stream.start_send_unpin(Message::Ping(bytes::Bytes::new()))?;
            }
            let Some(next) = self.queue.front_mut() else { break };
            ready!(self.stream.poll_ready_unpin(cx))?;
            let frame = next.frame();
            if next.next == next.text.len() {
                self.queue.pop_front();
            }
            self.is_dirty = true;
            self.stream.start_send_unpin(Message::Frame(frame))?;
        }
        if self.queue.capacity() > MOST_KEPT {
            self.queue = VecDeque::new();
        }
        if self.is_dirty {
            ready!(self.stream.poll_flush_unpin(cx))?;
            self.is_dirty = false;
        }
        Poll::Ready(Ok(()))
    }

    /// A server that waits for its own writing is not to keep this end from its.
    fn poll_write_beside_reading(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), tungstenite::Error>> {
        let written = self.poll_write(cx);
        if written.is_ready() {
            return written;
        }
        while let Poll::Ready(message) = self.stream.poll_next_unpin(cx) {
            match message {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(tungstenite::Error::ConnectionClosed)),
            }
        }
        Poll::Pending
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the variants depend on tungstenite's features"
    )]
    fn failed(&self, error: &tungstenite::Error) -> TransportFailure {
        let new = |kind, code: CloseCode, reason: String| {
            failure::websocket(kind, Some(code.into()), reason)
        };
        match error {
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => new(
                FailureKind::TooLarge,
                CloseCode::Size,
                format!("the server sent a message larger than {} bytes", self.most),
            ),
            tungstenite::Error::Utf8(_) => new(
                FailureKind::Invalid,
                CloseCode::Invalid,
                "the server sent text that is not UTF-8".to_owned(),
            ),
            tungstenite::Error::ConnectionClosed
            | tungstenite::Error::AlreadyClosed
            | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => ended(),
            tungstenite::Error::Protocol(error) => new(
                FailureKind::Invalid,
                CloseCode::Protocol,
                format!("the server does not speak WebSocket as it should: {error}"),
            ),
            tungstenite::Error::Io(error) => {
                let mut failure =
                    failure::broken(bayeux_api::ConnectionType::WebSocket, error, UNEXPECTED_END);
                failure.websocket_code = Some(CloseCode::Abnormal.into());
                failure
            }
            error => new(
                FailureKind::Closed,
                CloseCode::Abnormal,
                format!("the connection failed: {error}"),
            ),
        }
    }
}

impl Outgoing {
    /// Takes the next frame. Large messages leave in several, so that no buffer grows to their size.
    fn frame(&mut self) -> Frame {
        let start = self.next;
        let most = self.text.len().min(start + MOST_FRAME);
        self.next = self.text.floor_char_boundary(most);
        let kind = if start == 0 { Data::Text } else { Data::Continue };
        let bytes = bytes::Bytes::from(self.text.clone()).slice(start..self.next);
        Frame::message(bytes, OpCode::Data(kind), self.next == self.text.len())
    }
}

/// Returns how a client's WebSockets are set up. The buffers are small: most sockets are idle.
pub(super) fn limits(max_message_size: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .write_buffer_size(GATHERED)
        .max_write_buffer_size(MOST_WRITE_BUFFER)
        .max_message_size(Some(max_message_size))
        .max_frame_size(Some(max_message_size))
}

/// Returns whether a failed write means that reading comes to its end too, and tells more.
fn is_ended(error: &tungstenite::Error) -> bool {
    let tungstenite::Error::Io(error) = error else { return false };
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
    )
}

fn closed(frame: Option<CloseFrame>) -> TransportFailure {
    let (code, reason) = match frame {
        Some(frame) => (u16::from(frame.code), frame.reason),
        None => (CloseCode::Status.into(), Utf8Bytes::default()),
    };
    let words = format!("closed by the server: {code} {reason}");
    failure::websocket(FailureKind::Closed, Some(code), words.trim_end())
}

fn ended() -> TransportFailure {
    failure::websocket(FailureKind::Closed, Some(CloseCode::Abnormal.into()), UNEXPECTED_END)
}

const UNEXPECTED_END: &str = "the connection ended without a closing handshake";

/// Frames are gathered up to this many bytes before they are written.
const GATHERED: usize = 8 * 1024;

/// The largest frame of a message.
const MOST_FRAME: usize = 32 * 1024;

/// Has place for what is gathered and one more frame, beside answers to many pings.
const MOST_WRITE_BUFFER: usize = 128 * 1024;

/// Once so many bytes were read, others have their turn.
const MOST_READ: usize = 64 * 1024;

/// A queue that was once long gives its memory back.
const MOST_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_leaves_in_frames_between_characters() {
        let text = "é".repeat(40_000);
        let mut outgoing = Outgoing { text: format!("x{text}").into(), next: 0 };
        let mut frames = Vec::new();
        while frames.is_empty() || outgoing.next < outgoing.text.len() {
            frames.push(outgoing.frame());
        }
        let opcodes: Vec<_> = frames.iter().map(|frame| frame.header().opcode).collect();
        let text = OpCode::Data(Data::Text);
        let more = OpCode::Data(Data::Continue);
        assert_eq!(opcodes, [text, more, more]);
        let is_final: Vec<_> = frames.iter().map(|frame| frame.header().is_final).collect();
        assert_eq!(is_final, [false, false, true]);
        for frame in &frames {
            assert!(std::str::from_utf8(frame.payload()).is_ok());
            assert!(frame.payload().len() <= MOST_FRAME);
        }
        assert_eq!(frames.iter().map(|frame| frame.payload().len()).sum::<usize>(), 80_001);
    }

    #[test]
    fn an_empty_message_is_a_frame_too() {
        let mut outgoing = Outgoing { text: Utf8Bytes::default(), next: 0 };
        let frame = outgoing.frame();
        assert!(frame.header().is_final);
        assert!(frame.payload().is_empty());
    }
}
