//! Names resolved by a resolver of our own, which tells for how long an answer holds, and reads SRV records.

use std::{
    collections::BTreeSet,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, FutureExt};
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{op::ResponseCode, rr::RData},
};

use crate::discovery::{
    DiscoveryError,
    dns::{Found, Resolve, template::Template},
};

/// Asks the system's name servers, or given ones.
pub(super) struct Records {
    template: Template,
    resolver: TokioResolver,
}

impl Records {
    pub(super) fn new(template: Template, servers: &[SocketAddr]) -> Result<Self, DiscoveryError> {
        let failed = |error: NetError| {
            DiscoveryError::Config(format!("the system's name servers are not known: {error}"))
        };
        let mut builder = match servers {
            [] => TokioResolver::builder_tokio().map_err(failed)?,
            _ => {
                let servers = servers.iter().copied().map(server).collect();
                let config = ResolverConfig::from_name_servers(servers);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        // Who asks when the time of an answer is over wants no older one.
        builder.options_mut().cache_size = 0;
        Ok(Self { template, resolver: builder.build().map_err(failed)? })
    }

    async fn addresses(&self) -> Result<Found, NetError> {
        let found = self.resolver.lookup_ip(&*self.template.name).await?;
        let nodes = found.iter().map(|address| self.template.at_address(address)).collect();
        Ok((nodes, Some(left(found.valid_until()))))
    }

    async fn services(&self) -> Result<Found, NetError> {
        let found = self.resolver.srv_lookup(&*self.template.name).await?;
        let nodes = found.answers().iter().filter_map(|record| {
            let RData::SRV(service) = &record.data else { return None };
            let host = service.target.to_ascii();
            // A target that is the root says that there is no such service.
            let host = Some(host.trim_end_matches('.')).filter(|host| !host.is_empty())?;
            Some(self.template.at(host, Some(service.port)))
        });
        Ok((nodes.collect(), Some(left(found.valid_until()))))
    }
}

impl Resolve for Records {
    fn nodes(&self) -> BoxFuture<'_, Result<Found, String>> {
        let asked = match self.template.is_service() {
            true => self.services().boxed(),
            false => self.addresses().boxed(),
        };
        asked.map(|found| found.or_else(|error| nobody(&error))).boxed()
    }
}

/// A name of which nobody is said to be behind is an answer like others.
fn nobody(error: &NetError) -> Result<Found, String> {
    if let NetError::Dns(DnsError::NoRecordsFound(no)) = error
        && [ResponseCode::NoError, ResponseCode::NXDomain].contains(&no.response_code)
    {
        return Ok((BTreeSet::new(), None));
    }
    Err(error.to_string())
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Records").field(&self.template).finish()
    }
}
