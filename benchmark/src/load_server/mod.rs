//! CometD's load server: what a load client drives, and what tells how the server fared meanwhile.

mod arguments;
mod processing;
mod requests;
mod statistics;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bayeux_server::{Config, ServeConfig, Server, serve};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime,
    sync::Notify,
};

pub(crate) use arguments::{Arguments, only_false, processors};

use crate::{
    Result, load_server::processing::Processing, load_server::requests::Requests,
    load_server::statistics::StatisticsService, prompt::Prompt, say,
};

/// Asks for what `--auto` does not say, and serves until a client ends it, or a signal.
pub(crate) fn start(mut arguments: Arguments) -> Result<()> {
    arguments.ask(&mut Prompt::new(arguments.auto))?;
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(arguments.max_threads);
    crate::run(&mut builder, run(arguments))
}

async fn run(arguments: Arguments) -> Result<()> {
    let server = Server::builder().config(config(&arguments)).build();
    let processing = arguments.latencies.then(|| Arc::new(Processing::new()));
    if let Some(processing) = &processing {
        server.add_extension(processing.clone()).keep();
    }
    let requests = Arc::new(Requests::new(arguments.statistics, arguments.long_requests));
    let exit = Arc::new(Notify::new());
    let statistics = Arc::new(StatisticsService::new(
        server.clone(),
        requests.clone(),
        processing,
        exit.clone(),
    ));
    let _service = statistics.offer().await?;

    let listener = listen(arguments.port)?;
    let address = SocketAddr::new([127, 0, 0, 1].into(), listener.local_addr()?.port());
    let service = requests.count(server.service());
    // Made before it is announced, since a certificate may be wrong.
    let acceptor = if arguments.tls { Some(tls::acceptor(&arguments)?) } else { None };
    let scheme = if arguments.tls { "https" } else { "http" };
    say::result(format!("load server on {scheme}://{address}{PATH} (any interface)"));

    let serving = async {
        match acceptor {
            Some(acceptor) => tls::serve(listener, acceptor, service).await,
            None => serve(&server, listener, service, serving_config()).await,
        }
    };
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        served = &mut serving => served?,
        () = ended(&exit) => {
            server.stop();
            let closed = async {
                if arguments.tls {
                    server.closed().await;
                    return Ok(());
                }
                serving.await
            };
            // What is being answered is finished, within reason.
            tokio::time::timeout(DRAIN, closed).await.unwrap_or(Ok(()))?;
        }
    }
    Ok(())
}

/// The configuration that CometD's load server has.
fn config(arguments: &Arguments) -> Config {
    let mut config = Config::default();
    config.acknowledgements = true;
    config.url_mapping = vec![format!("{PATH}/*")];
    config.allowed_transports = arguments.transports();
    for transport in [&mut config.long_polling, &mut config.callback_polling, &mut config.websocket]
    {
        transport.timeout = TIMEOUT;
        transport.max_interval = MAX_INTERVAL;
    }
    config
}

fn serving_config() -> ServeConfig {
    let mut config = ServeConfig::default();
    config.header_timeout = TIMEOUT + MAX_INTERVAL;
    config
}

/// Listens on all interfaces, with CometD's accept queue.
fn listen(port: u16) -> Result<TcpListener> {
    const ACCEPT_QUEUE: u32 = 2048;
    let bound = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from(([0, 0, 0, 0], port)))?;
        socket.listen(ACCEPT_QUEUE)
    };
    bound().map_err(|error| {
        format!("cannot listen on port {port}: {error}; --port=0 takes any free one").into()
    })
}

/// Waits until a client or a signal ends the server.
async fn ended(exit: &Notify) {
    tokio::select! {
        () = exit.notified() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Where Bayeux is, as with CometD.
const PATH: &str = "/cometd";
const TIMEOUT: Duration = Duration::from_secs(20);
const MAX_INTERVAL: Duration = Duration::from_secs(50);
const DRAIN: Duration = Duration::from_secs(5);
