//! Many clients that wait: how soon they are connected, and what they cost then.

use std::{
    process,
    time::{Duration, Instant},
};

use bayeux_client::{BayeuxClient, State, api::ConnectionType};
use clap::Args;
use tokio::task::JoinSet;

use crate::{
    Result, ServerArguments,
    process::{Process, check_file_limit},
    say::{self, Progress},
};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    /// How many clients.
    #[arg(long, default_value_t = 10_000)]
    clients: usize,

    /// For how long they wait; the demo answers their connects each 20 s, so that each sends one.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

/// How many connect at a time.
const AT_ONCE: usize = 100;

/// How long one may take to be connected.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    check_file_limit(arguments.clients)?;
    let server = arguments.server.server()?;
    let process = Process::new(process::id());
    // What the first one sets up for all is not counted.
    let first = connected(server.url.clone()).await?;
    let before = process.resident()?;
    let start = Instant::now();
    let clients = connect(&server.url, arguments.clients).await?;
    let took = start.elapsed().as_secs_f64();
    say::result(format!("{} clients connected in {took:.1} s", clients.len()));

    // What connecting left to be done is not what waiting costs.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = |bytes: u64| bytes.saturating_sub(before) as f64 / 1024.0 / clients.len() as f64;
    say::result(format!("{:.1} KiB resident for each", each(process.resident()?)));

    let (cpu, start) = (process.cpu()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
    let share = (process.cpu()? - cpu).as_secs_f64() / start.elapsed().as_secs_f64();
    say::result(format!("{:.1} % of a core over {} s", share * 100.0, arguments.seconds));
    say::result(format!("{:.1} KiB resident for each after that", each(process.resident()?)));

    let lost = clients.iter().filter(|client| client.state() != State::Connected).count();
    drop(first);
    match lost {
        0 => Ok(()),
        lost => Err(format!("{lost} clients are no longer connected").into()),
    }
}

/// Connects the clients, some at a time.
async fn connect(url: &str, count: usize) -> Result<Vec<BayeuxClient>> {
    let mut progress = Progress::new("clients connected", count as u64);
    let mut clients = Vec::with_capacity(count);
    let mut connecting = JoinSet::new();
    let mut left = count;
    while clients.len() < count {
        while left > 0 && connecting.len() < AT_ONCE {
            let url = url.to_owned();
            connecting.spawn(async { connected(url).await.map_err(|error| error.to_string()) });
            left -= 1;
        }
        let Some(client) = connecting.join_next().await else { break };
        clients.push(client??);
        progress.at(clients.len() as u64);
    }
    Ok(clients)
}

async fn connected(url: String) -> Result<BayeuxClient> {
    let client =
        BayeuxClient::builder().url(&url).transports(&[ConnectionType::WebSocket]).build()?;
    client.handshake().await?;
    if !client.wait_for(PATIENCE, &[State::Connected]).await {
        return Err(format!("a client is {} after {PATIENCE:?}", client.state()).into());
    }
    Ok(client)
}
