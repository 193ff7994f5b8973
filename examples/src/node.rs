//! What the nodes that a [`Keeper`](crate::keeper::Keeper) keeps have in common.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, stdin};

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

/// Tells the keeper that the node can be reached.
#[expect(clippy::print_stdout, reason = "the keeper waits for this line")]
pub fn say_ready() {
    println!("READY");
}

/// Waits until the keeper has gone, or wants the node to go.
pub async fn end_of_input() {
    let (mut input, mut buffer) = (stdin(), [0; 64]);
    while input.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
}
