//! A connection that does not wait for ever for its peer.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Fails when the peer takes nothing of what is written for too long, or does not send even the
/// beginning of a request. The reading of the rest is timed by HTTP itself.
#[derive(Debug)]
pub(crate) struct Patience<S> {
    stream: S,
    write_time: Duration,
    writing: Option<Pin<Box<Sleep>>>,
    /// Runs until [`BEGINNING`] bytes have arrived.
    reading: Option<Pin<Box<Sleep>>>,
    read: usize,
}

/// No request is shorter; HTTP/2's connection preface is as long.
const BEGINNING: usize = 24;

impl<S> Patience<S> {
    pub(crate) fn new(stream: S, read_time: Duration, write_time: Duration) -> Self {
        let reading = Some(Box::pin(sleep(read_time)));
        Self { stream, write_time, writing: None, reading, read: 0 }
    }

    /// Notes how a write went, and fails one that has waited too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing = None;
            return polled;
        }
        let time = self.write_time;
        let sleep = self.writing.get_or_insert_with(|| Box::pin(sleep(time)));
        sleep.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patience<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(sleep) = &mut self.reading else { return polled };
        if polled.is_pending() {
            return sleep.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        self.read += buffer.filled().len() - before;
        if self.read >= BEGINNING {
            self.reading = None;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patience<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const TIME: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_is_given_up() {
        let (near, _far) = duplex(64);
        let mut near = Patience::new(near, TIME, TIME);
        let error = near.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(64);
        let mut near = Patience::new(near, TIME, TIME);
        let error = near.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_began_may_pause() {
        let (near, mut far) = duplex(64);
        let mut near = Patience::new(near, TIME, TIME);
        far.write_all(&[0; BEGINNING]).await.unwrap();
        near.read_exact(&mut [0; BEGINNING]).await.unwrap();
        let pause = tokio::time::timeout(10 * TIME, near.read_u8());
        pause.await.unwrap_err();
    }
}
