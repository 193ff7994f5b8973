//! Puts a mesh together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};

use bayeux_api::server::QueueBounds;
use tokio::sync::{Notify, mpsc};

use crate::{
    Comet, MeshConfig, Trust,
    discovery::Discovery,
    mesh::{Inner, Mesh, counters::Counters, misses::Misses},
    proto::{
        cloud::{Machine, Rules},
        secret::Proof,
        url::{check, shown},
    },
};

/// Makes a [`Mesh`].
#[derive(Debug)]
#[must_use]
pub struct MeshBuilder {
    url: String,
    config: MeshConfig,
    discoveries: Vec<Arc<dyn Discovery>>,
}

/// Why a mesh cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The URL is none by which other nodes could reach this one.
    #[error("the URL of this node (oort.url) cannot be {url:?}: {reason}")]
    Url {
        /// The URL; without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no secret, and nobody said that none is needed.
    #[error(
        "this node has no secret (oort.secret): give all nodes the same, or trust anybody who says to be a node"
    )]
    NoSecret,
    /// There is no transport, or one that nodes do not have.
    #[error("the transports between nodes are WebSocket and long-polling, each at most once")]
    Transports,
    /// So little may wait for another node that it would be lost again and again.
    #[error(
        "the queue of a node cannot be of {messages} messages and {bytes} bytes: it needs {LEAST_MESSAGES} \
         messages and {LEAST_BYTES} bytes at least, since nodes say as much at once by themselves"
    )]
    Queue {
        /// How many messages may wait.
        messages: usize,
        /// How many bytes may wait.
        bytes: usize,
    },
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(String),
}

/// A list of users takes up to half of the messages that may wait, and the others are for what is announced and asked
/// meanwhile. The largest messages that nodes send by themselves, of some 32 KiB, take about half of the bytes.
const LEAST_MESSAGES: usize = 8;
const LEAST_BYTES: usize = 64 * 1024;

impl MeshBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), config: MeshConfig::default(), discoveries: Vec::new() }
    }

    /// Sets how the mesh behaves.
    pub fn config(mut self, config: MeshConfig) -> Self {
        self.config = config;
        self
    }

    /// Changes how the mesh behaves.
    pub fn configure(mut self, change: impl FnOnce(&mut MeshConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Sets the secret that all nodes have in common (`oort.secret`).
    pub fn secret(mut self, secret: &str) -> Self {
        self.config.secret = Some(secret.to_owned());
        self
    }

    /// Takes anybody for a node who says to be one; see [`Trust::Anybody`].
    pub fn trust_anybody(mut self) -> Self {
        self.config.trust = Trust::Anybody;
        self
    }

    /// Adds what finds the URLs of other nodes. Those are tried for as long as they are found, as if they were
    /// [observed](Mesh::observe_comet).
    pub fn discovery(mut self, discovery: Arc<dyn Discovery>) -> Self {
        self.discoveries.push(discovery);
        self
    }

    /// Makes the mesh, which joins nobody before its [`Oort`](crate::Oort) is started.
    ///
    /// # Errors
    ///
    /// When the URL or the configuration cannot be used.
    pub fn build(self) -> Result<Mesh, MeshError> {
        let Self { url, config, discoveries } = self;
        check(&url).map_err(|reason| MeshError::Url { url: shown(&url), reason })?;
        // Everybody knows the empty one.
        let has_secret = config.secret.as_ref().is_some_and(|secret| !secret.is_empty());
        if config.trust == Trust::Secret && !has_secret {
            return Err(MeshError::NoSecret);
        }
        let QueueBounds { messages, bytes, .. } = config.queue;
        if messages < LEAST_MESSAGES || bytes < LEAST_BYTES {
            return Err(MeshError::Queue { messages, bytes });
        }
        // It says all that may be wrong of these.
        let probe = bayeux_client::BayeuxClient::builder().url(&url).transports(&config.transports);
        probe.build().map_err(|_| MeshError::Transports)?;
        let random = |error: getrandom::Error| MeshError::Random(error.to_string());
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(random)?;
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let own = Comet::new(id.to_string(), url);
        let rules = Rules {
            backoff: config.backoff,
            give_up: config.give_up,
            reopen: std::time::Duration::from_secs(1),
            advertise: config.advertise_interval,
            max_comets: config.max_comets,
            names_vouch: config.trust == Trust::Secret,
        };
        let aliases = config.aliases.iter().cloned().collect();
        let seed = getrandom::u64().map_err(random)?;
        let machine = Machine::new(own.clone(), aliases, rules, seed);
        let (work, waiting) = mpsc::unbounded_channel();
        Ok(Mesh(Arc::new(Inner {
            own,
            proof: config.secret.as_deref().map(Proof::of),
            config,
            machine: Mutex::new(machine),
            work,
            waiting: Mutex::new(Some(waiting)),
            wake: Arc::new(Notify::new()),
            discoveries,
            seeking: Mutex::default(),
            links: Mutex::default(),
            inboxes: Mutex::new(BTreeMap::new()),
            observed: Mutex::default(),
            started: OnceLock::new(),
            registrations: Mutex::default(),
            counters: Counters::default(),
            misses: Misses::default(),
        })))
    }
}
