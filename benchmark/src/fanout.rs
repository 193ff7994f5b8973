//! One message for many: what a delivery costs, and how long it takes.

use clap::Args;

use crate::{
    Result,
    load::{LoadArguments, Transport},
};

/// Publishes to many subscribers of one channel, checks that each gets every message once and in
/// order, and tells what a delivery costs the server and how long it takes.
///
/// Over long-polling each subscriber has a connection and a cookie of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many subscribers there are.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    subscribers: u64,

    /// How many publishers take turns.
    #[arg(long, value_name = "P", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    publishers: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// How many messages are under way at once: one is published when all subscribers have the one
    /// so many before it, whether or not the publications are answered. 1 by default.
    #[arg(long, value_name = "W", conflicts_with = "rate", value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: Option<u64>,

    /// How many messages are published in a second, however long they take; latencies are counted
    /// from when a message was to be sent.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,

    /// How many messages are published and measured: 500 by default, or 10 seconds of --rate.
    #[arg(long, value_name = "M", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,

    /// For how long messages are published, instead.
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,

    /// How many messages are published before: 20 by default, or a second of --rate.
    #[arg(long, value_name = "M")]
    warm_up: Option<u64>,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Lets the generator sleep when nothing has arrived. The server then also pays for waking it,
    /// the more so the slower it is, and latencies at a --rate are up to 1 ms too long; without,
    /// the generator needs a core for itself.
    #[arg(long)]
    sleep: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    Err(format!("this scenario is still to be written: {arguments:?}").into())
}
