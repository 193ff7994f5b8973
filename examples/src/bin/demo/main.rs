//! The demo: chat rooms and more in a page, and channels to try things on by hand and by script.

mod channels;
mod chat;
mod cluster;
mod elsewhere;
mod page;
mod stats;

use std::{error::Error, net::SocketAddr, process::ExitCode, sync::Arc};

use axum::{Router, http::StatusCode, routing::get};
use bayeux_oort::{Oort, OortOptions};
use bayeux_server::{Config, ServeConfig, Server, ext::TimesyncExtension, serve};
use clap::Parser;
use examples::{say, told_to_end};

/// Keeps buffers of one size together, so that what is never touched of them takes no memory: that
/// saves a third of what idle long-polling sessions take with glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Bayeux server with a page to try it.
///
/// The page is at /, Bayeux at /cometd, and /health says 503 instead of 200 once it is about to end. That begins
/// with SIGINT (Ctrl-C) or SIGTERM, which send the clients away in good order (drainSpread, drainInterval,
/// drainTimeout); a second one ends it at once. For scripts there are: /service/echo, the remote call
/// rpc/echo, /demo/lazy (1 s late), /demo/denied (nobody may create it), /demo/readonly (nobody may
/// publish), /demo/noecho (publishers do not hear themselves), /demo/stats (once a second).
#[derive(Parser)]
#[command(name = "demo", version, after_long_help = options())]
struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = examples::address)]
    listen: SocketAddr,

    /// Sets an option by its CometD name, as in timeout=30000 or ws.messagesPerFrame=10; repeatable.
    /// `--help` lists them.
    #[arg(short, long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,

    #[command(flatten)]
    cluster: cluster::NodeArguments,
}

/// Lists what `-o` takes.
fn options() -> String {
    let options: Vec<_> = Config::options().map(|option| format!("  {option}")).collect();
    let of_nodes: Vec<_> = OortOptions::options().map(|option| format!("  {option}")).collect();
    format!(
        "Options for -o, of which those of a transport may stand after ws., long-polling., \
         long-polling.json., long-polling.jsonp. or callback-polling. too; \
         the demo has ackExtension=true:\n{}\n\n\
         Options for -o of a node of a cluster; the demo has oort.channels=/chat/**:\n{}\n\n{}",
        options.join("\n"),
        of_nodes.join("\n"),
        examples::LOGGING
    )
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no = in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    examples::run("warn,bayeux_oort=info,bayeux_server::drain=info", run(arguments)).await
}

async fn run(mut arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let node = arguments.cluster.options(&mut arguments.options)?;
    let mut config = Config::default();
    config.acknowledgements = true;
    config.set_options(arguments.options)?;
    let server = Server::builder().config(config).policy(channels::Policy::default()).build();
    server.add_extension(Arc::new(TimesyncExtension::default())).keep();
    // Before any other node is told to come.
    let listener = examples::listen(arguments.listen).await?;
    let oort = cluster::join(&server, &node).await?;
    let _services = channels::offer(&server).await?;
    let _chat = chat::start(&server, oort.as_ref()).await?;
    stats::start(&server);

    let address = listener.local_addr()?;
    let bayeux = Router::new().nest_service("/cometd", server.service()).layer(server.cors());
    let asked = server.clone();
    let health = get(move || std::future::ready(health(&asked)));
    let app = page::routes().merge(bayeux).route("/health", health);
    let mut serving = std::pin::pin!(serve(&server, listener, app, ServeConfig::default()));
    tokio::select! {
        biased;
        // It says at once that it cannot.
        served = &mut serving => return Ok(served?),
        () = std::future::ready(()) => announce(address, oort.as_ref()),
    }
    tokio::select! {
        served = serving => served?,
        () = told_twice_to_end(&server) => return Err("ended at once, by a second signal".into()),
    }
    if let Some(oort) = oort {
        // Its clients have gone; the other nodes are told so that they do not wait for it.
        oort.stop().await;
    }
    Ok(())
}

/// Tells a balancer whether clients may come: no more once the server is about to end.
fn health(server: &Server) -> StatusCode {
    match server.is_draining() {
        true => StatusCode::SERVICE_UNAVAILABLE,
        false => StatusCode::OK,
    }
}

fn announce(address: SocketAddr, oort: Option<&Oort>) {
    say(format_args!("Bayeux demo on http://{address}/ (Bayeux at /cometd; stop with Ctrl-C)"));
    if let Some(oort) = oort {
        say(format_args!("A node of a cluster, which others reach at {}", oort.own().url()));
    }
}

/// Ends the server in good order when a signal comes, and waits for the next.
async fn told_twice_to_end(server: &Server) {
    told_to_end().await;
    let draining = server.clone();
    tokio::spawn(async move { draining.drain().await });
    told_to_end().await;
}
