//! Accepting connections, for those who want no framework: HTTP/1.1, HTTP/2 without TLS (prior
//! knowledge) and WebSocket over both, and a stop that loses nothing.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Buf;
use http::{Request, Response, Version};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::Service as HyperService,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::{
    proto::LONGEST,
    server::Server,
    transport::{
        BayeuxService, Body, Peer, forwarded::canonical, http::Responding, line::Line,
        patience::Patience, proxy_protocol,
    },
};

/// How connections are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeConfig {
    /// How long the head of a request may take to arrive, and before it the PROXY header of a connection
    /// if it has to have one. 30 s by default.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of what is written. 30 s by default.
    pub write_timeout: Duration,
    /// How long requests that are being answered when the server stops may take. 10 s by default.
    pub stop_timeout: Duration,
    /// How much of a request's head is read at the most, give or take a read, and how much of a
    /// response is buffered; from 8 KiB to 16 MiB. 64 KiB by default; callback-polling has its messages
    /// in the head.
    pub buffer_size: usize,
    /// How many streams one HTTP/2 connection may have open, one at the least. 250 by default.
    pub max_concurrent_streams: u32,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(10),
            buffer_size: 64 * 1024,
            max_concurrent_streams: 250,
        }
    }
}

impl Server {
    /// Serves this server's Bayeux on `listener`, until it is [stopped](Self::stop).
    ///
    /// # Errors
    ///
    /// When `listener` has no address, or when all connections have to begin with a PROXY header and
    /// nobody is trusted to send one.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        let server = self.clone();
        let service = move |peer, line| Alone(server.service_for(peer, line));
        accept(self, listener, service, ServeConfig::default()).await
    }
}

/// Serves `service`, in which this `server`'s is mounted, on `listener`, until the server is
/// [stopped](Server::stop). Then nothing is accepted any more, held connects are answered, WebSockets
/// closed, and what is being answered is finished.
///
/// # Errors
///
/// When `listener` has no address, or when all connections have to begin with a PROXY header
/// ([`ProxyConfig::protocol`](crate::ProxyConfig::protocol)) and nobody is trusted to send one.
pub async fn serve<S, B>(
    server: &Server,
    listener: TcpListener,
    service: S,
    config: ServeConfig,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data: Buf + Send, Error: Into<Box<dyn Error + Send + Sync>>>,
    B: Send + 'static,
{
    let service = move |peer, line| WithPeer { service: service.clone(), peer, line };
    accept(server, listener, service, config).await
}

/// Accepts connections, each of which has its own service.
async fn accept<H, B>(
    server: &Server,
    listener: TcpListener,
    service: impl Fn(Peer, Arc<Line>) -> H + Clone + Send + 'static,
    config: ServeConfig,
) -> io::Result<()>
where
    H: HyperService<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    H: Send + 'static,
    H::Future: Send,
    B: http_body::Body<Data: Buf + Send, Error: Into<Box<dyn Error + Send + Sync>>>,
    B: Send + 'static,
{
    let local = listener.local_addr()?;
    let proxies = &server.0.config.proxies;
    if proxies.protocol && proxies.trusted.is_empty() {
        let reason = "with proxyProtocol, but without trustedProxies, nobody could connect";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let protocols = Arc::new(Protocols::new(&config));
    let connections = TaskTracker::new();
    let mut stopping = std::pin::pin!(server.stopped());
    loop {
        let (stream, remote) = tokio::select! {
            accepted = next(&listener) => accepted,
            () = &mut stopping => break,
        };
        let peer = Peer::new(canonical(remote), canonical(local));
        let (server, protocols) = (server.clone(), protocols.clone());
        let line = Arc::<Line>::default();
        if !proxies.protocol {
            let stream = Patience::new(stream, config.write_timeout, line.clone());
            let service = service(peer, line);
            connections.spawn(async move {
                tell(protocols.serve(&server, stream, service).await, remote);
            });
        } else if proxies.trusts(remote.ip()) {
            let service = service.clone();
            connections.spawn(async move {
                let Some((stream, peer)) = protocols.introduced(&server, stream, peer).await else {
                    return;
                };
                let stream = Patience::new(stream, config.write_timeout, line.clone());
                let service = service(peer, line);
                tell(protocols.serve(&server, stream, service).await, peer.remote);
            });
        } else {
            tracing::debug!(%remote, "no proxy that is trusted, and closed");
        }
    }
    drop(listener);
    connections.close();
    let drained = async { tokio::join!(connections.wait(), server.closed()) };
    if tokio::time::timeout(config.stop_timeout, drained).await.is_err() {
        tracing::warn!("not all was answered when the server stopped");
    }
    Ok(())
}

/// Tells how a connection ended.
fn tell(served: Result<(), Box<dyn Error + Send + Sync>>, remote: SocketAddr) {
    if let Err(error) = served {
        tracing::debug!(error, %remote, "connection ended");
    }
}

/// Waits for the next connection.
async fn next(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "messages may be delayed");
                }
                return (stream, remote);
            }
            Err(error) => {
                // Out of file descriptors, mostly: others have to go before one can come.
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// hyper wants no smaller one.
const SMALLEST_BUFFER: usize = 8 * 1024;

/// A peer may have it filled.
const LARGEST_BUFFER: usize = 16 * 1024 * 1024;

/// How each version of HTTP is spoken.
struct Protocols {
    header_timeout: Duration,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    fn new(config: &ServeConfig) -> Self {
        // hyper adds it to the time.
        let header_timeout = config.header_timeout.min(LONGEST);
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(config.buffer_size.clamp(SMALLEST_BUFFER, LARGEST_BUFFER));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .enable_connect_protocol()
            .max_concurrent_streams(config.max_concurrent_streams.max(1))
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20));
        Self { header_timeout, http1, http2 }
    }

    /// Waits for a proxy to tell whose connection it is; none when it does not.
    async fn introduced(
        &self,
        server: &Server,
        mut stream: TcpStream,
        mut peer: Peer,
    ) -> Option<(TcpStream, Peer)> {
        let read = tokio::time::timeout(self.header_timeout, proxy_protocol::read(&mut stream));
        let read = tokio::select! {
            read = Box::pin(read) => read,
            () = server.stopped() => return None,
        };
        match read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(ends) => {
                if let Some((remote, local)) = ends {
                    (peer.remote, peer.local) = (canonical(remote), canonical(local));
                }
                Some((stream, peer))
            }
            Err(error) => {
                tracing::debug!(%error, remote = %peer.remote, "a proxy does not say for whom");
                None
            }
        }
    }

    /// Serves one connection until it ends, or the server is stopped and what is being answered is
    /// answered.
    async fn serve<H, B>(
        &self,
        server: &Server,
        mut stream: Patience<TcpStream>,
        service: H,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        H: HyperService<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        H: Send + 'static,
        H::Future: Send,
        B: http_body::Body<Data: Buf + Send, Error: Into<Box<dyn Error + Send + Sync>>>,
        B: Send + 'static,
    {
        let begins = tokio::time::timeout(self.header_timeout, stream.version());
        let version = tokio::select! {
            version = begins => version??,
            () = server.stopped() => return Ok(()),
        };
        let io = TokioIo::new(stream);
        if version == Version::HTTP_2 {
            // Boxed, since connections of HTTP/1.1 would have place for it, too.
            let mut connection = Box::pin(self.http2.serve_connection(io, service));
            // In this order, so that what is answered because of the stop is known to be the last.
            tokio::select! {
                biased;
                () = server.stopped() => connection.as_mut().graceful_shutdown(),
                served = &mut connection => return Ok(served?),
            }
            connection.await?;
        } else {
            let connection = self.http1.serve_connection(io, service).with_upgrades();
            let mut connection = std::pin::pin!(connection);
            // In this order, so that what is answered because of the stop is known to be the last.
            tokio::select! {
                biased;
                () = server.stopped() => connection.as_mut().graceful_shutdown(),
                served = &mut connection => return Ok(served?),
            }
            connection.await?;
        }
        Ok(())
    }
}

/// Bayeux and nothing else, for one connection.
struct Alone(BayeuxService);

impl HyperService<Request<Incoming>> for Alone {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Responding;

    fn call(&self, request: Request<Incoming>) -> Responding {
        self.0.respond(request)
    }
}

/// Tells each request from where it comes.
#[derive(Clone)]
struct WithPeer<S> {
    service: S,
    peer: Peer,
    line: Arc<Line>,
}

impl<S, B> HyperService<Request<Incoming>> for WithPeer<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = futures_util::future::BoxFuture<'static, Result<Response<B>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // Whoever answers it: what was answered before is taken.
        self.line.end();
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.line.clone());
        let mut service = self.service.clone();
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Box::pin(service.call(request)),
            Poll::Ready(Err(never)) => match never {},
            // A future of its own, since a request that is held has place for all that it ever waits in.
            Poll::Pending => Box::pin(async move {
                poll_fn(|context| service.poll_ready(context)).await?;
                service.call(request).await
            }),
        }
    }
}
