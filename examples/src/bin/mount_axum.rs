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
    axum::serve(TcpListener::bind("127.0.0.1:8081").await?, app).await?;
    Ok(())
}
