//! Measures Bayeux servers: what messages, and what sessions that wait, come, go or stall cost them.

mod application;
mod carrier;
mod centrifugo;
mod channels;
mod churn;
mod cloud;
mod compare;
mod dialect;
mod echo;
mod fanout;
mod frame;
mod heart;
mod histogram;
mod idle;
mod instructions;
mod latency;
mod limit;
mod link;
mod load;
mod load_client;
mod load_server;
mod order;
mod payload;
mod polling;
mod process;
mod prompt;
mod report;
mod response;
mod say;
mod serve;
mod session;
mod slow;
mod target;
mod wait;
mod websocket;
mod wire;

use std::{error::Error, future::Future, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::{runtime, task::LocalSet};

/// The demo's; `serve` and `limit` have the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures a Bayeux server: what messages to many and to one cost it, and sessions that wait, come and
/// go, or stop reading.
///
/// `serve` and `limit` are servers to measure; the others are scenarios, for any Bayeux server.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves Bayeux: the server of this project, with nothing beside it.
    Serve(serve::Arguments),
    /// Serves what a Bayeux server sends, ready-made: knows no Bayeux, and is the floor to compare
    /// with.
    Limit(limit::Arguments),
    /// Publishes to many subscribers, and checks that each gets everything once and in order.
    Fanout(fanout::Arguments),
    /// Has clients publish to themselves, and tells how long each message takes.
    Echo(echo::Arguments),
    /// Keeps many sessions that wait for messages which never come.
    Idle(idle::Arguments),
    /// Subscribes to many channels, each with one subscriber.
    Channels(channels::Arguments),
    /// Makes sessions that come and go at once.
    Churn(churn::Arguments),
    /// Measures clusters, with nodes of its own.
    Cloud(cloud::Arguments),
    /// Measures all of it beside other servers, and writes docs/performance.md.
    Compare(compare::Arguments),
    /// Lets one subscriber stop reading while the others go on.
    Slow(slow::Arguments),
    /// Counts the instructions of single operations, and compares with those on record.
    Instructions(instructions::Arguments),
    /// Loads a server with clients in rooms, as CometD's load client does.
    #[command(name = "load_client")]
    LoadClient(load_client::Arguments),
    /// Serves load clients, as CometD's load server does.
    #[command(name = "load_server")]
    LoadServer(load_server::Arguments),
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(arguments) => serve(serve::run(arguments)),
        Command::Limit(arguments) => serve(limit::run(arguments)),
        Command::Fanout(arguments) => generate(fanout::run(arguments)),
        Command::Echo(arguments) => generate(echo::run(arguments)),
        Command::Idle(arguments) => generate(idle::run(arguments)),
        Command::Channels(arguments) => generate(channels::run(arguments)),
        Command::Churn(arguments) => generate(churn::run(arguments)),
        Command::Cloud(arguments) => cloud::start(arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Slow(arguments) => generate(slow::run(arguments)),
        Command::Instructions(arguments) => instructions::start(&arguments),
        Command::LoadClient(arguments) => load_client::start(arguments),
        Command::LoadServer(arguments) => load_server::start(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failed(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Runs a server, on the runtime that programs mostly have.
fn serve(work: impl Future<Output = Result<()>>) -> Result<()> {
    run(&mut runtime::Builder::new_multi_thread(), work)
}

/// Runs a generator, whose tasks all share one thread.
fn generate(work: impl Future<Output = Result<()>>) -> Result<()> {
    run(&mut runtime::Builder::new_current_thread(), LocalSet::new().run_until(work))
}

fn run(builder: &mut runtime::Builder, work: impl Future<Output = Result<()>>) -> Result<()> {
    process::raise_file_limit();
    builder.enable_all().build()?.block_on(work)
}
