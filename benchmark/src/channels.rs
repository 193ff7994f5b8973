//! Channels with one subscriber each: what they cost in memory.

use std::{fmt, time::Duration};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    Result,
    carrier::Carrier,
    link::PATIENCE,
    load::{Load, LoadArguments, Protocol, Transport, seconds},
    report, say,
    session::Session,
};

/// Subscribes to many channels, each of which has one subscriber, and tells what one of them costs the
/// server in memory.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many channels there are.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    channels: u64,

    /// How many sessions share them, over WebSocket.
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    sessions: u64,

    /// For how many seconds the server is left alone before its memory is looked at.
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    settle: Duration,
}

/// So many are subscribed to by one message.
const TOGETHER: u64 = 500;

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let load = arguments.load.load()?;
    if load.protocol != Protocol::Bayeux {
        return Err("only a Bayeux server has channels".into());
    }
    let Arguments { channels, settle, .. } = arguments;
    let mut sessions = Vec::new();
    for number in 0..arguments.sessions {
        sessions.push(in_time(connected(&load, number)).await?);
    }
    tokio::time::sleep(settle).await;
    let before = load.resident()?;
    let mut progress = say::Progress::new("channels", channels);
    for (turn, first) in (0..channels).step_by(usize::try_from(TOGETHER)?).enumerate() {
        let names: Vec<_> =
            (first..channels.min(first + TOGETHER)).map(|n| format!("/load/channel/{n}")).collect();
        let turn = turn % sessions.len();
        in_time(sessions[turn].subscribe_to_all(&names)).await?;
        progress.at(first);
    }
    drop(progress);
    tokio::time::sleep(settle).await;
    let grown = load.resident()?.zip(before).map(|(after, before)| after.saturating_sub(before));
    report::print(arguments.load.json, &Report::new(&arguments, &load, grown))
}

async fn connected(load: &Load, number: u64) -> Result<Session> {
    let (transport, path) = (Transport::WebSocket, &load.target.path);
    let carrier = Carrier::open(load, transport, path, usize::try_from(number)?).await?;
    let mut session = Session::handshake(carrier, transport).await?;
    session.connect().await?;
    Ok(session)
}

async fn in_time<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, work).await.map_err(|_| "the server did not answer in time")?
}

/// What came of it.
#[derive(Serialize)]
struct Report {
    scenario: &'static str,
    protocol: Protocol,
    parameters: Value,
    resident_growth_bytes: Option<u64>,
    bytes_per_channel: Option<f64>,
}

impl Report {
    fn new(arguments: &Arguments, load: &Load, grown: Option<u64>) -> Self {
        let Arguments { channels, sessions, .. } = *arguments;
        Self {
            scenario: "channels",
            protocol: load.protocol,
            parameters: json!({ "channels": channels, "sessions": sessions }),
            resident_growth_bytes: grown,
            bytes_per_channel: grown.map(|grown| grown as f64 / channels as f64),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes_per_channel {
            Some(bytes) => writeln!(formatter, "{bytes:.0} bytes of the server's for each channel"),
            None => writeln!(formatter, "server memory unknown: give --pid"),
        }
    }
}
