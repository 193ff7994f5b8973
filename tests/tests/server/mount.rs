//! Mounting: the same service in axum, in bare hyper and in the server's own `serve`.

use axum::{Router, routing::get};
use bayeux_server::Server;
use serde_json::json;
use tests::{Http, TestServer, Transport, over_transports};

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
]
    in_axum_beside_other_routes,
    in_axum_for_all_other_paths,
    in_bare_hyper,
    by_itself
);

/// Lives a client's life from the handshake to the disconnect, with a held connect between.
async fn live(server: &TestServer, transport: Transport) {
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    let connect = client.hold().await;
    server.handshaken(transport).await.publish("/a", json!(1)).await;
    assert_eq!(client.message_on("/a").await["data"], 1);
    if !transport.pushes() {
        client.hold().await;
    }
    let disconnect = client.message("/meta/disconnect", &json!({}));
    client.send(&[disconnect]);
    let is_told = |reply: &serde_json::Value| reply["advice"]["reconnect"] == "none";
    let reply = client.expect("the held connect's reply", is_told).await;
    assert_eq!(transport.pushes(), reply["id"] == connect.as_str());
}

async fn in_axum_beside_other_routes(transport: Transport) {
    let server = Server::new();
    let app = Router::new()
        .route("/", get(async || "the application's"))
        .nest_service("/cometd", server.service());
    let server = TestServer::serve_router(server, app).await;
    live(&server, transport).await;
    let http = Http::new(server.address);
    assert_eq!(http.get("/", &[]).await.unwrap().body(), "the application's");
    assert_eq!(http.get("/other", &[]).await.unwrap().status(), 404);
    // Clients of CometD append what they ask for.
    let handshake = r#"[{"channel":"/meta/handshake"}]"#;
    let response = http.post("/cometd/handshake", &[], handshake).await.unwrap();
    assert_eq!(response.status(), 200);
}

async fn in_axum_for_all_other_paths(transport: Transport) {
    let server = Server::new();
    let app = Router::new()
        .route("/", get(async || "the application's"))
        .fallback_service(server.service());
    live(&TestServer::serve_router(server, app).await, transport).await;
}

async fn in_bare_hyper(transport: Transport) {
    live(&TestServer::serve_on_hyper(Server::new()).await, transport).await;
}

async fn by_itself(transport: Transport) {
    let server = TestServer::serve(Server::new()).await;
    live(&server, transport).await;
    assert_eq!(server.server.statistics().handshakes, 2);
}
