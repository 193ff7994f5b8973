//! Sessions that wait: what they cost in memory, and in time.

use clap::{Args, ValueEnum};

use crate::{Result, load::LoadArguments};

/// Makes many sessions to which nothing is published, and tells what they cost the server in memory
/// and processor time.
///
/// Those that wait without a connection need a server that lets them: start it with
/// `-o maxInterval=600000` (milliseconds).
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many sessions there are.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    sessions: u64,

    /// In which state they are.
    #[arg(long, value_enum, default_value_t = State::WebSocket)]
    state: State,

    /// For how many seconds processor time is measured, once all are there; better several times the
    /// server's timeout.
    #[arg(long, value_name = "S", default_value_t = 60)]
    seconds: u64,
}

/// How a session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Over a WebSocket, with a connect that the server holds.
    #[value(name = "websocket")]
    WebSocket,
    /// With a held connect over long-polling, and a connection and a cookie of its own.
    Held,
    /// Over long-polling, between two connects, without a connection.
    Parked,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    Err(format!("this scenario is still to be written: {arguments:?}").into())
}
