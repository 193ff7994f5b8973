//! One of the nodes: a Bayeux server with its part of the house, and a page.

use std::{error::Error, sync::Arc, time::Duration};

use bayeux_oort::{Mesh, Oort, discovery::StaticList};
use bayeux_server::{Config, ServeConfig, Server, serve};
use bayeux_seti::Seti;
use examples::node::{self, NodeArguments, end_of_input, say_ready};

use crate::{
    bidder::{self, Policy},
    house::Desk,
    lot::Hours,
    page,
    people::People,
    room,
    view::View,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    node: NodeArguments,
    /// How long a lot is open, in seconds.
    #[arg(long)]
    open: u32,
}

/// Runs until the standard input ends, with whoever started it.
pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    node::run(arguments.node.name.clone(), serve_as(arguments)).await
}

async fn serve_as(arguments: Arguments) -> Result<()> {
    let Arguments { node, open } = arguments;
    let mut config = Config::default();
    // What a broken link has swallowed comes again.
    config.acknowledgements = true;
    // Who closes the page without a word is soon known to have gone.
    config.websocket.max_interval = Duration::from_secs(2);
    let server = Server::builder().config(config).policy(Policy::default()).build();
    let listener = examples::listen(node.listen).await?;
    let mesh = Mesh::builder(&node.url)
        .secret(&node.secret)
        .discovery(Arc::new(StaticList::new(node.cloud)))
        .build()?;
    let oort = Oort::start(&server, Arc::new(mesh)).await?;
    let seti = Seti::start(&oort).await?;
    seti.associate_at_handshake(bidder::at_handshake).keep();
    oort.observe_channel(room::CHAT)?;
    let desk = Desk::start(&oort, &seti, Hours { open: u64::from(open) * 1_000 }).await?;
    let people = People::start(&oort, &seti, &node.name).await?;
    let view = View::start(&server, &desk, &people);
    let _service = room::offer(&server, &desk, &node.name, &view).await?;

    say_ready();
    let app = page::room().nest_service("/cometd", server.service());
    let served = serve(&server, listener, app, ServeConfig::default());
    tokio::select! {
        served = served => Ok(served?),
        () = end_of_input() => Ok(()),
    }
}
