//! The server's end: orderly, by `stop`, and abrupt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use bayeux_server::{Config, ServeConfig, Server, api::Message, serve};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tests::{
    Arrival, Client, Http, TestServer, Transport, eventually, hooks::Log, open_websocket,
    over_every_transport, over_http, over_transports, over_websocket, upgrade_request, within,
};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::aborted::Gate;

over_every_transport!(
    a_held_connect_is_answered,
    sessions_are_not_told_that_they_are_removed,
    what_is_being_answered_is_finished,
);

/// Waits for the WebSocket's close, for those that come over one.
async fn is_closed(client: &mut Client) {
    if client.transport.pushes() {
        let arrival = client.arrival().await;
        assert!(matches!(arrival, Arrival::Closed { code: 1001, .. }), "{arrival:?}");
    }
}

async fn a_held_connect_is_answered(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    server.server.stop();
    let reply = client.reply_to(&id).await;
    assert_eq!(reply["successful"], true);
    // Its client may come back, to this server's successor.
    assert_ne!(reply["advice"]["reconnect"], "none");
    is_closed(&mut client).await;
    server.served().await;
}

async fn sessions_are_not_told_that_they_are_removed(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let log = Log::default();
    let mut client = server.connected(transport).await;
    client.subscribe("/a").await;
    server.server.add_session_listener(Arc::new(log.clone())).keep();
    server.server.add_subscription_listener(Arc::new(log.clone())).keep();
    let id = client.hold().await;
    server.server.stop();
    client.reply_to(&id).await;
    server.served().await;
    assert!(log.entries().is_empty(), "{:?}", log.entries());
}

async fn what_is_being_answered_is_finished(transport: Transport) {
    let server = TestServer::start(|_| {}).await;
    let channel = server.server.create_channel_if_absent("/a").unwrap().channel();
    let gate = Arc::new(Gate::default());
    channel.add_listener(gate.clone()).keep();
    let mut client = server.connected(transport).await;
    let publish = client.message("/a", &json!({ "id": "p", "data": 1 }));
    client.send(&[publish]);
    within("the message to come", gate.reached.notified()).await;
    server.server.stop();
    gate.open.notify_one();
    assert_eq!(client.reply_to("p").await["successful"], true);
    is_closed(&mut client).await;
    server.served().await;
}

#[tokio::test]
async fn serving_ends_whatever_clients_do_and_the_port_is_free() {
    let server = TestServer::start(|_| {}).await;
    let address = server.address;
    let mut clients = Vec::new();
    for transport in [
        Transport::WebSocket,
        Transport::WebSocketOverHttp2,
        Transport::LongPolling,
        Transport::LongPollingOverHttp2,
        Transport::CallbackPolling,
    ] {
        let mut held = server.connected(transport).await;
        held.hold().await;
        clients.push(held);
        clients.push(server.connected(transport).await);
    }
    server.server.stop();
    server.served().await;
    TcpListener::bind(address).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_is_given_up_after_the_stop_timeout() {
    let server = Server::new();
    let channel = server.create_channel_if_absent("/service/a").unwrap().channel();
    let gate = Arc::new(Gate::default());
    channel.add_listener(gate.clone()).keep();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http::new(listener.local_addr().unwrap());
    let mut config = ServeConfig::default();
    config.stop_timeout = Duration::from_millis(100);
    let (serving, service) = (server.clone(), server.service());
    let served = tokio::spawn(async move { serve(&serving, listener, service, config).await });
    let handshake = http.post("/", &[], r#"[{"channel":"/meta/handshake"}]"#).await.unwrap();
    let cookie = handshake.headers()["set-cookie"].to_str().unwrap().to_owned();
    let session = server.sessions()[0].clone();
    let publish = json!({ "channel": "/service/a", "clientId": session.id(), "data": 1 });
    let publishing =
        tokio::spawn(
            async move { http.post("/", &[("cookie", &cookie)], publish.to_string()).await },
        );
    within("the message to come", gate.reached.notified()).await;
    let stopped = Instant::now();
    server.stop();
    within("serving to end", served).await.unwrap().unwrap();
    assert!(stopped.elapsed() >= Duration::from_millis(100));
    publishing.abort();
}

over_websocket!(connections_are_closed_before_serving_ends);

/// As a program does that ends when `serve` returns: with it goes its runtime.
async fn connections_are_closed_before_serving_ends(transport: Transport) {
    let server = Server::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = server.clone();
    let program = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            serving.serve(TcpListener::from_std(listener).unwrap()).await.unwrap();
        });
    });
    let opened = open_websocket(address, upgrade_request(address, transport.version(), "/")).await;
    let (mut socket, _) = opened.unwrap();
    socket.send(Frame::text(r#"[{"channel":"/meta/handshake"}]"#)).await.unwrap();
    within("the reply to the handshake", socket.next()).await.unwrap().unwrap();
    server.stop();
    let closed = within("the connection to be closed", socket.next()).await;
    let Some(Ok(Frame::Close(Some(close)))) = closed else { panic!("{closed:?}") };
    assert_eq!(u16::from(close.code), 1001);
    program.join().unwrap();
}

over_http!(in_axum_what_is_held_is_answered_and_nothing_more_is_taken);

async fn in_axum_what_is_held_is_answered_and_nothing_more_is_taken(transport: Transport) {
    let mut config = Config::default();
    tests::patient(&mut config);
    let server = Server::builder().config(config).build();
    let app = Router::new().fallback_service(server.service());
    let server = TestServer::serve_router(server, app).await;
    let mut client = server.connected(transport).await;
    let id = client.hold().await;
    server.server.stop();
    assert_eq!(client.reply_to(&id).await["successful"], true);
    let publish = client.message("/a", &json!({ "data": 1 }));
    client.send(&[publish]);
    let arrival = client.arrival().await;
    assert!(matches!(arrival, Arrival::Refused { status: 503, .. }), "{arrival:?}");
}

over_transports!([
    websocket: WebSocket,
    websocket_over_http2: WebSocketOverHttp2,
    long_polling: LongPolling,
    long_polling_over_http2: LongPollingOverHttp2,
    callback_polling: CallbackPolling,
] an_abrupt_end_cuts_connections_and_a_successor_asks_for_a_handshake);

async fn an_abrupt_end_cuts_connections_and_a_successor_asks_for_a_handshake(transport: Transport) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.spawn(TestServer::serve(Server::new())).await.unwrap();
    let mut client = server.connected(transport).await;
    client.hold().await;
    runtime.shutdown_background();
    let arrival = client.arrival().await;
    assert!(matches!(arrival, Arrival::Lost), "{arrival:?}");
    eventually("the place to be free", || server.server.statistics().held_connects == 0).await;
    // A new server knows nothing of the session.
    let successor = TestServer::start(|_| {}).await;
    let mut again = successor.tab(transport, &client.browser).await;
    again.set_id(client.id());
    let reply = again.try_connect(json!({})).await;
    assert_eq!(reply["error"], "402::session_unknown");
    assert_eq!(reply["advice"]["reconnect"], "handshake");
    assert_eq!(successor.server.statistics().unknown_never_seen, 1);
}

#[tokio::test]
async fn stopping_ends_no_session_of_the_servers_own() {
    let server = Server::new();
    let local = server.new_local_session("local");
    local.handshake(Message::default()).await.unwrap();
    server.stop();
    assert!(local.is_connected());
}
