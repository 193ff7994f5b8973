//! A cluster to watch: three nodes on this machine, each a process of its own, and a page that shows what they
//! know of each other while they are killed and started again.

mod node;
mod page;
mod view;

use std::{net::SocketAddr, process::ExitCode};

use clap::{Parser, Subcommand};
use examples::{keep_nodes, node::NodeArguments};

/// Three nodes of a cluster on this machine, and a page to watch, kill and restart them.
///
/// The page is at /. Each node is a process of its own, a Bayeux server on a port of its own. What is put into their
/// shared map on one is there on all of them; a node that is killed takes its entries with it, and one that is
/// started again gets those of the others.
#[derive(Parser)]
#[command(name = "cluster", version, after_help = examples::LOGGING)]
struct Arguments {
    /// Where the page is; port 0 is any free one. The nodes have the three ports behind it, and any free one in place
    /// of each that is taken.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090", value_parser = examples::address)]
    listen: SocketAddr,

    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Is one of the nodes, until its standard input ends.
    #[command(hide = true)]
    Node(NodeArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    examples::run("error", async {
        match arguments.role {
            Some(Role::Node(arguments)) => node::run(arguments).await,
            None => {
                keep_nodes("Bayeux cluster", arguments.listen, page::routes(), Vec::new()).await
            }
        }
    })
    .await
}
