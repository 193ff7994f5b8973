//! A connection that does not wait for ever for its peer.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Version;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::transport::{body::SMALL, line::Line};

/// A stream of which can be set how much it takes before its peer does.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Has it take little more than its peer takes.
    fn take_little(&self);
}

impl Stream for TcpStream {
    /// The kernel would take some megabytes, and not tell when the peer has them. What it has sent and is not
    /// acknowledged does not count, so that a peer that is far away gets no less at once.
    fn take_little(&self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Err(error) = socket2::SockRef::from(self).set_tcp_notsent_lowat(UNSENT) {
            tracing::debug!(%error, "a slow reader may be taken for a silent one");
        }
    }
}

/// How much of what is written waits in the kernel before it is sent, in bytes.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 32 * 1024;

/// Fails when the peer takes nothing of what is written for too long, and tells the version of HTTP
/// from what arrives first.
#[derive(Debug)]
pub(crate) struct Patience<S> {
    stream: S,
    line: Arc<Line>,
    /// Whether much was written to it before.
    is_large: bool,
    write_time: Duration,
    writing: Option<Pin<Box<Sleep>>>,
    /// What was read to tell the version, and how much of it was read again.
    beginning: [u8; PREFACE.len()],
    arrived: usize,
    read: usize,
}

/// How a connection of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl<S> Patience<S> {
    pub(crate) fn new(stream: S, write_time: Duration, line: Arc<Line>) -> Self {
        Self {
            stream,
            line,
            is_large: false,
            write_time,
            writing: None,
            beginning: [0; PREFACE.len()],
            arrived: 0,
            read: 0,
        }
    }

    /// Returns the stream, and what of it was read but not read again.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.beginning[self.read..self.arrived].to_vec())
    }

    /// Notes how a write went, and fails one that has waited too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if self.writing.take().is_some() && matches!(polled, Poll::Ready(Ok(_))) {
                self.line.taken();
            }
            return polled;
        }
        let time = self.write_time;
        let sleep = self.writing.get_or_insert_with(|| Box::pin(sleep(time)));
        sleep.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> Patience<S> {
    /// Waits for as much as tells the version. It can be read again.
    pub(crate) async fn version(&mut self) -> io::Result<Version> {
        while PREFACE.starts_with(&self.beginning[..self.arrived]) {
            if self.arrived == PREFACE.len() {
                return Ok(Version::HTTP_2);
            }
            match self.stream.read(&mut self.beginning[self.arrived..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.arrived += count,
            }
        }
        Ok(Version::HTTP_11)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let again = &this.beginning[this.read..this.arrived];
        if again.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let count = again.len().min(buffer.remaining());
        buffer.put_slice(&again[..count]);
        this.read += count;
        // Together with what follows: hyper doubles its buffer for a head that comes in two parts.
        if buffer.remaining() > 0
            && let Poll::Ready(Err(error)) = Pin::new(&mut this.stream).poll_read(context, buffer)
        {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> Patience<S> {
    fn begin_to_write(&mut self, length: usize) {
        if length > SMALL && !std::mem::replace(&mut self.is_large, true) {
            self.stream.take_little();
        }
    }
}

impl<S: Stream> AsyncWrite for Patience<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.begin_to_write(bytes.len());
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.begin_to_write(slices.iter().map(|slice| slice.len()).sum());
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const TIME: Duration = Duration::from_secs(10);

    impl Stream for DuplexStream {
        fn take_little(&self) {}
    }

    fn patience(near: DuplexStream) -> Patience<DuplexStream> {
        Patience::new(near, TIME, Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(64);
        let mut near = patience(near);
        let error = near.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_beginning_tells_the_version_and_is_read_again() {
        for (text, expected) in [
            ("GET / HTTP/1.0\r\n\r\n", Version::HTTP_11),
            ("PRI / HTTP/1.1\r\n\r\nand more", Version::HTTP_11),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand more", Version::HTTP_2),
        ] {
            for part in [1, 7, 100] {
                // The pipe takes only so many bytes at once.
                let (near, mut far) = duplex(part);
                let mut near = patience(near);
                let write = async {
                    far.write_all(text.as_bytes()).await.unwrap();
                    drop(far);
                };
                let read = async {
                    assert_eq!(near.version().await.unwrap(), expected);
                    let mut read = String::new();
                    near.read_to_string(&mut read).await.unwrap();
                    assert_eq!(read, text);
                };
                tokio::join!(write, read);
            }
        }
    }

    #[tokio::test]
    async fn the_beginning_is_read_together_with_what_follows() {
        let (near, mut far) = duplex(100);
        let mut near = patience(near);
        far.write_all(&[b'x'; 60]).await.unwrap();
        near.version().await.unwrap();
        assert_eq!(near.read(&mut [0; 100]).await.unwrap(), 60);
    }

    #[tokio::test]
    async fn a_connection_that_ends_before_has_no_version() {
        let (near, mut far) = duplex(100);
        let mut near = patience(near);
        far.write_all(b"PRI *").await.unwrap();
        drop(far);
        assert_eq!(near.version().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
