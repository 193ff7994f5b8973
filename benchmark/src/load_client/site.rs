//! Where the server is, and the clients that are made for it.

use std::time::Duration;

use bayeux_client::{
    BayeuxClient, Config, Http2, NetworkConfig, Tls,
    api::client::{FailureKind, RequestError},
};

use crate::{
    Result,
    load_client::{
        arguments::{SiteArguments, Transport},
        trust,
    },
};

#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) url: String,
    transport: Transport,
    acknowledgements: bool,
    network: NetworkConfig,
}

/// How long a reply may take, under load.
const PATIENCE: Duration = Duration::from_secs(30);

impl Site {
    pub(crate) async fn new(arguments: &SiteArguments) -> Result<Self> {
        let SiteArguments { host, port, tls, transport, http2, .. } = arguments;
        let scheme = if *tls { "https" } else { "http" };
        let path = arguments.context.trim_start_matches('/');
        let mut network = NetworkConfig::default();
        network.http2 = match (http2, tls) {
            (true, true) => Http2::Negotiated,
            (true, false) => Http2::PriorKnowledge,
            (false, _) => Http2::Off,
        };
        if *tls {
            let shown = trust::certificates(host, *port).await?;
            network.tls = Tls::default().without_system_roots().with_roots(shown);
        }
        Ok(Self {
            url: format!("{scheme}://{host}:{port}/{path}"),
            transport: *transport,
            acknowledgements: arguments.ack_extension,
            network,
        })
    }

    /// Makes a client, which is yet to shake hands.
    pub(crate) fn client(&self) -> Result<BayeuxClient> {
        let mut config = Config::default();
        config.acknowledgements = self.acknowledgements;
        config.max_network_delay = Some(PATIENCE);
        let client = BayeuxClient::builder()
            .url(&self.url)
            .transports(&[self.transport.connection_type()])
            .network(self.network.clone())
            .config(config)
            .build()?;
        Ok(client)
    }

    /// Says what it means that a session cannot be started.
    pub(crate) fn explain(&self, error: &RequestError) -> String {
        let kind =
            if let RequestError::Failed(failure) = error { Some(failure.kind) } else { None };
        let hint = if kind == Some(FailureKind::Unreachable) {
            "; does a load server run there?"
        } else if kind == Some(FailureKind::Untrusted) {
            "; give the --host that the certificate is of"
        } else if kind.is_some() {
            "; is Bayeux at this --context, does it have this --transport, and is it with or without --tls?"
        } else {
            ""
        };
        format!("no session with {}: {error}{hint}", self.url)
    }
}
