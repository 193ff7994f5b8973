//! Sessions that come and go: what each costs, and whether anything of it stays.

use clap::Args;

use crate::{
    Result,
    load::{LoadArguments, Transport},
};

/// Makes sessions that shake hands, subscribe, connect and disconnect, each after the other.
///
/// Over WebSocket each has a connection of its own; over long-polling they take turns on connections
/// that stay open.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many sessions there are, all together.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    cycles: u64,

    /// How many there are at a time.
    #[arg(long, value_name = "C", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    concurrency: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// Opens a connection for each session over long-polling, too.
    #[arg(long)]
    new_connection: bool,

    /// After how many cycles the memory is looked at that the end is compared with; what comes
    /// before is not part of the processor time, if anything comes after.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    first: u64,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    Err(format!("this scenario is still to be written: {arguments:?}").into())
}
