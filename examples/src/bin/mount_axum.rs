//! A Bayeux server beside the routes of an axum application, at http://127.0.0.1:8081/cometd.

use std::error::Error;

use axum::{Router, routing::get};
use bayeux_server::Server;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::new();
    let app = Router::new()
        .route("/", get(async || "Bayeux is at /cometd\n"))
        .nest_service("/cometd", server.service());
    let listener = TcpListener::bind("127.0.0.1:8081").await?;
    axum::serve(listener, app).with_graceful_shutdown(drained(server.clone())).await?;
    // WebSockets are no business of axum's any more.
    server.closed().await;
    Ok(())
}

/// Sends the clients away in good order when Ctrl-C is pressed; axum goes on serving until this is done.
async fn drained(server: Server) {
    // Without signals it ends when it is killed.
    if tokio::signal::ctrl_c().await.is_ok() {
        server.drain().await;
    }
}
