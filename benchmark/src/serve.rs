//! The server that is measured: this project's, with nothing of an application beside it unless asked for.

use std::net::SocketAddr;

use bayeux_server::Config;
use clap::Args;
use tokio::net::TcpListener;

use crate::{Result, application::Application, say};

/// Serves Bayeux at /cometd, on as many threads as TOKIO_WORKER_THREADS says (one for each core by
/// default).
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Sets an option by its CometD name, as in timeout=30000 or ws.messagesPerFrame=10; repeatable.
    #[arg(short, long = "option", value_name = "NAME=VALUE", value_parser = pair)]
    options: Vec<(String, String)>,

    /// What an application adds.
    #[arg(long, value_enum, default_value_t)]
    application: Application,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("there is no = in it")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let Arguments { listen, options, application } = arguments;
    let mut config = Config::default();
    // All clients of a measurement have one address.
    config.handshake_limit.count = 0;
    config.set_options(options)?;
    let server = application.server(config)?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    say::result(format!("Bayeux server on http://{}/cometd", listener.local_addr()?));
    Ok(server.serve(listener).await?)
}
