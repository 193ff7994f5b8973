//! A Bayeux server on bare hyper, at http://127.0.0.1:8082/ and every path below.

use std::error::Error;

use bayeux_server::Server;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::new();
    let listener = TcpListener::bind("127.0.0.1:8082").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(server.service());
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // With upgrades, for WebSocket.
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            // How it ended is of no interest: the client comes back.
            let _ = connection.await;
        });
    }
}
