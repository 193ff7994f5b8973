//! The writing end of a TCP connection, which its connection lends to whoever has messages for it.

use std::{
    cell::RefCell,
    io,
    sync::{Arc, Mutex},
};

use bayeux_api::Frozen;
use tokio::net::tcp::OwnedWriteHalf;

use crate::{
    carrier::{Direct, Written},
    driver::lock,
    transport::websocket::outbox::{Outbox, append_frames},
};

#[derive(Debug)]
pub(crate) struct Link {
    writer: OwnedWriteHalf,
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
    pub(crate) fn new(writer: OwnedWriteHalf, per_frame: Option<usize>) -> Self {
        Self { writer, per_frame, rest: Mutex::new(None) }
    }

    pub(crate) async fn write_some(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.writer.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writer.writable().await?;
                }
                written => return written,
            }
        }
    }

    /// Takes what a direct write left.
    pub(crate) fn take_rest(&self) -> Option<Box<Outbox>> {
        lock(&self.rest).take()
    }
}

impl Direct for Link {
    fn write(&self, messages: &mut Vec<Arc<Frozen>>) -> Written {
        if messages.iter().map(|message| message.weight()).sum::<usize>() > MOST {
            return Written::Nothing;
        }
        let (count, whole) = FRAMES.with_borrow_mut(|frames| {
            frames.clear();
            append_frames(frames, messages, self.per_frame);
            // The connection, which reads, gets to know of errors too.
            (self.writer.try_write(frames).unwrap_or_default(), frames.len())
        });
        if count == 0 {
            return Written::Nothing;
        }
        if count < whole {
            let mut outbox = Outbox::default();
            outbox.put_messages(messages.drain(..), self.per_frame);
            let whole = outbox.skip(count);
            *lock(&self.rest) = Some(Box::new(outbox));
            return Written::Part(whole);
        }
        messages.clear();
        Written::All
    }
}
