//! Accepting connections, for those who want no framework: HTTP/1.1, HTTP/2 without TLS (prior
//! knowledge) and WebSocket over both, and a stop that loses nothing.

use std::{convert::Infallible, error::Error, future::poll_fn, io, time::Duration};

use bytes::Buf;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use crate::{
    server::Server,
    transport::{Peer, patience::Patience},
};

/// How connections are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeConfig {
    /// How long the head of a request may take to arrive. 30 s by default.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of what is written. 30 s by default.
    pub write_timeout: Duration,
    /// How long requests that are being answered when the server stops may take. 10 s by default.
    pub drain_timeout: Duration,
    /// How much of a request's head is read at the most, and how much of a response is buffered.
    /// 64 KiB by default; callback-polling has its messages in the head.
    pub buffer_size: usize,
    /// How many streams one HTTP/2 connection may have open. 250 by default.
    pub max_concurrent_streams: u32,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
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
    /// When `listener` has no address.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        serve(self, listener, self.service(), ServeConfig::default()).await
    }
}

/// Serves `service`, in which this `server`'s is mounted, on `listener`, until the server is
/// [stopped](Server::stop). Then nothing is accepted any more, held connects are answered, WebSockets
/// closed, and what is being answered is finished.
///
/// # Errors
///
/// When `listener` has no address.
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
    let local = listener.local_addr()?;
    let builder = builder(&config);
    let graceful = GracefulShutdown::new();
    let mut stopping = std::pin::pin!(server.0.stopping.notified());
    stopping.as_mut().enable();
    while !server.0.is_stopped() {
        let (stream, remote) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: others have to go before one can come.
                    tracing::warn!(%error, "accepting failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = &mut stopping => break,
        };
        let service =
            WithPeer { service: service.clone(), peer: Peer { remote, local, is_secure: false } };
        let connection =
            builder.serve_connection_with_upgrades(prepare(stream, &config), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, %remote, "connection ended");
            }
        });
    }
    drop(listener);
    let drained = async { tokio::join!(graceful.shutdown(), server.closed()) };
    if tokio::time::timeout(config.drain_timeout, drained).await.is_err() {
        tracing::warn!("not all was answered when the server stopped");
    }
    Ok(())
}

fn prepare(stream: TcpStream, config: &ServeConfig) -> TokioIo<Patience<TcpStream>> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "messages may be delayed");
    }
    TokioIo::new(Patience::new(stream, config.header_timeout, config.write_timeout))
}

fn builder(config: &ServeConfig) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(config.buffer_size);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(config.max_concurrent_streams)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

/// Tells each request from where it comes.
#[derive(Clone)]
struct WithPeer<S> {
    service: S,
    peer: Peer,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for WithPeer<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = futures_util::future::BoxFuture<'static, Result<Response<B>, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        let mut service = self.service.clone();
        Box::pin(async move {
            poll_fn(|context| service.poll_ready(context)).await?;
            service.call(request).await
        })
    }
}
