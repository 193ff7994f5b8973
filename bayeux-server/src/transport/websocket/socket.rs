//! The WebSocket itself: frames over whatever connection was upgraded. All that the rest of the server
//! knows of it.
//!
//! A connection that waits has no buffer: what arrives is read into one that all connections of a
//! thread share, and only the beginning of a frame whose end has not come is kept.

use std::{
    borrow::Cow,
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::{
    io::{AsyncRead, AsyncWrite as _, ReadBuf},
    net::TcpStream,
};

use crate::{
    carrier::Carrier,
    config::Config,
    transport::{
        patience::Patience,
        websocket::{
            close::{Code, SocketError},
            frame::{self, Decoder, Event},
            link::Link,
            outbox::Outbox,
        },
    },
};

#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    decoder: Decoder,
    /// What has arrived and makes no whole frame yet, or was not looked at.
    rest: Vec<u8>,
    is_looked_at: bool,
    /// What came after the messages that were received.
    failure: Option<Box<SocketError>>,
    /// Whether any byte arrived since [it was asked](Self::take_has_read).
    has_read: bool,
    read_size: usize,
}

#[derive(Debug)]
enum Stream {
    Tcp(Arc<Carrier<Link>>),
    /// TLS, a stream of HTTP/2, or a connection that somebody else accepted.
    Other(Box<TokioIo<Upgraded>>),
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Socket {
    pub(crate) fn new(upgraded: Upgraded, config: &Config) -> Self {
        match tcp(upgraded) {
            Ok((stream, rest)) => Self::over_tcp(stream, rest, config),
            Err(upgraded) => {
                let stream = Stream::Other(Box::new(TokioIo::new(upgraded)));
                Self::over(stream, Vec::new(), config)
            }
        }
    }

    /// Makes one of a TCP connection, of which `rest` was read.
    pub(crate) fn over_tcp(stream: TcpStream, rest: Vec<u8>, config: &Config) -> Self {
        let link = Link::new(stream, config.ws.messages_per_frame);
        Self::over(Stream::Tcp(Arc::new(Carrier::new(link))), rest, config)
    }

    fn over(stream: Stream, rest: Vec<u8>, config: &Config) -> Self {
        Self {
            stream,
            decoder: Decoder::new(config.websocket.max_message_size),
            rest,
            is_looked_at: false,
            failure: None,
            has_read: false,
            read_size: config.ws.buffer_size.max(1),
        }
    }

    pub(super) fn max_message_size(&self) -> usize {
        self.decoder.most()
    }

    /// Sets the largest message that is taken.
    pub(super) fn set_max_message_size(&mut self, most: usize) {
        self.decoder.set_most(most);
    }

    /// Makes the carrier of this socket's connection, which lends it if that is possible.
    pub(crate) fn carrier(&self) -> Arc<Carrier> {
        match &self.stream {
            Stream::Tcp(carrier) => carrier.clone(),
            Stream::Other(_) => Carrier::without_socket(),
        }
    }

    /// Takes what was left when somebody else wrote.
    pub(crate) fn take_rest(&self) -> Option<Box<Outbox>> {
        match &self.stream {
            Stream::Tcp(carrier) => carrier.socket().take_rest(),
            Stream::Other(_) => None,
        }
    }

    /// Waits for what arrives, and returns what `take` makes of it: one for each that arrived together,
    /// and at least one. May be dropped and asked again without a loss.
    pub(crate) async fn receive<T>(
        &mut self,
        mut take: impl FnMut(Event<'_>) -> T,
    ) -> Result<Vec<T>, SocketError> {
        let mut received = Vec::new();
        let mut take = |event: Event<'_>| received.push(take(event));
        poll_fn(|context| self.poll_receive(context, &mut take)).await?;
        Ok(received)
    }

    /// Takes what has arrived, as soon as anything has. May be asked again without a loss.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(Event<'_>),
    ) -> Poll<Result<(), SocketError>> {
        if !std::mem::replace(&mut self.is_looked_at, true) && self.accept(&mut [], take) {
            return Poll::Ready(Ok(()));
        }
        loop {
            if let Some(failure) = self.failure.take() {
                return Poll::Ready(Err(*failure));
            }
            let has_any = SCRATCH.with_borrow_mut(|scratch| {
                if scratch.len() < self.read_size {
                    scratch.resize(self.read_size, 0);
                }
                let buffer = &mut scratch[..self.read_size];
                let count = ready!(self.stream.poll_read(context, buffer))?;
                if count == 0 {
                    return Poll::Ready(Err(SocketError::Closed));
                }
                self.has_read = true;
                Poll::Ready(Ok(self.accept(&mut buffer[..count], take)))
            });
            if ready!(has_any)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Tells whether anything arrived since the last time, be it a part of a message.
    pub(crate) fn take_has_read(&mut self) -> bool {
        std::mem::take(&mut self.has_read)
    }

    /// Takes what has arrived; true when that made anything whole.
    fn accept(&mut self, arrived: &mut [u8], take: &mut dyn FnMut(Event<'_>)) -> bool {
        if self.rest.is_empty() {
            let (used, has_any) = self.decode(arrived, take);
            self.rest = arrived[used..].to_vec();
            return has_any;
        }
        let mut whole = std::mem::take(&mut self.rest);
        whole.extend_from_slice(arrived);
        let (used, has_any) = self.decode(&mut whole, take);
        // A copy, so that no more memory stays than what is left needs.
        self.rest = if used == 0 { whole } else { whole[used..].to_vec() };
        has_any
    }

    fn decode(&mut self, mut bytes: &mut [u8], take: &mut dyn FnMut(Event<'_>)) -> (usize, bool) {
        let (mut used, mut has_any) = (0, false);
        while self.failure.is_none() {
            let length = match self.decoder.next(bytes) {
                Ok(None) => break,
                Ok(Some((event, length))) => {
                    if event != Event::Part {
                        has_any = true;
                        take(event);
                    }
                    length
                }
                Err(error) => {
                    self.failure = Some(Box::new(error));
                    used += bytes.len();
                    break;
                }
            };
            used += length;
            bytes = &mut bytes[length..];
        }
        (used, has_any)
    }

    /// Writes some of `bytes`, as soon as any is taken.
    pub(crate) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, SocketError>> {
        let written = match &mut self.stream {
            Stream::Tcp(carrier) => ready!(carrier.socket().poll_write(context, bytes))?,
            Stream::Other(stream) => ready!(Pin::new(&mut **stream).poll_write(context, bytes))?,
        };
        Poll::Ready(if written == 0 { Err(SocketError::Closed) } else { Ok(written) })
    }

    /// Waits until what was written has left.
    pub(crate) fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SocketError>> {
        match &mut self.stream {
            Stream::Tcp(..) => Poll::Ready(Ok(())),
            Stream::Other(stream) => {
                Pin::new(&mut **stream).poll_flush(context).map_err(SocketError::from)
            }
        }
    }

    /// Answers the peer's closing.
    pub(crate) async fn answer_close(&mut self, code: Option<u16>) {
        let mut close = Vec::new();
        frame::append_close(&mut close, code.unwrap_or_else(|| Code::Normal.number()), "");
        let _ = tokio::time::timeout(FAREWELL, self.write_all(&close)).await;
    }

    /// Closes, and waits a moment for the peer to do the same.
    pub(crate) async fn close(&mut self, code: Code, reason: &str) {
        let mut close = Vec::new();
        frame::append_close(&mut close, code.number(), &trimmed(reason));
        let farewell = async {
            self.write_all(&close).await?;
            loop {
                let is_closed = |event: Event<'_>| matches!(event, Event::Close(_));
                if self.receive(is_closed).await?.contains(&true) {
                    return Ok::<_, SocketError>(());
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    async fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), SocketError> {
        while !bytes.is_empty() {
            let count = poll_fn(|context| self.poll_write(context, bytes)).await?;
            bytes = &bytes[count..];
        }
        poll_fn(|context| self.poll_flush(context)).await
    }
}

/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(2);

impl Stream {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(carrier) => carrier.socket().poll_read(context, buffer),
            Self::Other(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut **stream).poll_read(context, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }
}

/// Finds the TCP connection below, and what was read of it: one that this server accepted, or hyper's
/// usual ways.
fn tcp(upgraded: Upgraded) -> Result<(TcpStream, Vec<u8>), Upgraded> {
    let upgraded = match upgraded.downcast::<TokioIo<Patience<TcpStream>>>() {
        Ok(parts) => {
            let (stream, mut rest) = parts.io.into_inner().into_parts();
            rest.extend_from_slice(&parts.read_buf);
            return Ok((stream, rest));
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf.to_vec())),
        Err(upgraded) => upgraded,
    };
    let parts = auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded)?;
    Ok((parts.io.into_inner(), parts.read_buf.to_vec()))
}

/// Cuts a reason to what a close frame has place for beside its code.
fn trimmed(reason: &str) -> Cow<'_, str> {
    const MOST: usize = frame::MOST_OF_CONTROL - 2;
    if reason.len() <= MOST {
        return Cow::Borrowed(reason);
    }
    Cow::Owned(reason[..reason.floor_char_boundary(MOST)].to_owned())
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
