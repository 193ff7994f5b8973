//! How a connection is made: TCP, then the proxy's tunnel, then TLS.

use std::{
    error::Error,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use ::http::Uri;
use bayeux_api::{
    ConnectionType,
    client::{FailureKind, TransportFailure},
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{self, pki_types::ServerName},
};
use tower_service::Service;

use crate::transport::{
    failure::{find, root},
    proxy::Gate,
    settings::{Http2, NetworkConfig, NetworkConfigError, Tls},
    stream::Stream,
    tls,
};

#[derive(Clone, Debug)]
pub(super) struct Dialer {
    connection_type: ConnectionType,
    proxy: Option<Gate>,
    tls: Tls,
    protocols: &'static [&'static [u8]],
    timeout: Duration,
}

impl Dialer {
    /// Makes the dialer of HTTP connections.
    pub(super) fn new(
        connection_type: ConnectionType,
        config: &NetworkConfig,
    ) -> Result<Self, NetworkConfigError> {
        config.tls.check()?;
        let proxy = config.proxy.as_ref().map(super::proxy::Proxy::gate).transpose()?;
        let protocols: &[&[u8]] = match config.http2 {
            Http2::Negotiated => &[b"h2", b"http/1.1"],
            Http2::PriorKnowledge => &[b"h2"],
            Http2::Off => &[b"http/1.1"],
        };
        let timeout = config.connect_timeout;
        Ok(Self { connection_type, proxy, tls: config.tls.clone(), protocols, timeout })
    }

    /// Returns the dialer of WebSockets, which start as HTTP/1.1.
    pub(super) fn for_websockets(&self) -> Self {
        Self {
            connection_type: ConnectionType::WebSocket,
            protocols: &[b"http/1.1"],
            ..self.clone()
        }
    }

    /// Connects to the host of an `http`, `https`, `ws` or `wss` URL, within the time that is allowed.
    pub(super) async fn dial(&self, uri: &Uri) -> Result<Stream, TransportFailure> {
        let target = Target::of(uri).ok_or_else(|| {
            self.unreachable(format!("{uri} is no URL of a server; give it as http://host/path"))
        })?;
        match tokio::time::timeout(self.timeout, self.connect(&target)).await {
            Ok(connected) => connected,
            Err(_) => Err(self.too_late(uri)),
        }
    }

    /// Makes the failure of a connection that is not there in time.
    fn too_late(&self, uri: &Uri) -> TransportFailure {
        let authority = Target::of(uri).map_or_else(|| uri.to_string(), |to| to.authority());
        self.unreachable(format!("no connection to {authority} within {:?}", self.timeout))
    }

    async fn connect(&self, target: &Target<'_>) -> Result<Stream, TransportFailure> {
        let authority = target.authority();
        let tcp = match &self.proxy {
            None => self.tcp(&authority, "").await?,
            Some(gate) => {
                let mut tcp = self.tcp(&gate.authority, "the proxy ").await?;
                gate.pass(&mut tcp, &authority, |kind, reason| self.failure(kind, reason)).await?;
                tcp
            }
        };
        if target.is_secure { self.secure(tcp, target).await } else { Ok(Stream::Plain(tcp)) }
    }

    async fn tcp(&self, authority: &str, what: &str) -> Result<TcpStream, TransportFailure> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // Of several addresses each has its part of this.
        connector.set_connect_timeout(Some(self.timeout));
        let uri = format!("http://{authority}/");
        let uri = uri.parse().map_err(|error| self.unreachable(format!("{uri}: {error}")))?;
        let connected = connector.call(uri).await;
        let io = connected.map_err(|error| {
            let refused = find::<io::Error>(&error)
                .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            self.unreachable(match refused {
                true => format!("connection refused by {what}{authority}"),
                false => format!("cannot reach {what}{authority}: {}", root(&error)),
            })
        })?;
        Ok(io.into_inner())
    }

    async fn secure(
        &self,
        tcp: TcpStream,
        target: &Target<'_>,
    ) -> Result<Stream, TransportFailure> {
        let authority = target.authority();
        let host = target.host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            self.unreachable(format!("{host} is no name that a certificate can have"))
        })?;
        let config = self
            .tls
            .config(self.protocols)
            .map_err(|error| self.failure(FailureKind::Untrusted, error.to_string()))?;
        match TlsConnector::from(config).connect(name, tcp).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(error) => Err(self.insecure(&authority, &error)),
        }
    }

    fn insecure(&self, authority: &str, error: &(dyn Error + 'static)) -> TransportFailure {
        match find::<rustls::Error>(error) {
            Some(error) => self.failure(
                tls::kind(error, FailureKind::Unreachable),
                format!("no TLS with {authority}: {error}"),
            ),
            None => self.unreachable(format!("no TLS with {authority}: {}", root(error))),
        }
    }

    fn unreachable(&self, reason: String) -> TransportFailure {
        self.failure(FailureKind::Unreachable, reason)
    }

    fn failure(&self, kind: FailureKind, reason: String) -> TransportFailure {
        TransportFailure::new(self.connection_type, kind, reason)
    }
}

/// For the HTTP engine.
impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = TransportFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial(&uri).await.map(TokioIo::new) })
    }
}

struct Target<'a> {
    is_secure: bool,
    /// An IPv6 address is in brackets.
    host: &'a str,
    port: u16,
}

impl<'a> Target<'a> {
    fn of(uri: &'a Uri) -> Option<Self> {
        let is_secure = match uri.scheme_str()? {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Some(Self { is_secure, host: uri.host().filter(|host| !host.is_empty())?, port })
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
