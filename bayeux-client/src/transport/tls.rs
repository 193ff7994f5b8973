//! Whom a client trusts and how it shows who it is, when it speaks TLS.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bayeux_api::client::FailureKind;
use tokio_rustls::rustls::{
    self, AlertDescription, ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::transport::settings::NetworkConfigError;

/// Whose certificates to trust, and which certificate to show.
///
/// The default trusts what the system trusts, and shows no certificate. Clients that are made with
/// clones of one value share its certificates in memory and resume each other's TLS sessions.
#[derive(Clone)]
pub struct Tls(Arc<Choice>);

struct Choice {
    system_roots: bool,
    roots: Vec<Arc<[u8]>>,
    identity: Option<Identity>,
    parsed: OnceLock<Result<Parsed, NetworkConfigError>>,
    config: OnceLock<Arc<ClientConfig>>,
}

#[derive(Clone)]
struct Identity {
    chain: Arc<[u8]>,
    key: Arc<[u8]>,
}

struct Parsed {
    roots: RootCertStore,
    identity: Option<Arc<SingleCertAndKey>>,
}

impl Tls {
    /// Trusts also servers with a certificate from one of these root certificates, given as PEM text.
    #[must_use]
    pub fn with_roots(self, pem: impl AsRef<[u8]>) -> Self {
        let mut roots = self.0.roots.clone();
        roots.push(pem.as_ref().into());
        self.change(self.0.system_roots, roots, self.0.identity.clone())
    }

    /// Trusts no longer what the system trusts, but only the given root certificates.
    #[must_use]
    pub fn without_system_roots(self) -> Self {
        self.change(false, self.0.roots.clone(), self.0.identity.clone())
    }

    /// Shows this certificate to a server that asks for one: the chain, the client's own certificate
    /// first, and its private key, both given as PEM text.
    #[must_use]
    pub fn with_identity(self, chain_pem: impl AsRef<[u8]>, key_pem: impl AsRef<[u8]>) -> Self {
        let identity = Identity { chain: chain_pem.as_ref().into(), key: key_pem.as_ref().into() };
        self.change(self.0.system_roots, self.0.roots.clone(), Some(identity))
    }

    /// Checks the certificates, without those of the system.
    pub(super) fn check(&self) -> Result<(), NetworkConfigError> {
        self.parsed().map(|_| ())
    }

    /// Returns the configuration for connections that offer these protocols in ALPN.
    pub(super) fn config(
        &self,
        protocols: &[&[u8]],
    ) -> Result<Arc<ClientConfig>, NetworkConfigError> {
        let mut config = ClientConfig::clone(self.shared()?);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config))
    }

    fn change(
        &self,
        system_roots: bool,
        roots: Vec<Arc<[u8]>>,
        identity: Option<Identity>,
    ) -> Self {
        Self(Arc::new(Choice::new(system_roots, roots, identity)))
    }

    fn parsed(&self) -> Result<&Parsed, NetworkConfigError> {
        self.0.parsed.get_or_init(|| self.0.parse()).as_ref().map_err(Clone::clone)
    }

    fn shared(&self) -> Result<&Arc<ClientConfig>, NetworkConfigError> {
        let parsed = self.parsed()?;
        Ok(self.0.config.get_or_init(|| Arc::new(configure(parsed, self.0.system_roots))))
    }
}

impl Default for Tls {
    fn default() -> Self {
        static SHARED: OnceLock<Tls> = OnceLock::new();
        SHARED.get_or_init(|| Self(Arc::new(Choice::new(true, Vec::new(), None)))).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("system_roots", &self.0.system_roots)
            .field("roots", &self.0.roots.len())
            .field("identity", &self.0.identity.is_some())
            .finish()
    }
}

impl Choice {
    fn new(system_roots: bool, roots: Vec<Arc<[u8]>>, identity: Option<Identity>) -> Self {
        Self { system_roots, roots, identity, parsed: OnceLock::new(), config: OnceLock::new() }
    }

    fn parse(&self) -> Result<Parsed, NetworkConfigError> {
        let mut roots = RootCertStore::empty();
        for pem in &self.roots {
            let certificates = certificates(pem).map_err(NetworkConfigError::Roots)?;
            for certificate in certificates {
                roots
                    .add(certificate)
                    .map_err(|error| NetworkConfigError::Roots(error.to_string()))?;
            }
        }
        if roots.is_empty() && !self.system_roots {
            return Err(NetworkConfigError::NoRoots);
        }
        let identity = self.identity.as_ref().map(Identity::parse).transpose();
        Ok(Parsed { roots, identity: identity.map_err(NetworkConfigError::Identity)? })
    }
}

impl Identity {
    fn parse(&self) -> Result<Arc<SingleCertAndKey>, String> {
        let chain = certificates(&self.chain)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("the private key: {error}"))?;
        let pair = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(SingleCertAndKey::from(pair)))
    }
}

/// Returns as what a TLS error counts: certificates and versions that do not fit are not cured by
/// trying again, while anything else is `otherwise`.
pub(super) fn kind(error: &rustls::Error, otherwise: FailureKind) -> FailureKind {
    let is_distrust = if let rustls::Error::AlertReceived(alert) = error {
        is_refusal(*alert)
    } else {
        matches!(
            error,
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::InvalidCertRevocationList(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::UnsupportedNameType
                | rustls::Error::NoApplicationProtocol
                | rustls::Error::PeerIncompatible(_)
        )
    };
    if is_distrust { FailureKind::Untrusted } else { otherwise }
}

/// Returns whether the server says by this that it does not want this client, or not so.
fn is_refusal(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::ProtocolVersion
            | Alert::InsufficientSecurity
            | Alert::UnrecognisedName
            | Alert::CertificateRequired
            | Alert::NoApplicationProtocol
    )
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("no certificate is in it".to_owned()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

fn configure(parsed: &Parsed, system_roots: bool) -> ClientConfig {
    let mut roots = parsed.roots.clone();
    if system_roots {
        roots.extend(self::system_roots().roots.iter().cloned());
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    match &parsed.identity {
        Some(identity) => {
            builder.with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(identity))
        }
        None => builder.with_no_client_auth(),
    }
}

/// Returns the roots that the system trusts, which are read once in a process. This may block for
/// some milliseconds.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a root certificate of the system cannot be read");
        }
        let mut roots = RootCertStore::empty();
        let (usable, unusable) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(usable, unusable, "root certificates of the system");
        roots
    })
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}
