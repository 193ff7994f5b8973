//! Nodes: in this process, and as processes of their own.

use std::{process::Stdio, sync::Arc, time::Duration};

use bayeux_oort::{Mesh, Oort};
use bayeux_server::{Config, Server};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

use crate::{Result, load::Load, process::Process};

/// A node in this process.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) server: Server,
    pub(crate) mesh: Mesh,
    pub(crate) oort: Oort,
}

impl Node {
    /// Starts one that knows no other, and observes `channels`; what others send it is acknowledged if `acknowledges`.
    pub(crate) async fn start(
        listener: TcpListener,
        channels: &[String],
        acknowledges: bool,
    ) -> Result<Self> {
        let url = format!("http://{}/cometd", listener.local_addr()?);
        let server = Server::builder().config(server_config()).build();
        let serves = server.clone();
        tokio::spawn(async move { serves.serve(listener).await });
        let mesh = Mesh::builder(&url).secret("benchmark");
        let mesh = mesh.configure(|config| config.acknowledgements = acknowledges).build()?;
        let oort = Oort::start(&server, Arc::new(mesh.clone())).await?;
        for channel in channels {
            oort.observe_channel(channel)?;
        }
        Ok(Self { server, mesh, oort })
    }

    pub(crate) async fn anywhere(channels: &[String]) -> Result<Self> {
        Self::start(TcpListener::bind("127.0.0.1:0").await?, channels, true).await
    }

    pub(crate) fn url(&self) -> &str {
        self.oort.own().url()
    }

    pub(crate) async fn until_joined(&self, others: usize) -> Result<()> {
        until("nodes to join", || self.oort.comets().len() >= others).await
    }
}

/// All clients and nodes of a measurement have one address.
fn server_config() -> Config {
    let mut config = Config::default();
    config.handshake_limit.count = 0;
    config
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > LONGEST {
            return Err(format!("waited {} s for {what}", LONGEST.as_secs()).into());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// How long anything may take.
const LONGEST: Duration = Duration::from_secs(120);

/// A server that is a process of its own, on one thread, and goes with this.
pub(crate) struct Served {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
    pub(crate) pid: u32,
}

impl Served {
    /// Starts this program so that it serves on any port.
    pub(crate) async fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .args(["--listen", "127.0.0.1:0"])
            .env("TOKIO_WORKER_THREADS", "1")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("a node has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = timeout(LONGEST, lines.next_line()).await??.unwrap_or_default();
        let url = line.find("http://").map(|at| line[at..].trim().to_owned());
        let url = url.ok_or("a node does not say where it is")?;
        let pid = child.id().ok_or("a node has ended")?;
        Ok(Self { child, lines, url, pid })
    }

    /// Waits until it says that so many others have joined.
    pub(crate) async fn until_joined(&mut self, others: usize) -> Result<()> {
        let says = format!("joined {others}");
        let waits = async {
            while let Some(line) = self.lines.next_line().await? {
                if line == says {
                    return Ok(());
                }
            }
            Err("a node has ended".into())
        };
        timeout(LONGEST, waits).await?
    }

    /// Returns what clients load.
    pub(crate) fn load(&self) -> Result<Load> {
        Load::of(&self.url, self.pid)
    }

    /// Returns the processor time that it has had.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        Process::new(self.pid).cpu()
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
