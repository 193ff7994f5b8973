//! A node of a cloud, steered by lines of JSON: what the suites of `interop` put beside CometD's nodes for Java.

mod flood;
mod lines;
mod objects;
mod steering;
mod users;
mod wish;

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use axum::Router;
use bayeux_server::{Config, ServeConfig, Server, api::ConnectionType, serve};
use clap::Parser;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
};

use crate::{lines::Request, steering::Steering};

/// As the demo.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// A node of a cloud that does what each line of standard input asks, until that ends.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen at, and to be reached at by other nodes.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,

    /// The port; 0 is any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// By which URL other nodes reach this one, if not by its address.
    #[arg(long)]
    url: Option<String>,

    /// What the nodes of the cloud know. Without one nobody has to prove that it is a node.
    #[arg(long)]
    secret: Option<String>,

    /// The URLs of nodes that are dialed.
    #[arg(long, value_delimiter = ',')]
    cloud: Vec<String>,

    /// The group, as ADDRESS:PORT, by which nodes find each other.
    #[arg(long)]
    multicast: Option<SocketAddr>,

    /// The channels that are observed.
    #[arg(long, value_delimiter = ',', default_value = "/chat")]
    channels: Vec<String>,

    /// The transports to other nodes, best first.
    #[arg(long, value_delimiter = ',', default_value = "websocket,long-polling")]
    transports: Vec<ConnectionType>,

    /// CometD's `timeout`, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    timeout: u64,

    /// CometD's `maxInterval`, in milliseconds, of clients and of nodes.
    #[arg(long)]
    max_interval: Option<u64>,

    /// Whether this node has the numbers.
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set)]
    primary: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    examples::run("warn", run(arguments)).await
}

async fn run(arguments: Arguments) -> Result<()> {
    let server = server(&arguments)?;
    let listener = TcpListener::bind((arguments.host, arguments.port)).await?;
    let address = listener.local_addr()?;
    let url = arguments.url.clone().unwrap_or_else(|| format!("http://{address}/cometd"));

    let app = Router::new().nest_service("/cometd", server.service());
    let served = server.clone();
    let serving =
        tokio::spawn(async move { serve(&served, listener, app, ServeConfig::default()).await });
    let steering = Arc::new(Steering::start(&server, &url, &arguments).await?);
    let comet = steering.oort().own().id().to_owned();
    lines::tell("listening", json!({ "url": url, "comet": comet }));
    tokio::select! {
        served = serving => Ok(served??),
        // Whoever started it may have been killed.
        read = steer(&steering) => read,
    }
}

fn server(arguments: &Arguments) -> Result<Server> {
    let mut config = Config::default();
    config.acknowledgements = true;
    let number = |name: &str, value: u64| (name.to_owned(), value.to_string());
    config.set_options([
        number("timeout", arguments.timeout),
        number("maxInterval", arguments.max_interval.unwrap_or(10_000)),
        ("maxSessionsPerBrowser".to_owned(), "-1".to_owned()),
    ])?;
    Ok(Server::builder().config(config).build())
}

/// Does what each line asks. What takes long is done beside the others; the others one after the other.
async fn steer(steering: &Arc<Steering>) -> Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let request: Request = match serde_json::from_str(&line) {
            Ok(request) => request,
            Err(error) => {
                lines::answer(&id(&line), Err(error));
                continue;
            }
        };
        let steering = steering.clone();
        let is_long = request.wish.is_long();
        let task = async move {
            lines::answer(&request.id, steering.perform(request.wish).await);
        };
        match is_long {
            true => drop(tokio::spawn(task)),
            false => task.await,
        }
    }
    Ok(())
}

fn id(line: &str) -> Value {
    serde_json::from_str(line).map(|request: Value| request["id"].clone()).unwrap_or_default()
}
