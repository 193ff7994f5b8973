//! What the nodes that a program [keeps](crate::keep_nodes) have in common.

use std::{error::Error, net::SocketAddr};

use tokio::io::{AsyncReadExt, stdin};

use crate::say;

/// What a keeper tells a node.
#[derive(Clone, Debug, clap::Args)]
#[non_exhaustive]
pub struct NodeArguments {
    /// Its name.
    #[arg(long)]
    pub name: String,
    /// Where other nodes reach it.
    #[arg(long)]
    pub url: String,
    /// Where it listens.
    #[arg(long)]
    pub listen: SocketAddr,
    /// How often it was started.
    #[arg(long)]
    pub life: u32,
    /// The URLs of the other nodes.
    #[arg(long, value_delimiter = ',')]
    pub cloud: Vec<String>,
    /// What all nodes know.
    #[arg(long, env = "OORT_SECRET", hide_env_values = true)]
    pub secret: String,
}

/// What a node says when it can be reached.
pub(crate) const READY: &str = "READY";

/// What stands before the reason why it fails.
pub(crate) const FAILED: &str = "FAILED ";

/// Tells the keeper that the node can be reached.
pub fn say_ready() {
    say(READY);
}

/// Runs the node of this name. Why it fails, the keeper is told, too.
///
/// # Errors
///
/// Why it has failed.
pub async fn run(
    name: String,
    node: impl Future<Output = Result<(), Box<dyn Error>>>,
) -> Result<(), Box<dyn Error>> {
    node.await.map_err(|error| {
        say(format_args!("{FAILED}{error}"));
        format!("node {name} {error}").into()
    })
}

/// Waits until the keeper has gone, or wants the node to go.
pub async fn end_of_input() {
    let (mut input, mut buffer) = (stdin(), [0; 64]);
    while input.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}
