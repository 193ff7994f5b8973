//! A TCP connection, which its WebSocket connection lends to whoever has messages for it.

use std::{
    cell::RefCell,
    io::{self, Read as _},
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use bayeux_api::{Frozen, implement::lock};
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};

use crate::{
    carrier::{Direct, Written},
    transport::websocket::outbox::{Outbox, append_frames},
};

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    per_frame: Option<usize>,
    /// What a direct write left for the connection.
    rest: Mutex<Option<Box<Outbox>>>,
}

/// What is written directly; more is left to the connection, which keeps large messages shared.
const MOST: usize = 64 * 1024;

thread_local! {
    static FRAMES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Link {
    pub(crate) fn new(stream: TcpStream, per_frame: Option<usize>) -> Self {
        Self { stream, per_frame, rest: Mutex::new(None) }
    }

    /// Reads what has arrived, as soon as anything has; nothing at the connection's end.
    pub(crate) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Reads as a whole `TcpStream` does, which takes one that nobody else has: what does not fill the
    /// buffer was all there is, so that the next read need not ask before it waits.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut part = None;
        let read = self.stream.try_io(Interest::READABLE, || {
            let count = (&*SockRef::from(&self.stream)).read(buffer)?;
            if (1..buffer.len()).contains(&count) {
                part = Some(count);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(count)
        });
        part.map_or(read, Ok)
    }

    /// Writes some of `bytes`, as soon as any is taken.
    pub(crate) fn poll_write(
        &self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(context))?;
                }
                written => return Poll::Ready(written),
            }
        }
    }

    /// Takes what a direct write left.
    pub(crate) fn take_rest(&self) -> Option<Box<Outbox>> {
        lock(&self.rest).take()
    }
}

impl Direct for Link {
    fn is_there(&self) -> bool {
        true
    }

    fn write(&self, messages: &mut Vec<Arc<Frozen>>, batch: Option<u64>) -> Written {
        if messages.iter().map(|message| message.array().len()).sum::<usize>() > MOST {
            return Written::Nothing;
        }
        let (count, whole) = FRAMES.with_borrow_mut(|frames| {
            frames.clear();
            append_frames(frames, messages, self.per_frame, batch);
            // The connection, which reads, gets to know of errors too.
            (self.stream.try_write(frames).unwrap_or_default(), frames.len())
        });
        if count == 0 {
            return Written::Nothing;
        }
        if count < whole {
            let mut outbox = Outbox::default();
            outbox.put_messages(messages, self.per_frame, batch);
            messages.clear();
            let whole = outbox.skip(count);
            *lock(&self.rest) = Some(Box::new(outbox));
            return Written::Part(whole);
        }
        messages.clear();
        Written::All
    }
}
