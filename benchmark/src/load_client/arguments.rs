//! The options of the load client, with CometD's names.

use std::path::PathBuf;

use bayeux_client::api::ConnectionType;
use clap::{ArgAction, Args, ValueEnum};

use crate::{
    Result,
    load_server::{only_false, processors},
    prompt::Prompt,
};

/// Loads a Bayeux server, as CometD's `CometDLoadClient` does: clients in rooms, batches of messages
/// at fixed times, and how long they take to arrive.
///
/// Works with this project's `load_server`, with CometD's, and with any other Bayeux server, of
/// which only the numbers that a load server delivers are missing. Asks for each option on standard
/// error, where Enter takes what is in brackets, and then again for those of a run until there are
/// to be 0 clients; `--auto` asks nothing.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Asks nothing: does `--iterations` runs and ends.
    #[arg(long)]
    pub(crate) auto: bool,

    #[command(flatten)]
    pub(crate) site: SiteArguments,

    #[command(flatten)]
    pub(crate) rooms: RoomArguments,

    #[command(flatten)]
    pub(crate) plan: Plan,

    /// How many runs there are with `--auto`.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) iterations: usize,

    /// Where the result goes with `--auto`, as JSON; each run overwrites it.
    #[arg(long, value_name = "FILE", default_value = "./result.json")]
    pub(crate) file: PathBuf,

    /// Prints the result of the last run on standard output, as JSON, at the end.
    #[arg(long)]
    pub(crate) json: bool,

    /// The server's process on this machine, whose processor time is then told even if the server
    /// does not tell it.
    #[arg(long = "serverPid", alias = "server-pid", value_name = "PID")]
    pub(crate) server_pid: Option<u32>,

    /// What decides which rooms are chosen at random; the same number chooses the same.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Tells the load server to end, at the end.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) exit: bool,
}

/// Where the server is, and how to talk to it.
#[derive(Args, Clone, Debug)]
pub(crate) struct SiteArguments {
    /// The server's host.
    #[arg(long, default_value = "localhost")]
    pub(crate) host: String,

    /// The server's port.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,

    /// Speaks TLS, and trusts the certificate that the server shows at the start, if only it is of
    /// the host that is given.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) tls: bool,

    /// Taken, and not used: the runtime has one selector.
    #[arg(long, value_name = "N", default_value_t = 1)]
    selectors: usize,

    /// How many threads work, beside the one that sends.
    #[arg(long = "maxThreads", alias = "max-threads", value_name = "N")]
    #[arg(default_value_t = processors())]
    pub(crate) max_threads: usize,

    /// What carries the messages.
    #[arg(long, value_enum, ignore_case = true, default_value_t = Transport::LongPolling)]
    pub(crate) transport: Transport,

    /// Speaks HTTP/2, over one connection for each client; for long-polling only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) http2: bool,

    /// Not here: this client has no compression of WebSocket messages, so that only `false` is
    /// taken.
    #[arg(long = "permessage-deflate", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    #[arg(value_parser = only_false)]
    permessage_deflate: bool,

    /// The path of Bayeux at the server.
    #[arg(long, value_name = "PATH", default_value = "/cometd")]
    pub(crate) context: String,

    /// Has messages acknowledged.
    #[arg(long = "ackExtension", alias = "ack-extension", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) ack_extension: bool,
}

/// The rooms: the channels of the messages.
#[derive(Args, Clone, Debug)]
pub(crate) struct RoomArguments {
    /// What the channels begin with, after /bench; each of several load clients needs its own.
    #[arg(long, default_value = "/a")]
    pub(crate) channel: String,

    /// How many rooms there are.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) rooms: usize,

    /// How many rooms each client is in, chosen at random.
    #[arg(long = "roomsPerClient", alias = "rooms-per-client", value_name = "N")]
    #[arg(default_value_t = 10)]
    pub(crate) rooms_per_client: usize,
}

/// One run.
#[derive(Args, Clone, Debug)]
pub(crate) struct Plan {
    /// How many clients there are.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) clients: usize,

    /// How many batches are sent, each by one client.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) batches: u64,

    /// How many messages a batch has, each to a random room.
    #[arg(long = "batchSize", alias = "batch-size", value_name = "N", default_value_t = 10)]
    pub(crate) batch_size: u64,

    /// How many microseconds after a batch the next begins, whether that one has arrived or not.
    #[arg(long = "batchPause", alias = "batch-pause", value_name = "µs", default_value_t = 10_000)]
    pub(crate) batch_pause: u64,

    /// How many bytes of text a message carries, beside its numbers.
    #[arg(long = "messageSize", alias = "message-size", value_name = "BYTES")]
    #[arg(default_value_t = 50)]
    pub(crate) message_size: usize,

    /// Sends each batch by a random client, rather than by the next.
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false)]
    #[arg(default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) randomize: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[value(name = "LONG_POLLING", alias = "long-polling")]
    LongPolling,
    #[value(name = "WEBSOCKET", aliases = ["JAKARTA_WEBSOCKET", "JETTY_WEBSOCKET"])]
    WebSocket,
}

impl Transport {
    pub(crate) fn connection_type(self) -> ConnectionType {
        match self {
            Self::LongPolling => ConnectionType::LongPolling,
            Self::WebSocket => ConnectionType::WebSocket,
        }
    }

    /// Returns its name as `result.json` has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::LongPolling => "LONG_POLLING",
            Self::WebSocket => "WEBSOCKET",
        }
    }
}

impl Arguments {
    /// Asks for what holds for all runs.
    pub(crate) fn ask(&mut self, prompt: &mut Prompt) -> Result<()> {
        self.site.ask(prompt)?;
        self.rooms.ask(prompt)?;
        self.check()
    }

    fn check(&self) -> Result<()> {
        let RoomArguments { rooms, rooms_per_client, .. } = self.rooms;
        if rooms == 0 || !(1..=rooms).contains(&rooms_per_client) {
            let ask = "give --roomsPerClient=1 or more, and at least as many --rooms";
            return Err(
                format!("no client can be in {rooms_per_client} of {rooms} rooms: {ask}").into()
            );
        }
        if self.site.max_threads == 0 {
            return Err("with no thread nothing is received: give --maxThreads=1 or more".into());
        }
        if self.site.http2 && self.site.transport == Transport::WebSocket {
            return Err("WebSockets are over HTTP/1.1: leave out --http2".into());
        }
        Ok(())
    }
}

impl SiteArguments {
    fn ask(&mut self, prompt: &mut Prompt) -> Result<()> {
        prompt.ask("server", &mut self.host)?;
        prompt.ask("port", &mut self.port)?;
        prompt.choose("transport", &mut self.transport)?;
        prompt.ask("use tls", &mut self.tls)?;
        if self.transport == Transport::LongPolling {
            prompt.ask("use http/2", &mut self.http2)?;
        }
        prompt.ask("max threads", &mut self.max_threads)?;
        prompt.ask("context", &mut self.context)?;
        prompt.ask("enable ack extension", &mut self.ack_extension)
    }
}

impl RoomArguments {
    fn ask(&mut self, prompt: &mut Prompt) -> Result<()> {
        prompt.ask("channel", &mut self.channel)?;
        prompt.ask("rooms", &mut self.rooms)?;
        prompt.ask("rooms per client", &mut self.rooms_per_client)
    }
}

impl Plan {
    /// Asks for what is of the next run.
    pub(crate) fn ask(&mut self, prompt: &mut Prompt) -> Result<()> {
        prompt.ask("clients (0 ends)", &mut self.clients)?;
        if self.clients == 0 {
            return Ok(());
        }
        prompt.ask("batches", &mut self.batches)?;
        prompt.ask("batch size", &mut self.batch_size)?;
        prompt.ask("batch pause (µs)", &mut self.batch_pause)?;
        prompt.ask("message size", &mut self.message_size)?;
        prompt.ask("randomize sends", &mut self.randomize)
    }

    pub(crate) fn messages(&self) -> u64 {
        self.batches * self.batch_size
    }
}
