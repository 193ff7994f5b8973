//! Keeps the nodes of a cluster on this machine: starts each as a process, kills it when the page asks, and tells
//! the page which run.

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use bayeux_server::{Server, api::implement::lock};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::oneshot,
};

use crate::{node, place};

/// Where the page hears which nodes run.
pub(crate) const NODES: &str = "/cluster/nodes";

/// Keeps three nodes: each is this very program, run with the command `node`.
#[derive(Debug)]
pub(crate) struct Keeper {
    server: Server,
    program: PathBuf,
    /// What each node is told beside what nodes are always told.
    arguments: Vec<String>,
    secret: String,
    /// Where the nodes listen.
    ip: IpAddr,
    places: Vec<Place>,
}

/// Where a node is, whether it runs or not.
#[derive(Debug)]
struct Place {
    name: &'static str,
    port: u16,
    life: Mutex<Life>,
}

#[derive(Debug, Default)]
struct Life {
    /// How often it was started.
    count: u32,
    state: State,
    /// Why it has failed.
    reason: Option<String>,
    /// Kills it when it is dropped.
    kill: Option<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    #[default]
    Down,
    Starting,
    Up,
    /// It was killed, and its port may still be taken.
    Ending,
    /// It could not be started, or has ended, and nobody here asked for that.
    Failed,
}

const NAMES: [&str; 3] = ["A", "B", "C"];

impl Keeper {
    /// Finds a port for each node, behind that of `address` if they are free. Each gets `arguments` beside its own.
    pub(crate) fn new(
        address: SocketAddr,
        server: Server,
        arguments: Vec<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let place = |(name, port)| Place { name, port, life: Mutex::default() };
        let places =
            NAMES.into_iter().zip(place::free_ports(address, NAMES.len())?).map(place).collect();
        // Its own nodes know it, and nobody else does.
        let secret = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        let program = std::env::current_exe()?;
        Ok(Self { server, program, arguments, secret, ip: address.ip(), places })
    }

    /// Starts all nodes.
    pub(crate) fn start_all(self: &Arc<Self>) {
        NAMES.iter().for_each(|name| self.start(name));
    }

    /// Returns the nodes' names and URLs.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.places.iter().map(|place| (place.name, self.url(place)))
    }

    /// Starts a node that does not run.
    pub(crate) fn start(self: &Arc<Self>, name: &str) {
        let Some(index) = self.places.iter().position(|place| place.name == name) else { return };
        let (kill, killed) = oneshot::channel();
        {
            let mut life = lock(&self.places[index].life);
            if !matches!(life.state, State::Down | State::Failed) {
                return;
            }
            let count = life.count + 1;
            *life = Life { count, state: State::Starting, reason: None, kill: Some(kill) };
        }
        tokio::spawn(self.clone().keep(index, killed));
    }

    /// Kills a node that runs, as a power cut does.
    pub(crate) fn kill(&self, name: &str) {
        for place in self.places.iter().filter(|place| place.name == name) {
            let mut life = lock(&place.life);
            if life.kill.take().is_some() {
                life.state = State::Ending;
            }
        }
    }

    /// Keeps a node until it is killed or ends.
    async fn keep(self: Arc<Self>, index: usize, killed: oneshot::Receiver<()>) {
        self.tell().await;
        let failure = match self.spawn(index) {
            Ok(mut child) => tokio::select! {
                _ = killed => { drop(child.kill().await); None }
                failure = self.attend(index, &mut child) => Some(failure),
            },
            Err(error) => Some(format!("cannot be started: {error}")),
        };
        {
            let mut life = lock(&self.places[index].life);
            // One that was killed at the very moment has not failed.
            let failure = failure.filter(|_| life.state != State::Ending);
            life.state = if failure.is_some() { State::Failed } else { State::Down };
            (life.reason, life.kill) = (failure, None);
        }
        self.tell().await;
    }

    /// Hears what a node says of itself until it ends, and returns why it did.
    async fn attend(&self, index: usize, child: &mut Child) -> String {
        // Otherwise it is closed by who waits, and the node ends with it.
        let _input = child.stdin.take();
        let mut reason = None;
        if let Some(output) = child.stdout.take() {
            let mut lines = BufReader::new(output).lines();
            // Until its end: a node that nobody hears could not go on saying something.
            while let Ok(Some(line)) = lines.next_line().await {
                match line.strip_prefix(node::FAILED) {
                    Some(failure) => reason = Some(failure.trim().to_owned()),
                    None if line == node::READY => self.is_ready(index).await,
                    None => {}
                }
            }
        }
        let ended = child.wait().await;
        reason.unwrap_or_else(|| end(ended))
    }

    async fn is_ready(&self, index: usize) {
        {
            let mut life = lock(&self.places[index].life);
            if life.state == State::Starting {
                life.state = State::Up;
            }
        }
        self.tell().await;
    }

    fn spawn(&self, index: usize) -> std::io::Result<Child> {
        let place = &self.places[index];
        let others = self.places.iter().filter(|other| other.name != place.name);
        let others: Vec<_> = others.map(|other| self.url(other)).collect();
        let mut command = Command::new(&self.program);
        // Ctrl-C is for this program, which takes the nodes with it and has nothing to tell of them any more.
        #[cfg(unix)]
        command.process_group(0);
        command
            .arg("node")
            .args(["--name", place.name, "--url", &self.url(place)])
            .args(["--listen", &SocketAddr::new(self.ip, place.port).to_string()])
            .args(["--life", &lock(&place.life).count.to_string()])
            .args(["--cloud", &others.join(",")])
            .args(&self.arguments)
            // Not among the arguments, which all users of the machine see.
            .env("OORT_SECRET", &self.secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    /// Where the other nodes find one; the page takes the host that it has itself.
    fn url(&self, place: &Place) -> String {
        format!("http://{}/cometd", SocketAddr::new(place::reachable(self.ip), place.port))
    }

    /// Says which nodes run.
    pub(crate) fn nodes(&self) -> Value {
        let nodes = self.places.iter().map(|place| {
            let life = lock(&place.life);
            let url = self.url(place);
            json!({
                "name": place.name,
                "url": url,
                "life": life.count,
                "state": life.state,
                "reason": life.reason,
            })
        });
        nodes.collect()
    }

    async fn tell(&self) {
        if let Some(channel) = self.server.channel(NODES) {
            let _ = channel.publish(self.nodes()).await;
        }
    }
}

/// Says how a process has ended that was not to.
fn end(ended: std::io::Result<ExitStatus>) -> String {
    match ended {
        Ok(status) => format!("has ended by itself ({status})"),
        Err(error) => format!("has ended by itself ({error})"),
    }
}
