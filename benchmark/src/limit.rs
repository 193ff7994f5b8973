//! The floor of a fan-out: a program that knows no Bayeux and only writes a frame to all sockets.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    Result,
    frame::{self, Kind, Role},
    payload, say,
};

/// Writes the same ready-made frame to all WebSockets, whenever a frame arrives at /trigger.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,
}

struct Bare {
    frame: Vec<u8>,
    sockets: Mutex<Vec<TcpStream>>,
}

/// What opens a connection that triggers.
pub(crate) const TRIGGER: &str = "/trigger";

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { listen, size } = arguments;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let message = format!(r#"[{{"channel":"/load/fanout","data":{}}}]"#, payload::data(0, size)?);
    let frame = frame::text(Role::Server, message.as_bytes());
    say::result(format!("limit on http://{}/", listener.local_addr()?));
    let bare = Arc::new(Bare { frame, sockets: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        let bare = bare.clone();
        tokio::spawn(async move {
            if let Err(error) = bare.serve(stream).await {
                say::note(format!("bare: {error}"));
            }
        });
    }
}

impl Bare {
    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut head = Vec::new();
        while !head.windows(4).any(|part| part == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                      \r\n";
        stream.write_all(answer.as_bytes()).await?;
        let is_trigger = head.starts_with(format!("GET {TRIGGER} ").as_bytes());
        match is_trigger {
            true => self.obey(stream).await,
            false => self.keep(stream),
        }
    }

    fn keep(&self, stream: TcpStream) -> io::Result<()> {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.push(stream);
        Ok(())
    }

    /// Writes to all at each frame of a connection; after that one they are let go.
    async fn obey(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut bytes = Vec::new();
        while stream.read_buf(&mut bytes).await? > 0 {
            while let Some((frame, rest)) = frame::split(&bytes) {
                let is_text = frame.kind == Kind::Text;
                let taken = bytes.len() - rest.len();
                bytes.drain(..taken);
                if is_text {
                    self.write_to_all()?;
                }
            }
        }
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    fn write_to_all(&self) -> io::Result<()> {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter() {
            if socket.try_write(&self.frame)? < self.frame.len() {
                return Err(io::Error::other("a socket takes no whole frame"));
            }
        }
        Ok(())
    }
}
