//! A program that keeps the nodes of a cluster: it serves a page, which hears which nodes run and orders what becomes
//! of them.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use bayeux_server::{Config, ServeConfig, Server, Service, api::Json, serve};
use serde::Deserialize;

use crate::{
    keeper::{Keeper, NODES},
    listen, say, told_to_end,
};

/// Keeps nodes, each of them this very program with the command `node` and `of_nodes`, and serves `page` at an
/// address, until the program is told to end. `what` is how it calls itself.
///
/// # Errors
///
/// When it cannot listen there, or nodes cannot be kept.
pub async fn keep_nodes(
    what: &str,
    address: SocketAddr,
    page: Router,
    of_nodes: Vec<String>,
) -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    config.drain.spread = Duration::ZERO;
    config.drain.timeout = Duration::from_secs(1);
    let server = Server::builder().config(config).build();
    let listener = listen(address).await?;
    let address = listener.local_addr()?;
    let keeper = Arc::new(Keeper::new(address, server.clone(), of_nodes)?);
    let _service = offer(&server, &keeper).await?;
    keeper.start_all();

    announce(what, address, &keeper);
    let app = page.nest_service("/cometd", server.service());
    let served = serve(&server, listener, app, ServeConfig::default());
    tokio::select! {
        served = served => Ok(served?),
        // The nodes are killed when those are dropped who keep them, and nobody is told of it.
        () = told_to_end() => Ok(()),
    }
}

fn announce(what: &str, address: SocketAddr, keeper: &Keeper) {
    say(format_args!("{what} on http://{address}/ (stop with Ctrl-C)"));
    for (name, url) in keeper.addresses() {
        say(format_args!("node {name} on {url}"));
    }
}

/// Which node is meant.
#[derive(Deserialize)]
struct Which {
    node: String,
}

/// Offers the page what it asks for; that ends when what is returned is dropped.
async fn offer(server: &Server, keeper: &Arc<Keeper>) -> Result<Service, Box<dyn Error>> {
    let mut service = server.new_service("keeper").await?;
    server.create_channel_if_absent_with(NODES, |channel| channel.set_persistent(true))?;
    type Act = fn(&Arc<Keeper>, &str);
    let acts: [(&str, Act); 3] = [
        ("cluster/nodes", |_, _| {}),
        ("cluster/kill", |keeper, name| keeper.kill(name)),
        ("cluster/start", |keeper, name| keeper.start(name)),
    ];
    for (target, act) in acts {
        let keeper = keeper.clone();
        service.remote_call(target, move |request| {
            if let Some(Ok(which)) = request.message.data.map(|data| data.to::<Which>()) {
                act(&keeper, &which.node);
            }
            std::future::ready(Ok::<Json, Json>(keeper.nodes().into()))
        })?;
    }
    Ok(service)
}
