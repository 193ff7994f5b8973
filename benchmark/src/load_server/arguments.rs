//! The options of the load server, with CometD's names.

use std::{path::PathBuf, thread::available_parallelism};

use bayeux_server::api::ConnectionType;
use clap::{ArgAction, Args, ValueEnum};

use crate::{Result, prompt::Prompt};

/// Serves load clients, as CometD's `CometDLoadServer` does, at /cometd of all interfaces.
///
/// Asks for each option on standard error, where Enter takes what is in brackets; `--auto` asks
/// nothing. The load client starts and stops the statistics, which are printed on standard error
/// and also delivered to it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Asks nothing.
    #[arg(long)]
    pub(crate) auto: bool,

    /// The port; 0 is any free one.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,

    /// Speaks TLS, which offers HTTP/1.1 and HTTP/2; without TLS both are spoken, too.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) tls: bool,

    /// The certificate to show, as a file in PEM, with its chain; one for this machine is made
    /// unless this says otherwise.
    #[arg(long, value_name = "FILE", requires_all = ["key", "tls"])]
    pub(crate) certificate: Option<PathBuf>,

    /// The certificate's private key, as a file in PEM.
    #[arg(long, value_name = "FILE", requires_all = ["certificate", "tls"])]
    pub(crate) key: Option<PathBuf>,

    /// Taken, and not used: the runtime has one selector, whatever the number of processors.
    #[arg(long, value_name = "N", default_value_t = 1)]
    selectors: usize,

    /// How many threads work; more than there are processors are of no use here, where none waits
    /// for anything.
    #[arg(long = "maxThreads", alias = "max-threads", value_name = "N")]
    #[arg(default_value_t = processors())]
    pub(crate) max_threads: usize,

    /// The transports offered beside long-polling, which always is: `websocket`, or nothing.
    /// CometD's `jakarta` and `jetty` are other names of `websocket`.
    #[arg(long, value_enum, ignore_case = true, default_value_t = Transports::WebSocket)]
    transports: Transports,

    /// Not here: this server has no compression of WebSocket messages, so that only `false` is
    /// taken.
    #[arg(long = "permessage-deflate", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    #[arg(value_parser = only_false)]
    permessage_deflate: bool,

    /// Counts HTTP requests and their times. A WebSocket is one request.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) statistics: bool,

    /// Measures how long the processing of published messages takes, until their replies are made.
    /// As in CometD this stamps a field `serverTime` in each message, which its subscribers get, and
    /// is on by default: so the defaults of both compare, and what is to be compared without has to
    /// be switched off on both sides.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) latencies: bool,

    /// Tells of each HTTP request that takes longer than 500 ms, those aside that are held.
    #[arg(long = "longRequests", alias = "long-requests", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) long_requests: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Transports {
    #[value(name = "websocket", aliases = ["jakarta", "jetty"])]
    WebSocket,
    #[value(name = "none", alias = "")]
    None,
}

impl Arguments {
    pub(crate) fn ask(&mut self, prompt: &mut Prompt) -> Result<()> {
        prompt.ask("listen port", &mut self.port)?;
        prompt.ask("use tls", &mut self.tls)?;
        prompt.ask("max threads", &mut self.max_threads)?;
        prompt.choose("transports beside long-polling", &mut self.transports)?;
        prompt.ask("record statistics", &mut self.statistics)?;
        prompt.ask("record latencies", &mut self.latencies)?;
        prompt.ask("detect long requests", &mut self.long_requests)?;
        match self.max_threads {
            0 => Err("with no thread nothing is served: give --maxThreads=1 or more".into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn transports(&self) -> Vec<ConnectionType> {
        match self.transports {
            Transports::WebSocket => vec![ConnectionType::WebSocket, ConnectionType::LongPolling],
            Transports::None => vec![ConnectionType::LongPolling],
        }
    }
}

/// Returns how many processors this process may use.
pub(crate) fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Reads an option that this project does not have.
pub(crate) fn only_false(text: &str) -> Result<bool, String> {
    match text {
        "false" => Ok(false),
        _ => Err("compression of WebSocket messages is not there: leave the option out".to_owned()),
    }
}
