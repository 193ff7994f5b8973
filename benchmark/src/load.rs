//! What all scenarios have in common: where the load goes, and how the results are told.

use clap::{Args, ValueEnum};

/// Where the load goes, and how the results are told.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoadArguments {
    /// Where the server runs, as in http://127.0.0.1:8080/cometd.
    #[arg(long, value_name = "URL")]
    url: String,

    /// The server's process, so that its processor time and memory can be told.
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,

    /// What the server speaks.
    #[arg(long, value_enum, default_value_t = Protocol::Bayeux)]
    protocol: Protocol,

    /// The core that the generator runs on; better not one that the server has.
    #[arg(long, value_name = "N")]
    core: Option<usize>,

    /// Prints the results as one JSON object, and nothing else on standard output.
    #[arg(long)]
    json: bool,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Bayeux, as this server, CometD and Faye do.
    Bayeux,
    /// What `benchmark limit` wants: nobody shakes hands, and its messages are only counted.
    Limit,
}

/// What carries the messages of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[value(name = "websocket")]
    WebSocket,
    LongPolling,
}
