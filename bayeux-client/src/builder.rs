//! Puts a client together.

use std::sync::Arc;

use bayeux_api::{ConnectionType, client::InProcess};
use url::Url;

use crate::{
    BayeuxClient, Config, Credentials, NetworkConfig, NetworkConfigError, proto::Machine,
    shared::Shared, transport::Network,
};

/// Makes a [`BayeuxClient`].
#[derive(Debug, Default)]
#[must_use]
pub struct Builder {
    urls: Vec<String>,
    config: Config,
    network: NetworkConfig,
    transports: Option<Vec<ConnectionType>>,
    credentials: Option<Arc<dyn Credentials>>,
    in_process: Option<Arc<dyn InProcess>>,
    seed: Option<u64>,
}

impl Builder {
    /// Adds the address of a server: `http`, `https`, `ws` or `wss`. Of several, which must be as good
    /// as each other, the next is tried when one does not answer.
    pub fn url(mut self, url: &str) -> Self {
        self.urls.push(url.to_owned());
        self
    }

    /// Sets how the client behaves.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets how connections are made.
    pub fn network(mut self, network: NetworkConfig) -> Self {
        self.network = network;
        self
    }

    /// Sets the transports, best first; WebSocket and long-polling unless set.
    pub fn transports(mut self, transports: &[ConnectionType]) -> Self {
        self.transports = Some(transports.to_vec());
        self
    }

    /// Sets who is asked for credentials at each handshake.
    pub fn credentials(mut self, credentials: impl Credentials + 'static) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }

    /// Sets a server in this program, to be reached without a network. It is the only transport unless
    /// others are [set](Self::transports), and needs no address.
    pub fn in_process(mut self, server: impl InProcess + 'static) -> Self {
        self.in_process = Some(Arc::new(server));
        self
    }

    /// Sets what all that is random of the client's behaviour follows from, so that it can be played again:
    /// the jitter of its waits. Drawn from the system unless set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Makes the client, which is disconnected.
    ///
    /// # Errors
    ///
    /// When an address, the transports or the network's configuration cannot be used.
    pub fn build(self) -> Result<BayeuxClient, ConfigError> {
        let transports = self.transports.unwrap_or_else(|| match self.in_process {
            Some(_) => vec![ConnectionType::InProcess],
            None => vec![ConnectionType::WebSocket, ConnectionType::LongPolling],
        });
        for (index, transport) in transports.iter().enumerate() {
            let is_known = match transport {
                ConnectionType::WebSocket | ConnectionType::LongPolling => true,
                ConnectionType::InProcess => self.in_process.is_some(),
                ConnectionType::CallbackPolling => false,
                // One that came later.
                _ => false,
            };
            if !is_known || transports[..index].contains(transport) {
                return Err(ConfigError::Transport(*transport));
            }
        }
        if transports.is_empty() {
            return Err(ConfigError::NoTransport);
        }
        let mut urls = self.urls.iter().map(|url| parse(url)).collect::<Result<Vec<_>, _>>()?;
        if urls.is_empty() {
            if transports != [ConnectionType::InProcess] {
                return Err(ConfigError::NoUrl);
            }
            urls.push(parse("http://in-process/")?);
        }
        let network = Network::new(self.network)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| ConfigError::Random(error.to_string()))?,
        };
        let asks = self.credentials.is_some();
        let machine = Machine::new(self.config, &transports, urls, asks, seed);
        let shared = Shared::new(machine, network, self.in_process, self.credentials, transports);
        Ok(BayeuxClient::from_shared(shared))
    }
}

fn parse(text: &str) -> Result<Url, ConfigError> {
    let invalid = |reason: String| ConfigError::Url { url: text.to_owned(), reason };
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    match url.scheme() {
        "http" | "https" | "ws" | "wss" => Ok(url),
        other => Err(invalid(format!("{other} is none of http, https, ws and wss"))),
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The client has no address.
    #[error("no address of a server: give one by Builder::url")]
    NoUrl,
    /// An address is not one.
    #[error("the address {url:?} cannot be used: {reason}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client has no transport.
    #[error("no transport: give one by Builder::transports")]
    NoTransport,
    /// A transport is given twice, or is one that this client does not have.
    #[error("the transport {0} is given twice, or cannot be used by this client")]
    Transport(ConnectionType),
    /// The network's configuration cannot be used.
    #[error(transparent)]
    Network(#[from] NetworkConfigError),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}
