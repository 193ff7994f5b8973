//! From an HTTP request to what Bayeux needs of it.

use std::{net::SocketAddr, sync::Arc, task::Poll, time::Duration};

use bayeux_api::{DecodeError, server::BayeuxContext};
use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use futures_util::poll;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, header, request::Parts};
use http_body_util::BodyExt as _;

use crate::{
    config::ProxyConfig,
    transport::{
        forwarded::{Client, canonical},
        line::Line,
        status::Failure,
    },
};

/// The ends of the connection, be the other one the client or a proxy. Whoever accepts connections puts it
/// into the extensions of each request, so that the server knows from where it comes;
/// [`serve`](crate::serve) does.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// The address of the other end.
    pub remote: SocketAddr,
    /// The address of this end.
    pub local: SocketAddr,
    /// Whether the connection is encrypted.
    pub is_secure: bool,
}

impl Peer {
    /// Makes the ends of a connection that is not encrypted.
    pub fn new(remote: SocketAddr, local: SocketAddr) -> Self {
        Self { remote, local, is_secure: false }
    }
}

/// Takes from a request what the application may ask for.
pub(crate) fn context(parts: Parts, peer: Option<Peer>, proxies: &ProxyConfig) -> BayeuxContext {
    let client = Client::of(&parts.headers, peer, proxies);
    let mut context = BayeuxContext::default();
    // The scheme is only what the client says, and what a proxy may pass on.
    let is_said = || proxies.trusted.is_empty() && parts.uri.scheme_str() == Some("https");
    context.is_secure = client.is_secure || is_said();
    context.remote_address = client.address;
    context.local_address = peer.map(|peer| canonical(peer.local));
    context.uri = parts.uri;
    context.version = parts.version;
    context.headers = parts.headers;
    context.extensions = parts.extensions;
    context
}

/// Copies what the context has from the buffer in which the request was read, which would otherwise
/// stay for as long as the context does. The headers that only made a WebSocket of the connection have
/// done their work, and so has the peer, which the context has in fields of its own.
pub(crate) fn detached(mut context: BayeuxContext) -> BayeuxContext {
    let copy = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes());
    let kept = |(name, _): &(&HeaderName, &HeaderValue)| !SPENT.contains(name);
    let headers: Vec<_> = context.headers.iter().filter(kept).collect();
    let mut copied = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.as_str().parse::<HeaderName>(), copy(value)) {
            copied.append(name, value);
        }
    }
    context.headers = copied;
    context.uri = context.uri.to_string().parse().unwrap_or_default();
    context.extensions.remove::<Peer>();
    context.extensions.remove::<Arc<Line>>();
    if context.extensions.is_empty() {
        context.extensions = Extensions::new();
    }
    context
}

/// What is of the upgrade only (RFC 6455, section 4.1).
const SPENT: [HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_EXTENSIONS,
];

/// Whether a page of the request's origin may talk to this server: one that is listed, or one that
/// the server itself serves. Requests without `Origin` are not a page's.
pub(crate) fn is_allowed_origin(
    uri: &Uri,
    headers: &HeaderMap,
    allowed: Option<&[String]>,
) -> bool {
    let (Some(allowed), Some(origin)) = (allowed, headers.get(header::ORIGIN)) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    // Over HTTP/2 the host is in the URI.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or(host);
    let is_own = origin.split_once("://").is_some_and(|(_, of)| Some(of) == host);
    is_own || allowed.iter().any(|one| one == origin || one == "*")
}

/// Reads a body of at most `most` bytes within `time`.
pub(crate) async fn read<B>(body: B, most: usize, time: Duration) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data: Buf>,
{
    if body.size_hint().lower() > most as u64 {
        return Err(DecodeError::TooLarge(most).into());
    }
    let mut reading = Box::pin(collect(body, most));
    // Mostly it came with the head, and no timer is needed.
    if let Poll::Ready(read) = poll!(reading.as_mut()) {
        return read;
    }
    match tokio::time::timeout(time, reading).await {
        Ok(read) => read,
        Err(_) => Err(Failure::Slow(time.as_millis())),
    }
}

async fn collect<B>(body: B, most: usize) -> Result<Bytes, Failure>
where
    B: http_body::Body<Data: Buf>,
{
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(|_| Failure::Broken)?.into_data() else { continue };
        if bytes.len() + data.remaining() > most {
            return Err(DecodeError::TooLarge(most).into());
        }
        if bytes.is_empty() && body.is_end_stream() {
            // It came whole, and what it is in need not be copied.
            return Ok(data.copy_to_bytes(data.remaining()));
        }
        bytes.put(data);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_and_own_origins_are_allowed() {
        let allowed = ["https://app.example".to_owned()];
        for (origin, expected) in [
            (Some("https://app.example"), true),
            (Some("http://server:8080"), true),
            (Some("https://evil.example"), false),
            (Some("null"), false),
            (None, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert("origin", origin.parse().unwrap());
            }
            let http2 = Uri::from_static("http://server:8080/cometd");
            assert_eq!(is_allowed_origin(&http2, &headers, Some(&allowed)), expected, "{origin:?}");
            let http1 = Uri::from_static("/cometd");
            headers.insert("host", "server:8080".parse().unwrap());
            assert_eq!(is_allowed_origin(&http1, &headers, Some(&allowed)), expected, "{origin:?}");
            assert!(is_allowed_origin(&http1, &headers, None));
        }
    }
}
