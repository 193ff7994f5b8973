//! One connection, from its first request on.

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::{
    frame::{self, Kind},
    limit::{
        Limit,
        crowd::State,
        path,
        ready::Repeated,
        request::{self, Malformed, Request},
    },
};

pub(super) struct Connection {
    limit: Arc<Limit>,
    reader: OwnedReadHalf,
    /// What has arrived and is not looked at yet.
    bytes: Vec<u8>,
}

/// What a connection does, which its first request tells.
enum Purpose {
    Subscribe,
    Hold,
    Trigger,
    Echo,
    EchoRequests,
}

const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// At least so much is read at once if it is there.
const READ: usize = 4 * 1024;

impl Connection {
    pub(super) async fn serve(limit: Arc<Limit>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (reader, mut writer) = stream.into_split();
        let mut connection = Self { limit, reader, bytes: Vec::new() };
        let purpose = loop {
            if connection.read().await? == 0 {
                return Ok(());
            }
            match request::split(&connection.bytes) {
                Ok(Some((request, _))) => break Purpose::of(&request),
                Ok(None) => {}
                Err(Malformed) => return Err(malformed()),
            }
        };
        let Some(purpose) = purpose else { return writer.write_all(NOT_FOUND).await };
        match purpose {
            Purpose::Trigger | Purpose::Echo => {
                connection.requests()?;
                writer.write_all(UPGRADE).await?;
            }
            // It is a member before it knows.
            Purpose::Subscribe => drop(connection.requests()?),
            Purpose::Hold | Purpose::EchoRequests => {}
        }
        match purpose {
            Purpose::Subscribe => connection.subscribe(writer).await,
            Purpose::Hold => connection.hold(writer).await,
            Purpose::Trigger => connection.trigger().await,
            Purpose::Echo => connection.echo(writer).await,
            Purpose::EchoRequests => connection.echo_requests(writer).await,
        }
    }

    /// Keeps a WebSocket until its end, and does not look at what comes.
    async fn subscribe(mut self, writer: OwnedWriteHalf) -> io::Result<()> {
        writer.writable().await?;
        let number = self.limit.crowd.add(writer, State::Socket, UPGRADE)?;
        let mut end = self.read().await;
        while matches!(end, Ok(1..)) {
            self.bytes.clear();
            end = self.read().await;
        }
        self.limit.crowd.remove(number);
        end.map(drop)
    }

    async fn hold(mut self, writer: OwnedWriteHalf) -> io::Result<()> {
        let number = self.limit.crowd.add(writer, State::Away(0), &[])?;
        let end = loop {
            match self.requests() {
                Ok(0) => {}
                Ok(_) if !self.limit.crowd.hold(number, &self.limit.ready) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
            match self.read().await {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        self.limit.crowd.remove(number);
        end
    }

    async fn trigger(mut self) -> io::Result<()> {
        loop {
            let messages = self.frames();
            if messages > 0 {
                self.limit.crowd.deliver(messages, &self.limit.ready);
            }
            if self.read().await? == 0 {
                return Ok(());
            }
        }
    }

    async fn echo(mut self, mut writer: OwnedWriteHalf) -> io::Result<()> {
        let limit = self.limit.clone();
        loop {
            let messages = self.frames();
            answer(&mut writer, &limit.ready.echo, messages).await?;
            if self.read().await? == 0 {
                return Ok(());
            }
        }
    }

    async fn echo_requests(mut self, mut writer: OwnedWriteHalf) -> io::Result<()> {
        let limit = self.limit.clone();
        loop {
            let requests = self.requests()?;
            answer(&mut writer, &limit.ready.echo_response, requests).await?;
            if self.read().await? == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what has arrived; returns how much that is.
    async fn read(&mut self) -> io::Result<usize> {
        self.bytes.reserve(READ);
        self.reader.read_buf(&mut self.bytes).await
    }

    /// Takes the whole requests that have arrived; returns how many there are.
    fn requests(&mut self) -> io::Result<usize> {
        let (mut rest, mut requests) = (self.bytes.as_slice(), 0);
        while let Some((_, others)) = request::split(rest).map_err(|Malformed| malformed())? {
            rest = others;
            requests += 1;
        }
        let taken = self.bytes.len() - rest.len();
        self.bytes.drain(..taken);
        Ok(requests)
    }

    /// Takes the whole frames that have arrived; returns how many of them are text.
    fn frames(&mut self) -> usize {
        let (mut rest, mut texts) = (self.bytes.as_slice(), 0);
        while let Some((frame, others)) = frame::split(rest) {
            rest = others;
            texts += usize::from(frame.kind == Kind::Text);
        }
        let taken = self.bytes.len() - rest.len();
        self.bytes.drain(..taken);
        texts
    }
}

impl Purpose {
    fn of(request: &Request<'_>) -> Option<Self> {
        match (request.method, request.path) {
            ("GET", path::SUBSCRIBE) => Some(Self::Subscribe),
            ("GET", path::TRIGGER) => Some(Self::Trigger),
            ("GET", path::ECHO) => Some(Self::Echo),
            ("POST", path::HOLD) => Some(Self::Hold),
            ("POST", path::ECHO) => Some(Self::EchoRequests),
            _ => None,
        }
    }
}

async fn answer(writer: &mut OwnedWriteHalf, ready: &Repeated, count: usize) -> io::Result<()> {
    for part in ready.times(count) {
        writer.write_all(part).await?;
    }
    Ok(())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what arrived is no request of HTTP/1.1")
}
