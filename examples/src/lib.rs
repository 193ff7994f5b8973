//! What the programs have in common: how they begin, and how they are told to end.

use std::{fmt::Display, process::ExitCode};

use tracing_subscriber::EnvFilter;

/// Runs a program, which logs to standard error what `RUST_LOG` says, or else `filter`. What it fails with is told
/// there too.
pub async fn run<E: Display>(
    filter: &str,
    program: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| filter.into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match program.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            fail(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is a program's message to its user")]
fn fail(error: &impl Display) {
    eprintln!("error: {error}");
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
