//! One subscriber that stops reading: what the others notice of it, and what it costs the server.

use clap::Args;

use crate::{
    Result,
    load::{LoadArguments, Transport},
};

/// Publishes at a fixed rate to subscribers of which one stops reading for a while; all others must
/// get everything.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many subscribers there are, with the slow one.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
    subscribers: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// How many messages are published in a second.
    #[arg(long, value_name = "R", default_value_t = 1000)]
    rate: u64,

    /// For how many seconds all read before.
    #[arg(long, value_name = "S", default_value_t = 10)]
    before: u64,

    /// For how many seconds the slow one does not read.
    #[arg(long, value_name = "S", default_value_t = 30)]
    stall: u64,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Lets the generator sleep when nothing has arrived; latencies are then up to 1 ms too long.
    #[arg(long)]
    sleep: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    Err(format!("this scenario is still to be written: {arguments:?}").into())
}
