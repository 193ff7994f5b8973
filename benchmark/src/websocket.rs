//! The client's end of one WebSocket.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use memchr::memmem;

use crate::{
    Result,
    frame::{self, Kind, Role},
    target::Target,
    wire::{Scratch, Wire},
};

#[derive(Debug)]
pub(crate) struct WebSocket {
    wire: Wire,
}

/// The server closed a WebSocket, with a reason or an empty one.
#[derive(Debug)]
pub(crate) struct Closed(String);

impl fmt::Display for Closed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = if self.0.is_empty() { "without a reason" } else { &self.0 };
        write!(formatter, "the server closed a WebSocket: {reason}")
    }
}

impl Error for Closed {}

impl WebSocket {
    /// Opens the connection of this number.
    pub(crate) async fn open(
        target: &Target,
        path: &str,
        number: usize,
        scratch: &Scratch,
    ) -> Result<Self> {
        let mut wire = Wire::new(target.open(number).await?, scratch);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            target.host
        );
        wire.send(request.as_bytes())?;
        let mut is_open = false;
        while !is_open {
            let take = &mut |bytes: &[u8]| {
                let end = upgraded(bytes)?;
                is_open = end > 0;
                Ok(end)
            };
            poll_fn(|context| wire.poll_receive(context, take)).await?;
        }
        Ok(Self { wire })
    }

    /// Sends text messages, in one write.
    pub(crate) fn send(&mut self, texts: &[String]) -> Result<()> {
        let mut bytes = Vec::new();
        for text in texts {
            frame::append_text(&mut bytes, Role::Client, text.as_bytes());
        }
        self.wire.send(&bytes)
    }

    /// Waits for something to arrive, and calls `take` with each text message in it.
    pub(crate) fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Poll<Result<()>> {
        self.wire.poll_receive(context, &mut |bytes| frames(bytes, take))
    }
}

/// Returns how long the head of the response is, or zero when it is not whole yet.
fn upgraded(bytes: &[u8]) -> Result<usize> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(0) };
    if bytes.starts_with(b"HTTP/1.1 101 ") {
        return Ok(end + 4);
    }
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.lines().next().unwrap_or_default();
    Err(format!("the server refused a WebSocket: {status}").into())
}

/// Takes the whole frames off `bytes`; returns how long they are.
fn frames(bytes: &[u8], take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<usize> {
    let mut left = bytes;
    while let Some((frame, rest)) = frame::split(left) {
        match frame.kind {
            Kind::Text => take(frame.payload)?,
            Kind::Close => {
                let reason = frame.payload.get(2..).unwrap_or_default();
                return Err(Closed(String::from_utf8_lossy(reason).into_owned()).into());
            }
            Kind::Other => {}
        }
        left = rest;
    }
    Ok(bytes.len() - left.len())
}
