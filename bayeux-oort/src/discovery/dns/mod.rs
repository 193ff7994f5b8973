//! The name of a service that has an address, or a record, for each of its nodes: a headless service of
//! Kubernetes, a name with many addresses.

#[cfg(feature = "srv")]
mod records;
mod template;

use std::{collections::BTreeSet, fmt, net::SocketAddr, time::Duration};

use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};

use crate::{
    counter::Counter,
    discovery::{Discovery, DiscoveryError, Running, Seeds},
    proto::resolution::{Answer, Resolution},
};

use template::Template;

/// Finds nodes by the name of their service.
///
/// It takes a URL like the nodes' own, but with the service's name as its host. Each address of the name
/// (A, AAAA) is that of a node: for `http://nodes.example:8080/cometd` there may be one at
/// `http://10.0.0.1:8080/cometd`. If the name begins with `_`, it is that of SRV records, which have the host
/// and the port of each node: for `http://_bayeux._tcp.nodes.example/cometd` there may be one at
/// `http://a.nodes.example:8080/cometd`. That takes the feature `srv`, by which names are resolved here and not
/// by the system, so that it is known for how long an answer holds: it is asked for again then. Otherwise it
/// is after the [interval](Self::interval).
///
/// Write a node's own URL just so, with its address or its host, lest it be taken for another one's.
///
/// In Kubernetes: a headless service (`clusterIP: None`) with `publishNotReadyAddresses: true`, since nodes that
/// begin together are to find each other before they are ready.
#[derive(Clone, Debug)]
pub struct Dns {
    template: Template,
    interval: Duration,
    #[cfg_attr(not(feature = "srv"), expect(dead_code, reason = "the system has its own"))]
    servers: Vec<SocketAddr>,
}

impl Dns {
    /// Takes the URL of a service.
    ///
    /// # Errors
    ///
    /// When it is none, or has no name that could be resolved.
    pub fn new(url: &str) -> Result<Self, DiscoveryError> {
        let template = Template::new(url)?;
        if template.is_service() && !cfg!(feature = "srv") {
            let reason = "SRV records are read with the crate's feature srv only".to_owned();
            return Err(DiscoveryError::Url { url: url.to_owned(), reason });
        }
        Ok(Self { template, interval: INTERVAL, servers: Vec::new() })
    }

    /// Sets after how long the name is asked for again at the latest, a day at most; 30 s by default. Up to a
    /// fifth of that is added at random, so that not all nodes ask at once.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(SHORTEST, DAY);
        self
    }

    /// Sets the name servers to ask instead of the system's.
    #[cfg(feature = "srv")]
    #[must_use]
    pub fn servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.servers = servers.into_iter().collect();
        self
    }

    fn resolver(&self) -> Result<Box<dyn Resolve>, DiscoveryError> {
        #[cfg(feature = "srv")]
        return Ok(Box::new(records::Records::new(self.template.clone(), &self.servers)?));
        #[cfg(not(feature = "srv"))]
        Ok(Box::new(System(self.template.clone())))
    }
}

impl Discovery for Dns {
    fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError> {
        let (resolver, machine) = (self.resolver()?, Resolution::new(self.interval));
        Ok(Box::pin(keep_asking(resolver, self.template.name.clone(), machine, seeds)))
    }
}

async fn keep_asking(
    resolver: Box<dyn Resolve>,
    name: String,
    mut machine: Resolution,
    seeds: Seeds,
) {
    let mut misses = Counter::default();
    loop {
        let found = timeout(LONGEST, resolver.nodes()).await;
        let answer = match found.unwrap_or_else(|_| Err("nobody answers".to_owned())) {
            Ok((nodes, lifetime)) => {
                misses = Counter::default();
                Answer::Nodes(nodes, lifetime)
            }
            Err(why) => {
                if let Some(times) = misses.tally() {
                    let what = "the name cannot be resolved, and what it was stays";
                    tracing::warn!(name, times, "{what}: {why}");
                }
                Answer::Failed
            }
        };
        let next = machine.handle(answer, chance());
        if let Some(nodes) = next.nodes {
            seeds.set(nodes);
        }
        sleep(next.pause).await;
    }
}

/// Asks for the nodes behind a name.
trait Resolve: fmt::Debug + Send + Sync {
    /// Asks once.
    fn nodes(&self) -> BoxFuture<'_, Result<Found, String>>;
}

/// The URLs of the nodes, and for how long that holds if it is known.
type Found = (BTreeSet<String>, Option<Duration>);

/// What the system says: its addresses, from wherever it has them.
#[cfg(not(feature = "srv"))]
#[derive(Debug)]
struct System(Template);

#[cfg(not(feature = "srv"))]
impl Resolve for System {
    fn nodes(&self) -> BoxFuture<'_, Result<Found, String>> {
        Box::pin(async {
            let found = tokio::net::lookup_host((&*self.0.name, 0)).await;
            let found = found.map_err(|error| error.to_string())?;
            Ok((found.map(|address| self.0.at_address(address.ip())).collect(), None))
        })
    }
}

/// Returns a random number from 0 to 1; a system that has none has all nodes ask at once.
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

const INTERVAL: Duration = Duration::from_secs(30);

const SHORTEST: Duration = Duration::from_millis(10);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than any resolver tries; the system's goes on beyond it.
const LONGEST: Duration = Duration::from_secs(60);
