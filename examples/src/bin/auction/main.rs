//! An auction on three nodes: whichever node a bid comes to, one of them decides, and all know the outcome.

mod bidder;
mod book;
mod goods;
mod house;
mod lot;
mod node;
mod page;
mod people;
mod room;
mod view;

use std::{net::SocketAddr, process::ExitCode};

use clap::{Parser, Subcommand, value_parser};
use examples::keep_nodes;

/// An auction on three nodes of a cluster on this machine, each with a page of its own.
///
/// The page at / leads to the nodes' pages, and kills nodes and starts them again. Open the pages of several nodes,
/// enter under several names, and bid: one node decides on all bids, who is outbid is told privately on whichever
/// node that is, and a bid that was confirmed is known on all nodes, so that it outlives any one of them.
#[derive(Parser)]
#[command(name = "auction", version, after_help = examples::LOGGING)]
struct Arguments {
    /// Where the page is; port 0 is any free one. The nodes have the three ports behind it, and any free one in place
    /// of each that is taken.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8100", value_parser = examples::address)]
    listen: SocketAddr,

    /// How long a lot is open, in seconds, from 2 to 86400. A late bid keeps it open for a moment longer, and some time
    /// after it was sold it is offered again.
    #[arg(long, value_name = "SECONDS", default_value_t = 600,
        value_parser = value_parser!(u32).range(2..=86_400))]
    open: u32,

    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Subcommand)]
enum Role {
    /// Is one of the nodes, until its standard input ends.
    #[command(hide = true)]
    Node(node::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    examples::run("error", async {
        match arguments.role {
            Some(Role::Node(arguments)) => node::run(arguments).await,
            None => {
                let of_nodes = vec!["--open".to_owned(), arguments.open.to_string()];
                keep_nodes("Bayeux auction", arguments.listen, page::door(), of_nodes).await
            }
        }
    })
    .await
}
