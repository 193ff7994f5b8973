//! The floor of what a server costs: a program that knows no Bayeux and no queues, and sends what a
//! Bayeux server sends, ready-made.
//!
//! What arrived in one read is answered by one write. That is as little as a server can do that hears
//! each message as soon as it comes.

mod connection;
mod crowd;
mod ready;
mod request;

use std::{io::ErrorKind, net::SocketAddr, sync::Arc};

use clap::Args;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    Result,
    limit::{connection::Connection, crowd::Crowd, ready::Ready},
    say,
};

/// Serves what a Bayeux server sends, ready-made, by path:
///
/// / keeps WebSockets, and POST /hold holds requests; each text frame that arrives at /trigger is a
/// message for all of these. Each text frame that arrives at /echo, and each POST /echo, is answered.
/// Run the scenarios with `--protocol limit` against it.
#[derive(Args, Clone, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// How many bytes the payload of each message has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,
}

/// The paths, of which each does one thing.
pub(crate) mod path {
    /// Keeps WebSockets, to which every message goes.
    pub(crate) const SUBSCRIBE: &str = "/";
    /// Holds requests until there is a message.
    pub(crate) const HOLD: &str = "/hold";
    /// Makes a message of each text frame.
    pub(crate) const TRIGGER: &str = "/trigger";
    /// Answers each frame or request with a message and a reply.
    pub(crate) const ECHO: &str = "/echo";
}

/// The server.
struct Limit {
    ready: Ready,
    crowd: Crowd,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { listen, size } = arguments;
    let limit = Arc::new(Limit { ready: Ready::new(size)?, crowd: Crowd::default() });
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    say::result(format!("limit on http://{}/", listener.local_addr()?));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(limit.clone(), stream));
    }
}

async fn serve(limit: Arc<Limit>, stream: TcpStream) {
    match Connection::serve(limit, stream).await {
        // Clients go without taking leave.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => say::note(format!("limit: a connection failed: {error}")),
        Ok(()) => {}
    }
}
