//! The load server over TLS, with a certificate that is given or made.

use std::{
    convert::Infallible,
    fs, io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bayeux_server::{Body, Peer};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    },
};
use tower_service::Service;

use crate::{
    Result,
    load_server::{
        Arguments,
        requests::{Counted, Counting},
    },
    say,
};

/// Makes what accepts connections, offering HTTP/1.1 and HTTP/2.
pub(super) fn acceptor(arguments: &Arguments) -> Result<TlsAcceptor> {
    let (chain, key) = match (&arguments.certificate, &arguments.key) {
        (Some(certificate), Some(key)) => (read_chain(certificate)?, read_key(key)?),
        (_, _) => make()?,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("the certificate and its key cannot be used: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until it is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    service: Counting,
) -> io::Result<()> {
    let local = listener.local_addr()?;
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    builder.http2().timer(TokioTimer::new()).enable_connect_protocol();
    let builder = Arc::new(builder);
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                say::note(format!("accepting failed: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let secure = Secure { service: service.clone(), local, remote };
        let (builder, acceptor) = (builder.clone(), acceptor.clone());
        tokio::spawn(async move {
            // How it ended is of no interest: the client comes back.
            let _ = serve_connection(&builder, &acceptor, stream, secure).await;
        });
    }
}

async fn serve_connection(
    builder: &Builder<TokioExecutor>,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    service: Secure,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(Duration::from_secs(30), acceptor.accept(stream)).await??;
    let service = TowerToHyperService::new(service);
    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await
}

/// Tells each request that it came over TLS, and from where.
#[derive(Clone, Debug)]
struct Secure {
    service: Counting,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Service<Request<Incoming>> for Secure {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Counted;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.service, context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Counted {
        let mut peer = Peer::new(self.remote, self.local);
        peer.is_secure = true;
        request.extensions_mut().insert(peer);
        self.service.call(request)
    }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Makes a certificate of this machine's names, that nobody but itself vouches for.
fn make() -> Result<Identity> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), host];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_) => Err(format!("{} has no certificate in PEM", path.display()).into()),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let key = PrivateKeyDer::from_pem_slice(&read(path)?);
    key.map_err(|error| format!("{} has no private key in PEM: {error}", path.display()).into())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}
