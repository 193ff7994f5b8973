//! How a mesh behaves.

use std::time::Duration;

use bayeux_api::{
    ConnectionType,
    server::{Overflow, QueueBounds},
};
use bayeux_client::NetworkConfig;

/// Configuration of a [`Mesh`](crate::Mesh). Where CometD has an option for it, its name is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MeshConfig {
    /// `oort.secret`: what all nodes have in common, and nobody else knows. None by default: then,
    /// as with an empty one, [`trust`](Self::trust) has to be [`Anybody`](Trust::Anybody).
    pub secret: Option<String>,
    /// Who is taken for a node. Only who knows the secret, by default.
    pub trust: Trust,
    /// Other URLs by which this node is reached, such as another name of its host. One that this node tries
    /// itself, and finds itself at, need not be given.
    pub aliases: Vec<String>,
    /// `enableAckExtension`: whether messages between nodes are acknowledged, and sent again after a short
    /// break. True by default.
    pub acknowledgements: bool,
    /// The transports between nodes, best first: WebSocket, else long-polling.
    pub transports: Vec<ConnectionType>,
    /// How connections to other nodes are made; but [`max_silence`](Self::max_silence) and
    /// [`max_message_size`](Self::max_message_size) count in place of its pings and size.
    pub network: NetworkConfig,
    /// For how long a WebSocket between nodes may be silent, and is pinged, before it is taken for broken; over
    /// long-polling, how long a connect is held. 1.75 s by default.
    pub max_silence: Duration,
    /// `maxInterval` of other nodes' sessions: how long after its connection broke a node counts as lost, unless
    /// it comes again; 1 s by default. A break that is shorter is noticed by nobody, if messages are acknowledged.
    /// Together with [`max_silence`](Self::max_silence) a node that is gone without a word is lost after 2.75 s,
    /// where CometD takes up to 41 s. More of both makes a cloud patient with nodes and networks that pause.
    pub max_interval: Duration,
    /// `maxNetworkDelay` of links: how long a reply of another node may take beyond the time for which it
    /// holds a connect; 10 s by default.
    pub max_network_delay: Duration,
    /// How much may wait for another node: 100,000 messages or 64 MiB by default, after which it has to
    /// start anew, and gets the state of all objects again. At least 8 messages and 64 KiB, since nodes say as
    /// much at once by themselves: with less, one would start anew again and again. A broadcast that is larger than
    /// the queue never gets through.
    pub queue: QueueBounds,
    /// `ws.maxMessageSize` between nodes: the largest message, in bytes; 64 MiB by default. What clients may send
    /// is not changed by it. A Java node has to be told to take as much, and over long-polling the server's own
    /// `maxMessageSize` counts: an object that is larger reaches no node.
    pub max_message_size: usize,
    /// How long the pause is before a node is tried again that cannot be reached: the first, and the longest,
    /// to which it grows; 500 ms and 5 s by default.
    pub backoff: (Duration, Duration),
    /// For how long a node that is lost is tried, if it is none that was [observed](crate::Mesh::observe_comet) or
    /// found here; one hour by default. Those are tried for ever. A URL that others named, and at which nobody ever
    /// answered, is tried for a minute at most.
    pub give_up: Duration,
    /// How often nodes tell each other which others there are; 60 s by default. So two find each other again
    /// that were cut off from each other alone, and have given up.
    pub advertise_interval: Duration,
    /// How many nodes there may be; 1,000 by default.
    pub max_comets: usize,
}

/// Who is taken for a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Who sends the [secret](MeshConfig::secret). All others that say to be a node are refused.
    #[default]
    Secret,
    /// Whoever says so: for clouds without a secret in common, as of Java nodes on which none is set, in a
    /// network that nobody else reaches. The secret goes to no URL that a stranger named.
    Anybody,
}

impl Default for MeshConfig {
    fn default() -> Self {
        Self {
            secret: None,
            trust: Trust::Secret,
            aliases: Vec::new(),
            acknowledgements: true,
            transports: vec![ConnectionType::WebSocket, ConnectionType::LongPolling],
            network: NetworkConfig::default(),
            max_silence: Duration::from_millis(1_750),
            max_interval: Duration::from_secs(1),
            max_network_delay: Duration::from_secs(10),
            queue: QueueBounds::new(100_000, 64 * 1024 * 1024, Overflow::Disconnect),
            max_message_size: 64 * 1024 * 1024,
            backoff: (Duration::from_millis(500), Duration::from_secs(5)),
            give_up: Duration::from_secs(60 * 60),
            advertise_interval: Duration::from_secs(60),
            max_comets: 1000,
        }
    }
}
