//! Opening WebSockets: by the upgrade of HTTP/1.1 and by the extended CONNECT of HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    client::conn::{http1, http2},
    ext::Protocol,
    upgrade::Upgraded,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

use crate::http::connect;

/// A WebSocket to the server.
pub type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

/// Makes the request that opens a WebSocket at `path`, for HTTP/1.1 or HTTP/2.
pub fn upgrade_request(address: SocketAddr, version: Version, path: &str) -> Request<Empty<Bytes>> {
    let request = match version {
        Version::HTTP_2 => Request::builder()
            .method(Method::CONNECT)
            .version(version)
            .uri(format!("http://{address}{path}"))
            .extension(Protocol::from_static("websocket"))
            .header(header::SEC_WEBSOCKET_VERSION, "13"),
        _ => Request::builder()
            .uri(path)
            .header(header::HOST, address.to_string())
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
    };
    request.body(Empty::new()).unwrap()
}

/// Opens a WebSocket with a connection of its own, and returns the response that accepted it too.
///
/// # Errors
///
/// When the server refuses: its response.
pub async fn open_websocket(
    address: SocketAddr,
    request: Request<Empty<Bytes>>,
) -> Result<(WebSocket, Response<()>), Response<Bytes>> {
    let is_http2 = request.version() == Version::HTTP_2;
    let io = TokioIo::new(connect(address).await);
    let mut response = if is_http2 {
        let (mut sender, driver) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(driver);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, driver) = http1::handshake(io).await.unwrap();
        tokio::spawn(driver.with_upgrades());
        sender.send_request(request).await.unwrap()
    };
    let accepted = if is_http2 { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
    if response.status() != accepted {
        let (parts, body) = response.into_parts();
        return Err(Response::from_parts(parts, body.collect().await.unwrap().to_bytes()));
    }
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    Ok((socket, response.map(drop)))
}
