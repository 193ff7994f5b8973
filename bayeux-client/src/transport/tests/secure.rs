//! TLS: whom a client trusts, how it shows who it is, and HTTP/2.

use std::sync::Arc;

use bayeux_api::client::FailureKind;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use super::*;
use crate::transport::settings::{Http2, Tls};

/// An authority that certifies, and a server's and a client's certificate from it.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn tls(&self) -> Tls {
        Tls::default().without_system_roots().with_roots(self.0.pem())
    }

    /// Returns a certificate for `name` and its key.
    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    pub(super) fn acceptor(&self, protocols: &[&str], wants_certificate: bool) -> TlsAcceptor {
        let (certificate, key) = self.certify("127.0.0.1");
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let builder = match wants_certificate {
            true => builder.with_client_cert_verifier(verifier.build().unwrap()),
            false => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols =
            protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn trusting(tls: Tls) -> Network {
    let config = NetworkConfig { tls, ..NetworkConfig::default() };
    Network::new(config).unwrap()
}

fn https(url: &Url) -> Url {
    Url::parse(&url.as_str().replace("http:", "https:")).unwrap()
}

/// Starts a server that answers one request over TLS.
async fn secure_server(acceptor: TlsAcceptor) -> (Url, JoinHandle<Option<Got>>) {
    let (listener, url) = listen().await;
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.ok()?;
        Some(answer_one(&mut stream).await)
    });
    (https(&url), task)
}

#[tokio::test]
async fn an_own_root_is_trusted() {
    let authority = Authority::new();
    let (url, server) = secure_server(authority.acceptor(&[], false)).await;
    let network = trusting(Tls::default().with_roots(authority.0.pem()));
    assert_eq!(within(network.post(&url, b"[]".to_vec())).await.unwrap(), "[{}]");
    assert!(within(server).await.unwrap().is_some());
}

#[tokio::test]
async fn an_unknown_root_is_not() {
    for tls in [Tls::default(), Authority::new().tls()] {
        let (url, server) = secure_server(Authority::new().acceptor(&[], false)).await;
        let network = trusting(tls);
        let failure = within(network.post(&url, b"[]".to_vec())).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Untrusted, "{failure}");
        assert!(failure.is_fatal());
        assert!(within(server).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let authority = Authority::new();
    let (mut url, _server) = secure_server(authority.acceptor(&[], false)).await;
    url.set_host(Some("localhost")).unwrap();
    let failure = within(trusting(authority.tls()).post(&url, b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Untrusted, "{failure}");
}

#[tokio::test]
async fn a_server_without_tls_is_unreachable() {
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        closed(&mut stream).await;
    });
    let failure = within(network().post(&https(&url), b"[]".to_vec())).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    within(server).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_the_client_is_shown() {
    let authority = Authority::new();
    let (url, server) = secure_server(authority.acceptor(&[], true)).await;
    let (certificate, key) = authority.certify("client");
    let tls = authority.tls().with_identity(certificate.pem(), key.serialize_pem());
    assert!(!format!("{tls:?}").contains("PRIVATE"));
    within(trusting(tls).post(&url, b"[]".to_vec())).await.unwrap();
    assert!(within(server).await.unwrap().is_some());

    let (url, server) = secure_server(authority.acceptor(&[], true)).await;
    let failure = within(trusting(authority.tls()).post(&url, b"[]".to_vec())).await.unwrap_err();
    // The server's word about it may be lost when it closes the connection on a request.
    assert!(matches!(failure.kind, FailureKind::Untrusted | FailureKind::Closed), "{failure}");
    assert!(within(server).await.unwrap().is_none());
}

#[test]
fn a_certificate_with_the_wrong_key_is_refused() {
    let authority = Authority::new();
    let (certificate, _) = authority.certify("client");
    let (_, key) = authority.certify("client");
    let config = NetworkConfig {
        tls: Tls::default().with_identity(certificate.pem(), key.serialize_pem()),
        ..NetworkConfig::default()
    };
    let error = Network::new(config).unwrap_err();
    assert!(error.to_string().starts_with("the client's certificate cannot be used"), "{error}");
}

#[tokio::test]
async fn a_websocket_over_tls() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["h2", "http/1.1"], false);
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let mut peer = accept_async(stream).await.unwrap();
        let message = futures_util::StreamExt::next(&mut peer).await.unwrap().unwrap();
        futures_util::SinkExt::send(&mut peer, message).await.unwrap();
        assert!(matches!(
            futures_util::StreamExt::next(&mut peer).await,
            Some(Ok(Message::Close(_)))
        ));
    });
    let mut socket = within(trusting(authority.tls()).open_websocket(&https(&url))).await.unwrap();
    socket.send("[1]".to_owned());
    let text = within(std::future::poll_fn(|cx| socket.poll_receive(1, cx))).await.unwrap();
    assert_eq!(text, ["[1]"]);
    within(socket.close(1000, "bye")).await;
    within(server).await.unwrap();
}

/// Answers with the version of HTTP that a request came by.
async fn serve_http2<S>(stream: S) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(async |request: Request<Incoming>| {
        let version = request.version();
        let body = request.into_body().collect().await?.to_bytes();
        let answer = format!(r#"["{version:?}",{}]"#, String::from_utf8_lossy(&body));
        Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(answer))))
    });
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
}

#[tokio::test]
async fn http2_is_found_by_tls() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["h2", "http/1.1"], false);
    let (listener, url) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = serve_http2(acceptor.accept(stream).await.unwrap()).await;
    });
    let network = trusting(authority.tls());
    let url = https(&url);
    for _ in 0..2 {
        let body = within(network.post(&url, b"1".to_vec())).await.unwrap();
        assert_eq!(body, r#"["HTTP/2.0",1]"#);
    }
    network.close_idle();
    within(server).await.unwrap();
}

#[tokio::test]
async fn http2_can_be_turned_off() {
    let authority = Authority::new();
    let (url, server) = secure_server(authority.acceptor(&["h2", "http/1.1"], false)).await;
    let config =
        NetworkConfig { tls: authority.tls(), http2: Http2::Off, ..NetworkConfig::default() };
    within(Network::new(config).unwrap().post(&url, b"[]".to_vec())).await.unwrap();
    assert!(within(server).await.unwrap().unwrap().head.contains("HTTP/1.1"));
}

#[tokio::test]
async fn http2_without_tls_needs_prior_knowledge() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = serve_http2(stream).await;
    });
    let config = NetworkConfig { http2: Http2::PriorKnowledge, ..NetworkConfig::default() };
    let network = Network::new(config).unwrap();
    // Many at once share the one connection that is accepted.
    let posts = (0..20).map(|_| network.post(&url, b"1".to_vec()));
    for body in within(futures_util::future::join_all(posts)).await {
        assert_eq!(body.unwrap(), r#"["HTTP/2.0",1]"#);
    }
}

#[tokio::test]
async fn from_http_to_https_a_redirect_is_followed() {
    let authority = Authority::new();
    let (target, secure) = secure_server(authority.acceptor(&[], false)).await;
    let location = format!("Location: {target}\r\n");
    let (url, plain) = server(vec![response("308 Permanent Redirect", &location, "")]).await;
    within(trusting(authority.tls()).post(&url, b"[7]".to_vec())).await.unwrap();
    assert_eq!(plain.await.unwrap()[0].body, "[7]");
    assert_eq!(within(secure).await.unwrap().unwrap().body, "[7]");
}
