//! How a client's connections are made: the settings of its network.

use std::{fmt, sync::Arc, time::Duration};

use ::http::{HeaderMap, HeaderValue, StatusCode};
use async_trait::async_trait;
use bayeux_api::Flow;

pub use crate::transport::{proxy::Proxy, tls::Tls};

/// How connections are made.
#[derive(Clone)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// Headers that every request has in addition, WebSocket upgrades too; they replace the client's
    /// own of the same name. None by default.
    pub headers: HeaderMap,
    /// Sees and changes every request and response; none by default.
    #[doc(alias = "customize")]
    pub hook: Option<Arc<dyn HttpHook>>,
    /// The proxy that all connections go through; none by default. The environment is not asked for
    /// one.
    pub proxy: Option<Proxy>,
    /// Whose certificates to trust, and which certificate to show; by default those the system trusts,
    /// and none.
    pub tls: Tls,
    /// Whether to speak HTTP/2; by default where the server offers it over TLS. WebSockets always are
    /// over HTTP/1.1.
    pub http2: Http2,
    /// How long a connection may take to be there: TCP, proxy, TLS, and the upgrade to WebSocket. The
    /// option `ws.connectTimeout`; 30 s by default.
    pub connect_timeout: Duration,
    /// The largest response, or WebSocket message, that is accepted, in bytes. The option
    /// `maxMessageSize`; 1 MiB by default. That much memory may be taken for every request under way.
    pub max_message_size: usize,
    /// The sub-protocol to ask for when opening a WebSocket. The option `ws.protocol`; none by default.
    pub websocket_protocol: Option<String>,
    /// After how long without a word from the server a WebSocket is pinged; never by default.
    pub ping_interval: Option<Duration>,
    /// How long a server may take to answer a ping, by whatever it sends; 10 s by default. Then the
    /// connection is taken for broken. Has to be longer than a server may need to get to reading.
    pub ping_timeout: Duration,
}

/// Whether HTTP requests are made over HTTP/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Http2 {
    /// As the TLS handshake finds; without TLS, HTTP/1.1.
    #[default]
    Negotiated,
    /// Always HTTP/2, without TLS too: the server is known to speak it.
    PriorKnowledge,
    /// Never.
    Off,
}

/// Sees and changes every HTTP request and response of a client, WebSocket upgrades too.
#[async_trait]
#[doc(alias = "customize")]
pub trait HttpHook: Send + Sync + fmt::Debug {
    /// Changes the headers of a request before it is sent, for example to give it a fresh token.
    async fn request(&self, headers: &mut HeaderMap) {
        let _ = headers;
    }

    /// Sees status and headers of every response; [`Flow::Stop`] makes the exchange fail.
    fn response(&self, status: StatusCode, headers: &HeaderMap) -> Flow {
        let _ = (status, headers);
        Flow::Continue
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkConfigError {
    /// The proxy's URL is not one.
    #[error("the proxy {url:?} cannot be used: {problem}; give it as http://host:port")]
    Proxy {
        /// The URL, without user and password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The root certificates cannot be read.
    #[error("the root certificates cannot be read: {0}; give X.509 certificates as PEM text")]
    Roots(String),
    /// No root certificate is there to trust.
    #[error("no server can be trusted; add a root certificate or trust those of the system")]
    NoRoots,
    /// The client's certificate or its key cannot be read, or they do not belong together.
    #[error(
        "the client's certificate cannot be used: {0}; give the certificate chain and its private \
         key as PEM text"
    )]
    Identity(String),
    /// The name of the sub-protocol cannot be sent.
    #[error("the WebSocket protocol {0:?} cannot be sent; give a name without spaces and commas")]
    WebSocketProtocol(String),
}

impl NetworkConfig {
    pub(super) fn check(&self) -> Result<(), NetworkConfigError> {
        let Some(protocol) = &self.websocket_protocol else { return Ok(()) };
        let sendable = !protocol.is_empty()
            && !protocol.contains([' ', ',', '"'])
            && HeaderValue::from_str(protocol).is_ok_and(|value| value.to_str().is_ok());
        if sendable {
            return Ok(());
        }
        Err(NetworkConfigError::WebSocketProtocol(protocol.clone()))
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            headers: HeaderMap::new(),
            hook: None,
            proxy: None,
            tls: Tls::default(),
            http2: Http2::default(),
            connect_timeout: Duration::from_secs(30),
            max_message_size: 1024 * 1024,
            websocket_protocol: None,
            ping_interval: None,
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// Header values may be secret, so only their names are shown.
impl fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("NetworkConfig")
            .field("headers", &headers)
            .field("hook", &self.hook.is_some())
            .field("proxy", &self.proxy)
            .field("tls", &self.tls)
            .field("http2", &self.http2)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_message_size", &self.max_message_size)
            .field("websocket_protocol", &self.websocket_protocol)
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .finish()
    }
}
