//! A server to test, on a port of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use bayeux_server::{Config, ServeConfig, Server, Session, TransportConfig, serve};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    client::{Client, Transport},
    http::Browser,
    patient, patiently,
};

/// A server that serves until it is dropped. Bayeux is at every path.
#[derive(Debug)]
pub struct TestServer {
    /// The server.
    pub server: Server,
    /// Where it listens.
    pub address: SocketAddr,
    serving: JoinSet<()>,
}

impl TestServer {
    /// Starts a [patient] server after `change`.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        patient(&mut config);
        change(&mut config);
        Self::serve_by(Server::builder().config(config).build(), patiently()).await
    }

    /// Starts a server with the default configuration.
    pub async fn ordinary() -> Self {
        Self::serve(Server::new()).await
    }

    /// Serves `server` as its own [`serve`](Server::serve) does.
    pub async fn serve(server: Server) -> Self {
        Self::serve_by(server, ServeConfig::default()).await
    }

    async fn serve_by(server: Server, config: ServeConfig) -> Self {
        let (listener, address) = listen().await;
        let mut serving = JoinSet::new();
        let served = server.clone();
        serving.spawn(async move {
            serve(&served, listener, served.service(), config).await.unwrap();
        });
        Self { server, address, serving }
    }

    /// Serves a router of axum, in which `server` is mounted.
    pub async fn serve_router(server: Server, router: Router) -> Self {
        Self::serve_router_until(server, router, std::future::pending()).await
    }

    /// Serves a router of axum, in which `server` is mounted, until `end` is over.
    pub async fn serve_router_until(
        server: Server,
        router: Router,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (listener, address) = listen().await;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(end).await.unwrap();
        });
        Self { server, address, serving }
    }

    /// Serves `server` on hyper without anything around it.
    pub async fn serve_on_hyper(server: Server) -> Self {
        let (listener, address) = listen().await;
        let mut serving = JoinSet::new();
        let service = TowerToHyperService::new(server.service());
        serving.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let mut builder = Builder::new(TokioExecutor::new());
                    builder.http2().enable_connect_protocol();
                    let io = TokioIo::new(stream);
                    let _ = builder.serve_connection_with_upgrades(io, service).await;
                });
            }
        });
        Self { server, address, serving }
    }

    /// Returns a client of a browser of its own.
    pub async fn client(&self, transport: Transport) -> Client {
        self.tab(transport, &Arc::default()).await
    }

    /// Returns a client of a browser that may have others.
    pub async fn tab(&self, transport: Transport, browser: &Arc<Browser>) -> Client {
        Client::open(&self.server, self.address, transport, browser).await
    }

    /// Returns a client that has handshaken.
    pub async fn handshaken(&self, transport: Transport) -> Client {
        let mut client = self.client(transport).await;
        client.handshake().await;
        client
    }

    /// Returns a client that has handshaken and connected once.
    pub async fn connected(&self, transport: Transport) -> Client {
        let mut client = self.handshaken(transport).await;
        client.connect().await;
        client
    }

    /// Returns the server's end of a client's session.
    ///
    /// # Panics
    ///
    /// When the session has ended.
    pub fn session(&self, client: &Client) -> Arc<Session> {
        self.server.session(client.id()).expect("the session lives")
    }

    /// Has a client connect for the last time: its session ends when nothing is heard of it for 50 ms.
    pub async fn leaves_in_silence(&self, client: &mut Client) {
        let session = self.session(client);
        client.connect_at_once().await;
        // Not before: its connect could come too late then.
        session.set_max_interval(Some(Duration::from_millis(50)));
    }

    /// Waits until the server has ended its [`serve`](Server::serve).
    pub async fn served(mut self) {
        crate::within("the server to end", self.serving.join_next()).await;
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.server.stop();
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Changes the options of every transport.
pub fn every_transport(config: &mut Config, change: impl Fn(&mut TransportConfig)) {
    change(&mut config.websocket);
    change(&mut config.long_polling);
    change(&mut config.callback_polling);
}

/// Makes everything that takes time take little, but for what must not pass before a test has done its next
/// step: connects are held for 1 s, silence of 2 s ends a session, and channels are swept every 20 ms.
pub fn brisk(config: &mut Config) {
    config.sweep_period = Duration::from_millis(20);
    every_transport(config, |transport| {
        transport.timeout = Duration::from_secs(1);
        transport.max_interval = Duration::from_secs(2);
    });
}
