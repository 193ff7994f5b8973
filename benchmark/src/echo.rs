//! Clients that hear only themselves: what a message there and back costs, and how long it takes.

use clap::Args;

use crate::{
    Result,
    load::{LoadArguments, Transport},
};

/// Each client subscribes to a channel of its own and publishes to it; each message has to come back
/// once and in order.
///
/// Over long-polling a client has two connections: one holds the connect, one publishes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many clients there are.
    #[arg(long, value_name = "C", default_value_t = 100)]
    clients: usize,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// How many messages each client has under way.
    #[arg(long, value_name = "W", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    in_flight: u64,

    /// How many messages each client sends that are measured.
    #[arg(long, value_name = "M", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,

    /// How many messages each client sends before.
    #[arg(long, value_name = "M", default_value_t = 20)]
    warm_up: u64,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Lets the generator sleep when nothing has arrived. The server then also pays for waking it.
    #[arg(long)]
    sleep: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    Err(format!("this scenario is still to be written: {arguments:?}").into())
}
