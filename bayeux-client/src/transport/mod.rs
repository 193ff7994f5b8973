//! The client's transports: JSON text over HTTP requests and over WebSockets. No Bayeux rule is here.

mod answer;
mod cookies;
mod dialer;
mod failure;
mod headers;
mod http;
mod ping;
mod proxy;
mod redirect;
pub(crate) mod settings;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod upgrade;

use std::sync::Arc;

use bayeux_api::{ConnectionType, client::TransportFailure};
use bytes::Bytes;
use url::Url;

use crate::transport::{
    cookies::Cookies,
    dialer::Dialer,
    http::Engine,
    settings::{NetworkConfig, NetworkConfigError},
};

pub(crate) use crate::transport::socket::Socket;

/// One client's way to the network: its cookies, its connections.
///
/// Clones are the same network. It is cheap to make: the HTTP engine is made for the first request,
/// and the system's root certificates are loaded for the first TLS connection of the process.
#[derive(Clone, Debug)]
pub(crate) struct Network(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: NetworkConfig,
    dialer: Dialer,
    engine: Engine,
    cookies: Cookies,
}

impl Network {
    /// # Errors
    ///
    /// When a setting cannot be used: its certificates, its proxy, or the name of its sub-protocol.
    pub(crate) fn new(config: NetworkConfig) -> Result<Self, NetworkConfigError> {
        config.check()?;
        let dialer = Dialer::new(ConnectionType::LongPolling, &config)?;
        let inner =
            Inner { config, dialer, engine: Engine::default(), cookies: Cookies::default() };
        Ok(Self(Arc::new(inner)))
    }

    /// Posts `body`, which is JSON text, and returns the response's body, which is not empty and looks
    /// like JSON. A `ws` URL is taken for the `http` one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection of an HTTP/1.1 request and resets the stream of an
    /// HTTP/2 one. The server may have got the messages.
    pub(crate) async fn post(&self, url: &Url, body: Vec<u8>) -> Result<Bytes, TransportFailure> {
        http::post(&self.0, url, Bytes::from(body)).await
    }

    /// Opens a WebSocket. An `http` URL is taken for the `ws` one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn open_websocket(&self, url: &Url) -> Result<Socket, TransportFailure> {
        upgrade::open(&self.0, url).await
    }

    /// Forgets the pooled connections, so that the next request makes a new one. Requests that are
    /// under way go on.
    pub(crate) fn close_idle(&self) {
        self.0.engine.close();
    }

    /// Forgets pooled connections and cookies: the client has ended.
    pub(crate) fn clear(&self) {
        self.close_idle();
        self.0.cookies.clear();
    }

    /// Returns the value of a cookie that would be sent to `url`.
    pub(crate) fn cookie(&self, url: &Url, name: &str) -> Option<String> {
        self.0.cookies.value(&http::http_url(url), name)
    }

    /// Takes a cookie as if the server at `url` had sent it in a `Set-Cookie` header.
    pub(crate) fn put_cookie(&self, url: &Url, set_cookie_text: &str) {
        self.0.cookies.put(&http::http_url(url), set_cookie_text);
    }
}
