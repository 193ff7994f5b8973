//! What all scenarios have in common: where the load goes, and how the results are told.

use std::{fmt, time::Duration};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::{
    Result,
    process::{Process, bind_to_core},
    target::Target,
    wire::Scratch,
};

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
    pub(crate) json: bool,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// Bayeux, as this server, CometD and Faye do.
    Bayeux,
    /// What Centrifugo has of its own, over WebSocket alone.
    Centrifugo,
    /// What `benchmark limit` wants: nobody shakes hands, and its messages are only counted.
    Limit,
}

/// What carries the messages of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    #[value(name = "websocket")]
    #[serde(rename = "websocket")]
    WebSocket,
    LongPolling,
}

impl Transport {
    /// Returns its name in Bayeux.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::LongPolling => "long-polling",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A server, and what the connections to it share.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) target: Target,
    pub(crate) protocol: Protocol,
    pub(crate) scratch: Scratch,
    process: Option<Process>,
}

/// Takes an argument in seconds, which may have a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is no number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Processor time: up to a moment, or between two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    /// The server's; none if its process is not known.
    pub(crate) server: Option<Duration>,
    /// As much of that as was its own code's.
    pub(crate) server_user: Option<Duration>,
    pub(crate) generator: Duration,
}

impl Used {
    /// Returns what was used between two moments.
    pub(crate) fn since(self, before: Self) -> Self {
        let between = |after: Option<Duration>, before: Option<Duration>| {
            after.zip(before).map(|(after, before)| after.saturating_sub(before))
        };
        Self {
            server: between(self.server, before.server),
            server_user: between(self.server_user, before.server_user),
            generator: self.generator.saturating_sub(before.generator),
        }
    }
}

impl LoadArguments {
    /// Gets ready: also binds this thread to its core.
    pub(crate) fn load(&self) -> Result<Load> {
        if let Some(core) = self.core {
            bind_to_core(core)?;
        }
        let load = Load {
            target: Target::new(&self.url)?,
            protocol: self.protocol,
            scratch: Scratch::default(),
            process: self.pid.map(Process::new),
        };
        // Fails at once if there is no such process.
        load.resident()?;
        Ok(load)
    }
}

impl Load {
    /// Returns the load of a Bayeux server.
    pub(crate) fn of(url: &str, pid: u32) -> Result<Self> {
        Ok(Self {
            target: Target::new(url)?,
            protocol: Protocol::Bayeux,
            scratch: Scratch::default(),
            process: Some(Process::new(pid)),
        })
    }

    /// Returns the same for connections for which the system keeps few bytes that are not read.
    pub(crate) fn with_receive_buffer(&self, bytes: u32) -> Self {
        Self { target: self.target.with_receive_buffer(bytes), ..self.clone() }
    }

    /// Returns the processor time that the server has had, if its process is known.
    pub(crate) fn cpu(&self) -> Result<Option<Duration>> {
        self.process.map(Process::cpu).transpose()
    }

    /// Returns the processor time that the server and this process have had.
    pub(crate) fn used(&self) -> Result<Used> {
        let generator = Process::new(std::process::id()).cpu()?;
        let server_user = self.process.map(Process::user).transpose()?;
        Ok(Used { server: self.cpu()?, server_user, generator })
    }

    /// Returns the bytes of memory that the server has resident, if its process is known.
    pub(crate) fn resident(&self) -> Result<Option<u64>> {
        self.process.map(Process::resident).transpose()
    }
}
