//! The client's end of one WebSocket: cheap, since it must not disturb what it measures.

use std::{cell::RefCell, io, rc::Rc};

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    Result,
    frame::{self, Kind, Role},
    target::Target,
};

/// A place to read into that all connections of a generator share: what is read is looked at before
/// another reads.
#[derive(Clone, Debug)]
pub(crate) struct Scratch(Rc<RefCell<Vec<u8>>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(vec![0; 64 * 1024])))
    }
}

#[derive(Debug)]
pub(crate) struct WebSocket {
    stream: TcpStream,
    scratch: Scratch,
    /// The beginning of a frame whose end has not arrived; mostly empty.
    rest: Vec<u8>,
}

impl WebSocket {
    /// Opens the connection of this number.
    pub(crate) async fn open(
        target: &Target,
        path: &str,
        number: usize,
        scratch: &Scratch,
    ) -> Result<Self> {
        let mut stream = target.open(number).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            target.host
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self { stream, scratch: scratch.clone(), rest: Vec::new() };
        let end = loop {
            socket.read_more().await?;
            if let Some(at) = socket.rest.windows(4).position(|part| part == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&socket.rest[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 101 ") {
            let status = head.lines().next().unwrap_or_default();
            return Err(format!("the server refused a WebSocket: {status}").into());
        }
        socket.rest.drain(..end);
        socket.rest.shrink_to_fit();
        Ok(socket)
    }

    pub(crate) async fn send(&mut self, text: &str) -> Result<()> {
        Ok(self.stream.write_all(&frame::text(Role::Client, text.as_bytes())).await?)
    }

    /// Waits for something to arrive, and calls `take` with each text message in it.
    pub(crate) async fn receive(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let scratch = self.scratch.clone();
        loop {
            self.stream.readable().await?;
            let mut scratch = scratch.0.borrow_mut();
            let count = match self.stream.try_read(&mut scratch) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error.into()),
            };
            let arrived = &scratch[..count];
            if self.rest.is_empty() {
                self.rest = frames(arrived, &mut take)?.to_vec();
            } else {
                self.rest.extend(arrived);
                self.rest = frames(&self.rest, &mut take)?.to_vec();
            }
            return Ok(());
        }
    }

    async fn read_more(&mut self) -> Result<()> {
        loop {
            self.stream.readable().await?;
            match self.stream.try_read_buf(&mut self.rest) {
                Ok(0) => return Err("the server closed a connection".into()),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Takes the whole frames off `bytes`; returns what is left.
fn frames<'a>(mut bytes: &'a [u8], take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<&'a [u8]> {
    while let Some((frame, rest)) = frame::split(bytes) {
        match frame.kind {
            Kind::Text => take(frame.payload)?,
            Kind::Close => {
                let reason = frame.payload.get(2..).unwrap_or_default();
                let reason = String::from_utf8_lossy(reason);
                return Err(format!("the server closed a WebSocket: {reason}").into());
            }
            Kind::Other => {}
        }
        bytes = rest;
    }
    Ok(bytes)
}
