//! A load generator: what a message to many costs the server, and what sessions that wait cost it.

mod bare;
mod carrier;
mod fanout;
mod frame;
mod idle;
mod measure;
mod polling;
mod process;
mod say;
mod session;
mod target;
mod websocket;

use std::{error::Error, future::Future, process::ExitCode};

use clap::{Parser, Subcommand};
use tokio::{runtime, task::LocalSet};

/// The demo's, so that `bare` is like it in all but Bayeux.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures a Bayeux server: what a message to many subscribers costs it, and what idle sessions do.
///
/// `benchmark measure` does it all and compares with the numbers this project wants to reach; the other
/// subcommands do one thing each, with any server.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Is the floor to compare with: knows no Bayeux, and writes one ready-made frame to all its
    /// WebSockets whenever a frame arrives at /trigger.
    Bare(bare::Arguments),
    /// Publishes to many WebSocket subscribers, and checks that each gets everything once and in
    /// order.
    Fanout(fanout::Arguments),
    /// Keeps many sessions connected that wait for messages which never come.
    Idle(idle::Arguments),
    /// Does all of it with the demo on one core and the generator on another, and prints medians.
    Measure(measure::Arguments),
}

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        // On the runtime that the demo has, since it is compared with that.
        Command::Bare(arguments) => {
            run(&mut runtime::Builder::new_multi_thread(), bare::run(arguments))
        }
        Command::Fanout(arguments) => generate(fanout::run(arguments)),
        Command::Idle(arguments) => generate(idle::run(arguments)),
        Command::Measure(arguments) => generate(measure::run(arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failed(&*error);
            ExitCode::FAILURE
        }
    }
}

/// Runs a generator, whose tasks all share one thread.
fn generate(work: impl Future<Output = Result<()>>) -> Result<()> {
    run(&mut runtime::Builder::new_current_thread(), LocalSet::new().run_until(work))
}

fn run(builder: &mut runtime::Builder, work: impl Future<Output = Result<()>>) -> Result<()> {
    process::raise_file_limit();
    builder.enable_all().build()?.block_on(work)
}
