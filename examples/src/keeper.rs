//! Keeps the nodes of a cluster on this machine: starts each as a process, kills it when the page asks, and tells
//! the page which run.

use std::{
    error::Error,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex},
};

use bayeux_server::{
    Server, Service,
    api::{Json, implement::lock},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::oneshot,
};

/// Where the page hears which nodes run.
const NODES: &str = "/cluster/nodes";

/// Keeps three nodes: each is this very program, run with the command `node`.
#[derive(Debug)]
pub struct Keeper {
    server: Server,
    program: PathBuf,
    /// What each node is told beside what nodes are always told.
    arguments: Vec<String>,
    secret: String,
    host: String,
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
}

const NAMES: [&str; 3] = ["A", "B", "C"];

impl Keeper {
    /// Finds a port for each node, behind that of `address` if they are free. Each gets `arguments` beside its own.
    ///
    /// # Errors
    ///
    /// When the system has no port, or does not say where this program is.
    pub fn new(
        address: SocketAddr,
        server: Server,
        arguments: Vec<String>,
    ) -> Result<Self, Box<dyn Error>> {
        let place = |(name, port)| Place { name, port, life: Mutex::default() };
        let places = NAMES.into_iter().zip(free_ports(address)?).map(place).collect();
        let host = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        // Its own nodes know it, and nobody else does.
        let secret = format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?);
        Ok(Self { server, program: std::env::current_exe()?, arguments, secret, host, places })
    }

    /// Starts all nodes.
    pub fn start_all(self: &Arc<Self>) {
        NAMES.iter().for_each(|name| self.start(name));
    }

    /// Kills all nodes.
    pub fn end_all(&self) {
        NAMES.iter().for_each(|name| self.kill(name));
    }

    /// Starts a node that does not run.
    fn start(self: &Arc<Self>, name: &str) {
        let Some(index) = self.places.iter().position(|place| place.name == name) else { return };
        let (kill, killed) = oneshot::channel();
        {
            let mut life = lock(&self.places[index].life);
            if life.state != State::Down {
                return;
            }
            life.count += 1;
            life.state = State::Starting;
            life.kill = Some(kill);
        }
        tokio::spawn(self.clone().keep(index, killed));
    }

    /// Kills a node that runs, as a power cut does.
    fn kill(&self, name: &str) {
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
        match self.spawn(index) {
            Ok(mut child) => {
                // Otherwise it is closed by who waits, and the node ends with it.
                let _input = child.stdin.take();
                let ready = self.clone().await_ready(index, &mut child);
                tokio::select! {
                    _ = killed => drop(child.kill().await),
                    () = async { ready.await; drop(child.wait().await) } => {}
                }
            }
            Err(error) => tracing::error!(%error, "a node cannot be started"),
        }
        {
            let mut life = lock(&self.places[index].life);
            (life.state, life.kill) = (State::Down, None);
        }
        self.tell().await;
    }

    /// Waits for the line that says that the node can be reached.
    fn await_ready(
        self: Arc<Self>,
        index: usize,
        child: &mut Child,
    ) -> impl Future<Output = ()> + use<> {
        let output = child.stdout.take();
        async move {
            let Some(output) = output else { return };
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line).await;
            if read.is_ok_and(|length| length > 0) {
                let mut life = lock(&self.places[index].life);
                if life.state == State::Starting {
                    life.state = State::Up;
                }
            }
            self.tell().await;
        }
    }

    fn spawn(&self, index: usize) -> std::io::Result<Child> {
        let place = &self.places[index];
        let others = self.places.iter().filter(|other| other.name != place.name);
        let others: Vec<_> = others.map(|other| self.url(other)).collect();
        Command::new(&self.program)
            .arg("node")
            .args(["--name", place.name, "--url", &self.url(place)])
            .args(["--listen", &format!("{}:{}", self.host, place.port)])
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

    fn url(&self, place: &Place) -> String {
        format!("http://{}:{}/cometd", self.host, place.port)
    }

    /// Says which nodes run.
    fn nodes(&self) -> Value {
        let nodes = self.places.iter().map(|place| {
            let life = lock(&place.life);
            let url = self.url(place);
            json!({ "name": place.name, "url": url, "life": life.count, "state": life.state })
        });
        nodes.collect()
    }

    async fn tell(&self) {
        if let Some(channel) = self.server.channel(NODES) {
            let _ = channel.publish(self.nodes()).await;
        }
    }
}

/// Finds ports that are free, and different.
fn free_ports(address: SocketAddr) -> std::io::Result<Vec<u16>> {
    let ip = address.ip();
    let listen = |offset| {
        let wanted = address.port().checked_add(offset).unwrap_or_default();
        TcpListener::bind((ip, wanted)).or_else(|_| TcpListener::bind((ip, 0)))
    };
    // All are held until the last is found: none is found twice.
    let listeners: Vec<_> = (1..).take(NAMES.len()).map(listen).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Which node is meant.
#[derive(Deserialize)]
struct Which {
    node: String,
}

/// Offers the page what it asks for; that ends when what is returned is dropped.
///
/// # Errors
///
/// When the server's policy refuses the service's session.
pub async fn offer(keeper: &Arc<Keeper>) -> Result<Service, Box<dyn Error>> {
    let mut service = keeper.server.new_service("keeper").await?;
    keeper.server.create_channel_if_absent_with(NODES, |channel| channel.set_persistent(true))?;
    type Act = fn(&Arc<Keeper>, &str);
    let acts: [(&str, Act); 3] = [
        ("cluster/nodes", |_, _| {}),
        ("cluster/kill", |keeper, name| keeper.kill(name)),
        ("cluster/start", |keeper, name| keeper.start(name)),
    ];
    for (target, act) in acts {
        let keeper = keeper.clone();
        service.remote_call(target, move |request| {
            if let Some(Ok(which)) = request.message.data.map(|data| data.to::<Which>()) {
                act(&keeper, &which.node);
            }
            std::future::ready(Ok::<Json, Json>(keeper.nodes().into()))
        })?;
    }
    Ok(service)
}
