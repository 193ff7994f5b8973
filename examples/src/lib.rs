//! What the programs have in common: how they begin, and how they are told to end.

mod keeper;
pub mod node;
mod orders;
pub mod page;
mod place;

pub use orders::keep_nodes;

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    net::{SocketAddr, ToSocketAddrs as _},
    process::ExitCode,
};

use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// For `--help`: how to see more.
pub const LOGGING: &str = "The environment variable RUST_LOG says what is logged to standard error, as in \
                           RUST_LOG=info or RUST_LOG=warn,bayeux_oort=debug.";

/// Runs a program, which logs to standard error what `RUST_LOG` says, or else `filter`. What it fails with is told
/// there too.
pub async fn run<E: Display>(
    filter: &str,
    program: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty());
    let filter = match chosen.as_deref().unwrap_or(filter).parse::<EnvFilter>() {
        Ok(filter) => filter,
        Err(error) => {
            fail(format_args!("{} cannot be read: {error}", EnvFilter::DEFAULT_ENV));
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        // It would be told where nobody reads it, and panic.
        .log_internal_errors(false)
        .init();
    match program.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(error);
            ExitCode::FAILURE
        }
    }
}

/// Reads where to listen, for `clap`: an address or the name of a host, and a port.
///
/// # Errors
///
/// When it is none, or the name has no address.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port {
        return Err("an address and a port are needed, as in 127.0.0.1:8080".to_owned());
    }
    let mut found = text.to_socket_addrs().map_err(|error| error.to_string())?;
    found.next().ok_or_else(|| "it has no address".to_owned())
}

/// Listens at an address.
///
/// # Errors
///
/// When that cannot be, with the address and why.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let listens = TcpListener::bind(address).await;
    listens.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Says what the program is asked to print. It goes on if nobody reads that any more, as behind `| head`.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Tells the user why the program fails.
pub fn fail(error: impl Display) {
    let _ = writeln!(io::stderr(), "error: {error}");
}

/// Waits for SIGINT or SIGTERM.
pub async fn told_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}
