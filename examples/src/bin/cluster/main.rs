//! A cluster to watch: three nodes on this machine, each a process of its own, and a page that shows what they
//! know of each other while they are killed and started again.

mod node;
mod page;
mod view;

use std::{error::Error, net::SocketAddr, process::ExitCode, sync::Arc};

use bayeux_server::{Config, ServeConfig, Server, serve};
use clap::{Parser, Subcommand};
use examples::{
    keeper::{self, Keeper},
    node::NodeArguments,
    told_to_end,
};

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
            None => run(arguments.listen).await,
        }
    })
    .await
}

async fn run(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.drain.spread = std::time::Duration::ZERO;
    config.drain.timeout = std::time::Duration::from_secs(1);
    let server = Server::builder().config(config).build();
    let listener = examples::listen(address).await?;
    let address = listener.local_addr()?;
    let keeper = Arc::new(Keeper::new(address, server.clone(), Vec::new())?);
    let _service = keeper::offer(&keeper).await?;
    keeper.start_all();

    announce(address, &keeper);
    let bayeux = axum::Router::new().nest_service("/cometd", server.service());
    let served = serve(&server, listener, page::routes().merge(bayeux), ServeConfig::default());
    tokio::select! {
        served = served => Ok(served?),
        () = told_to_end() => {
            // The nodes end with their standard input.
            keeper.end_all();
            Ok(())
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is asked to print")]
fn announce(address: SocketAddr, keeper: &Keeper) {
    println!("Bayeux cluster on http://{address}/ (stop with Ctrl-C)");
    for (name, url) in keeper.addresses() {
        println!("node {name} on {url}");
    }
}
