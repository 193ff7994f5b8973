//! Where the load goes: a server that runs, or one that is started for it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
};

use clap::Args;
use http::Uri;
use tokio::net::{TcpSocket, TcpStream};

use crate::{
    Result,
    process::{Process, Started},
};

/// Which server.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServerArguments {
    /// Where a server runs, as in http://127.0.0.1:8080/cometd.
    #[arg(long, required_unless_present = "start")]
    url: Option<String>,

    /// The server's process, so that its processor time and memory can be told.
    #[arg(long, requires = "url")]
    pid: Option<u32>,

    /// Starts the demo for the run instead, on any free port: the path of the program.
    #[arg(long, value_name = "DEMO", conflicts_with = "url")]
    start: Option<PathBuf>,

    /// An option for the started demo, by its CometD name; repeatable.
    #[arg(short, long = "option", value_name = "NAME=VALUE", requires = "start")]
    options: Vec<String>,
}

/// A server, with its process where that is known, which ends with this if it was started for it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) process: Option<Process>,
    _started: Option<Started>,
}

/// An address and a path.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
}

/// So many connections leave from one loopback address, which has some 28,000 ports.
const PER_SOURCE: usize = 10_000;

impl ServerArguments {
    pub(crate) fn server(&self) -> Result<Server> {
        if let Some(demo) = &self.start {
            return Server::demo(demo, &self.options, None);
        }
        let url = self.url.as_deref().unwrap_or_default();
        let process = self.pid.map(Process::new);
        Ok(Server { target: Target::new(url)?, process, _started: None })
    }
}

impl Server {
    /// Starts the demo with options, bound to a core or not.
    pub(crate) fn demo(demo: &Path, options: &[String], core: Option<usize>) -> Result<Self> {
        let listen = ["--listen", "127.0.0.1:0"].map(str::to_owned);
        let options = options.iter().flat_map(|option| ["-o".to_owned(), option.clone()]);
        let arguments: Vec<_> = listen.into_iter().chain(options).collect();
        Self::new(Started::new(demo, &arguments, core)?, "/cometd")
    }

    /// Starts this program's bare server.
    pub(crate) fn bare(sockets: usize, size: usize, core: Option<usize>) -> Result<Self> {
        let program = std::env::current_exe()?;
        let arguments = ["bare", "--listen", "127.0.0.1:0", "--sockets"].map(str::to_owned);
        let numbers = [sockets.to_string(), "--size".to_owned(), size.to_string()];
        let arguments: Vec<_> = arguments.into_iter().chain(numbers).collect();
        Self::new(Started::new(&program, &arguments, core)?, "/")
    }

    fn new(started: Started, path: &str) -> Result<Self> {
        let target = Target::new(&format!("http://{}{path}", started.address))?;
        Ok(Self { target, process: Some(started.process), _started: Some(started) })
    }
}

impl Target {
    fn new(url: &str) -> Result<Self> {
        let wrong = |reason: &dyn std::fmt::Display| format!("cannot use {url:?}: {reason}");
        let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
        if !matches!(uri.scheme_str(), Some("http" | "ws")) {
            return Err(wrong(&"it does not begin with http:// or ws://").into());
        }
        let authority = uri.authority().ok_or_else(|| wrong(&"it has no host"))?;
        let port = authority.port_u16().unwrap_or(80);
        let mut addresses =
            (authority.host(), port).to_socket_addrs().map_err(|error| wrong(&error))?;
        let address = addresses.next().ok_or_else(|| wrong(&"its host has no address"))?;
        Ok(Self { address, host: authority.as_str().to_owned(), path: uri.path().to_owned() })
    }

    /// Opens the connection of this number; on the loopback interface, connections beyond 10,000
    /// leave from further addresses.
    pub(crate) async fn open(&self, number: usize) -> Result<TcpStream> {
        let connect = async {
            let Some(source) = self.source(number) else {
                return TcpStream::connect(self.address).await;
            };
            let socket = TcpSocket::new_v4()?;
            socket.bind(source)?;
            socket.connect(self.address).await
        };
        let stream = connect.await;
        let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", self.host))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn source(&self, number: usize) -> Option<SocketAddr> {
        let IpAddr::V4(address) = self.address.ip() else { return None };
        let nth = u8::try_from(number / PER_SOURCE).ok().filter(|nth| *nth > 0)?;
        address.is_loopback().then(|| (Ipv4Addr::new(127, 0, 1, nth), 0).into())
    }
}
