//! Measures the Bayeux client: what clients that wait cost, and how many messages one can exchange.

mod echo;
mod idle;
#[path = "../../process.rs"]
#[expect(dead_code, reason = "the load generator's, of which this uses a part")]
mod process;
#[path = "../../say.rs"]
mod say;
mod started;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::started::Started;

/// The allocator that the demo has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the Bayeux client, not the server: memory and processor time of many that wait, and the
/// messages that one publishes and receives.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Connects many clients over WebSocket, which then wait for messages that never come.
    Idle(idle::Arguments),
    /// Publishes, with one client, to a channel that it subscribes to; each message has to come back
    /// once and in order.
    Echo(echo::Arguments),
}

/// Which server.
#[derive(Args, Clone, Debug)]
struct ServerArguments {
    /// Where a server runs, as in http://127.0.0.1:8080/cometd; without it a demo is started.
    #[arg(long)]
    url: Option<String>,

    /// The demo to start; the one beside this program unless given.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "url")]
    demo: Option<PathBuf>,
}

/// A server, which ends with this if it was started for it.
struct Server {
    url: String,
    _started: Option<Started>,
}

impl ServerArguments {
    fn server(self) -> Result<Server> {
        if let Some(url) = self.url {
            return Ok(Server { url, _started: None });
        }
        let demo = match self.demo {
            Some(demo) => demo,
            None => std::env::current_exe()?.with_file_name("demo"),
        };
        let arguments = ["--listen", "127.0.0.1:0"].map(str::to_owned);
        let started = Started::new(&demo, &arguments)?;
        let url = format!("http://{}/cometd", started.address);
        Ok(Server { url, _started: Some(started) })
    }
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    process::raise_file_limit();
    let outcome = match Arguments::parse().command {
        Command::Idle(arguments) => idle::run(arguments).await,
        Command::Echo(arguments) => echo::run(arguments).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failed(&*error);
            ExitCode::FAILURE
        }
    }
}
