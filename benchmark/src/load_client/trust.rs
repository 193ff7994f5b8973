//! The certificate that a server shows, so that load clients can trust a server whose certificate
//! nobody vouches for.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

use crate::Result;

/// Asks a server for its certificate, with its chain, and returns them as PEM.
pub(crate) async fn certificates(host: &str, port: u16) -> Result<String> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any(provider)))
        .with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| format!("{host:?} is not the name or the address of a host"))?;
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| {
        format!("cannot connect to {host}:{port}: {error}; does a load server run there?")
    })?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let connected = connected.map_err(|error| {
        format!("{host}:{port} does not speak TLS: {error}; leave out --tls, or start it with it")
    })?;
    let shown = connected.get_ref().1.peer_certificates().unwrap_or_default();
    Ok(shown.iter().map(|one| pem::encode(&pem::Pem::new("CERTIFICATE", one.as_ref()))).collect())
}

/// Takes any certificate, from a server that has its key.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, own, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, own, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
