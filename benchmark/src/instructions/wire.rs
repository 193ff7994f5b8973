//! The client's ends of loopback connections. They do as little as they can, since they are counted,
//! too.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    Result,
    frame::{self, Role},
    instructions::peer::{
        CHANNEL, HANDSHAKE, check_first, client_id, connect, publication, subscription,
    },
};

#[derive(Debug)]
pub(super) struct Http {
    stream: TcpStream,
    read: Vec<u8>,
    cookie: String,
}

#[derive(Debug)]
pub(super) struct WebSocket {
    stream: TcpStream,
    read: Vec<u8>,
    client_id: String,
}

impl Http {
    pub(super) async fn open(port: u16) -> Result<Self> {
        Ok(Self { stream: open(port).await?, read: Vec::new(), cookie: String::new() })
    }

    /// Starts a session, and returns a publication of it.
    pub(super) async fn handshake(&mut self) -> Result<Vec<u8>> {
        let handshake = self.request(HANDSHAKE);
        let answer = self.post(&handshake).await?;
        let (head, body) = answer.split_once(END).unwrap_or_default();
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.and_then(|cookie| cookie.split(';').next());
        self.cookie = cookie.ok_or("a handshake got no cookie")?.to_owned();
        let publication = publication(CHANNEL, &client_id(body)?);
        let request = self.request(&format!("[{publication}]"));
        let answer = self.post(&request).await?;
        check_first(answer.split_once(END).unwrap_or_default().1)?;
        Ok(request)
    }

    fn request(&self, messages: &str) -> Vec<u8> {
        let (cookie, length) = (&self.cookie, messages.len());
        format!(
            "POST /cometd HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Cookie: {cookie}\r\nContent-Length: {length}\r\n\r\n{messages}"
        )
        .into_bytes()
    }

    /// Posts a request, and returns the response, of which the body ends with an array.
    pub(super) async fn post(&mut self, request: &[u8]) -> Result<String> {
        self.stream.write_all(request).await?;
        self.read.clear();
        while !self.read.ends_with(b"}]") {
            read(&mut self.stream, &mut self.read).await?;
        }
        Ok(std::str::from_utf8(&self.read)?.to_owned())
    }
}

impl WebSocket {
    pub(super) async fn open(port: u16) -> Result<Self> {
        let mut stream = open(port).await?;
        let request = "GET /cometd HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(END.as_bytes()) {
            read(&mut stream, &mut head).await?;
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err("a WebSocket was refused".into());
        }
        Ok(Self { stream, read: Vec::new(), client_id: String::new() })
    }

    /// Starts a session, connects, and returns a publication of it.
    pub(super) async fn handshake(&mut self) -> Result<Vec<u8>> {
        self.client_id = client_id(&self.ask(HANDSHAKE).await?)?;
        let connect = connect(&self.client_id, "websocket");
        // The first is answered at once, and the second held.
        check_first(&self.ask(&connect).await?)?;
        self.send(&frame::text(Role::Client, connect.as_bytes())).await?;
        let publication = format!("[{}]", publication(CHANNEL, &self.client_id));
        Ok(frame::text(Role::Client, publication.as_bytes()))
    }

    /// Starts a session that is subscribed.
    pub(super) async fn subscribe(&mut self) -> Result<()> {
        self.handshake().await?;
        let subscription = subscription(&self.client_id);
        check_first(&self.ask(&subscription).await?)?;
        Ok(())
    }

    async fn ask(&mut self, messages: &str) -> Result<String> {
        self.send(&frame::text(Role::Client, messages.as_bytes())).await?;
        self.receive().await
    }

    pub(super) async fn send(&mut self, frame: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frame).await?)
    }

    /// Waits for the next frame, and returns its text.
    pub(super) async fn receive(&mut self) -> Result<String> {
        loop {
            if let Some((frame, rest)) = frame::split(&self.read) {
                let text = std::str::from_utf8(frame.payload)?.to_owned();
                let taken = self.read.len() - rest.len();
                self.read.drain(..taken);
                return Ok(text);
            }
            read(&mut self.stream, &mut self.read).await?;
        }
    }
}

/// The end of a head.
const END: &str = "\r\n\r\n";

async fn open(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn read(stream: &mut TcpStream, into: &mut Vec<u8>) -> Result<()> {
    match stream.read_buf(into).await? {
        0 => Err("the server closed a connection".into()),
        _ => Ok(()),
    }
}
