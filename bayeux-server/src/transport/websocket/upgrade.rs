//! From an HTTP request to a WebSocket: the upgrade of HTTP/1.1 (RFC 6455) and the extended CONNECT
//! of HTTP/2 (RFC 8441).

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bayeux_api::ConnectionType;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use sha1::{Digest as _, Sha1};

use crate::{
    server::Server,
    transport::{
        Body, Peer,
        request::{context, detached},
        status::Failure,
        websocket::{connection::Connection, socket::Socket},
    },
};

/// Whether a request asks for a WebSocket, over either version.
pub(crate) fn is_upgrade<B>(request: &Request<B>) -> bool {
    match *request.method() {
        Method::GET => has_token(request.headers(), &header::UPGRADE, "websocket"),
        Method::CONNECT => request
            .extensions()
            .get::<Protocol>()
            .is_some_and(|protocol| protocol.as_str() == "websocket"),
        _ => false,
    }
}

/// Answers the request and serves the connection that it becomes, in a task of its own.
pub(crate) fn upgrade<B>(
    server: &Server,
    peer: Option<Peer>,
    request: Request<B>,
) -> Result<Response<Body>, Failure> {
    let config = &server.0.config;
    if !config.allowed_transports.contains(&ConnectionType::WebSocket) {
        return Err(Failure::UnknownTransport);
    }
    let (mut parts, _) = request.into_parts();
    let response = agree(&parts, config.ws.protocol.as_deref())?;
    let upgraded = parts
        .extensions
        .remove::<OnUpgrade>()
        .ok_or(Failure::Upgrade("this connection is served without upgrades"))?;
    let context = Arc::new(detached(context(parts, peer, &config.proxies)));
    let server = server.clone();
    let websockets = server.0.websockets.clone();
    websockets.spawn(async move {
        match upgraded.await {
            Ok(io) => {
                let socket = Socket::new(io, &server.0.config);
                Box::new(Connection::new(server, socket, context)).run().await;
            }
            Err(error) => tracing::debug!(%error, "upgrade failed"),
        }
    });
    Ok(response)
}

/// Makes the response that agrees to the upgrade, and to the sub-protocol that the server has.
fn agree(parts: &Parts, protocol: Option<&str>) -> Result<Response<Body>, Failure> {
    let mut response = Response::new(Body::default());
    if parts.method == Method::CONNECT {
        *response.status_mut() = StatusCode::OK;
    } else {
        let accept = accept(&parts.headers)?;
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        if !has_token(&parts.headers, &header::SEC_WEBSOCKET_PROTOCOL, protocol) {
            return Err(Failure::Upgrade("the sub-protocol of this server is not asked for"));
        }
        let protocol = protocol.parse().map_err(|_| Failure::Failed)?;
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(response)
}

/// Checks the handshake's headers and makes the answer to its key (RFC 6455, section 4.2).
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Failure> {
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(Failure::Upgrade("no Connection: Upgrade"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Failure::Upgrade("not version 13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(Failure::Upgrade("no key"))?;
    let digest = Sha1::new()
        .chain_update(key.as_bytes())
        .chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    STANDARD.encode(digest).parse().map_err(|_| Failure::Failed)
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn the_rfcs_key_gets_the_rfcs_answer() {
        let headers = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]);
        assert_eq!(accept(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn an_incomplete_handshake_is_refused() {
        for pairs in [
            &[("connection", "close")][..],
            &[("connection", "upgrade"), ("sec-websocket-version", "12")],
            &[("connection", "upgrade"), ("sec-websocket-version", "13")],
        ] {
            assert!(matches!(accept(&headers(pairs)), Err(Failure::Upgrade(_))));
        }
    }
}
