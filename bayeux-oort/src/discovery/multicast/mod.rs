//! Nodes that say their URL on the local network, in CometD's packets: the bytes of `oort.url`, and nothing
//! else, to a multicast group, again and again.
//!
//! Nothing in such a packet can be verified. It makes a URL a seed, which is dialled, and is told the proof of the
//! secret: whoever can send to the group can have it.

mod driver;
mod interfaces;
mod sockets;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use crate::{
    counter::Counter,
    discovery::{Discovery, DiscoveryError, Running, Seeds},
};

/// How nodes find each other by multicast; the names after `oort.multicast.` are CometD's.
///
/// Whoever can send to the group names a URL that is told the proof of the cloud's secret, as with CometD: it is for
/// networks on which nobody else is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MulticastConfig {
    /// `bindAddress`: the address that packets are received at. Without, the default, it is the group's, so
    /// that nothing arrives but what was sent to the group; where a system cannot do that, any.
    pub bind_address: Option<IpAddr>,
    /// `groupAddress`: the group, of IPv4 or IPv6. 239.255.0.1 by default.
    pub group_address: IpAddr,
    /// `groupPort`: 5577 by default.
    pub group_port: u16,
    /// `groupInterfaces`: the network interfaces to use, each by one of its addresses. Empty, the default, is
    /// all but loopback and point-to-point ones; and loopback if there is no other.
    pub group_interfaces: Vec<IpAddr>,
    /// `timeToLive`: how many networks a packet crosses. 1 by default: the own one alone. More lets nodes of
    /// others be found, and find this one.
    pub time_to_live: u8,
    /// `advertiseInterval`: the pause between two packets of this node. 2 s by default.
    pub advertise_interval: Duration,
    /// `connectTimeout`: how long a node is tried that is not heard any more, beyond three of the intervals.
    /// 2 s by default.
    pub connect_timeout: Duration,
    /// `maxTransmissionLength`: how many bytes a packet, and so a URL, may have. 1,400 by default.
    pub max_transmission_length: u16,
}

impl Default for MulticastConfig {
    fn default() -> Self {
        Self {
            bind_address: None,
            group_address: Ipv4Addr::new(239, 255, 0, 1).into(),
            group_port: 5_577,
            group_interfaces: Vec::new(),
            time_to_live: 1,
            advertise_interval: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            max_transmission_length: 1_400,
        }
    }
}

impl MulticastConfig {
    /// Returns for how long a URL counts that was heard.
    fn kept(&self) -> Duration {
        self.advertise_interval.saturating_mul(3).saturating_add(self.connect_timeout)
    }

    fn check(&self, own: &str) -> Result<(), DiscoveryError> {
        let group = self.group_address;
        let longest = self.max_transmission_length;
        let wrong = if !group.is_multicast() {
            format!("{group} is no multicast address")
        } else if self.bind_address.is_some_and(|address| address.is_ipv4() != group.is_ipv4()) {
            format!("the address to bind to is not of the same kind as the group {group}")
        } else if self.advertise_interval.is_zero() {
            "the interval between two packets is 0".to_owned()
        } else if self.kept() > YEAR {
            "its times are longer than a year".to_owned()
        } else if own.len() > usize::from(longest) {
            format!("the URL {own:?} is longer than the {longest} bytes that a packet may have")
        } else {
            return Ok(());
        };
        Err(DiscoveryError::Config(wrong))
    }
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Finds nodes on the local network by multicast, and is found. Cheap to clone.
#[derive(Clone, Debug, Default)]
#[doc(alias("OortMulticastConfigurer", "OortMulticastConfigServlet"))]
pub struct Multicast {
    config: MulticastConfig,
    counters: Arc<Counters>,
}

impl Multicast {
    /// Takes a configuration.
    pub fn new(config: MulticastConfig) -> Self {
        Self { config, counters: Arc::default() }
    }

    /// Returns what was sent and received so far.
    pub fn statistics(&self) -> MulticastStatistics {
        let counters = &*self.counters;
        MulticastStatistics {
            sent: counters.sent.get(),
            send_failures: counters.send_failures.get(),
            received: counters.received.get(),
            receive_failures: counters.receive_failures.get(),
            no_url: counters.no_url.get(),
            too_long: counters.too_long.get(),
            crowded: counters.crowded.get(),
            floods: counters.floods.get(),
        }
    }
}

impl Discovery for Multicast {
    fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError> {
        self.config.check(seeds.own())?;
        driver::start(self.config.clone(), self.counters.clone(), seeds)
    }
}

/// What was sent and received: numbers since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MulticastStatistics {
    /// Packets that said this node's URL.
    pub sent: u64,
    /// Packets that an interface did not take.
    pub send_failures: u64,
    /// All packets that were received, this node's own among them.
    pub received: u64,
    /// How often receiving failed.
    pub receive_failures: u64,
    /// Packets that were no URL of a node.
    pub no_url: u64,
    /// Packets that were longer than they may be.
    pub too_long: u64,
    /// Packets with a URL for which there was no room: too many of one sender, or of all.
    pub crowded: u64,
    /// How often so many packets came within a second that the rest of it was not read.
    pub floods: u64,
}

#[derive(Debug, Default)]
struct Counters {
    sent: Counter,
    send_failures: Counter,
    received: Counter,
    receive_failures: Counter,
    no_url: Counter,
    too_long: Counter,
    crowded: Counter,
    floods: Counter,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut MulticastConfig)) -> String {
        let mut config = MulticastConfig::default();
        change(&mut config);
        config.check("http://127.0.0.1:8080/cometd").unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        assert!(MulticastConfig::default().check("http://a/").is_ok());
        let unicast = refusal(|config| config.group_address = Ipv4Addr::LOCALHOST.into());
        assert_eq!(unicast, "127.0.0.1 is no multicast address");
        let mixed = refusal(|config| config.bind_address = "::".parse().ok());
        assert!(mixed.contains("same kind"), "{mixed}");
        let long = refusal(|config| config.max_transmission_length = 20);
        assert!(long.contains("20 bytes"), "{long}");
        assert!(refusal(|config| config.advertise_interval = Duration::ZERO).contains('0'));
        assert!(refusal(|config| config.advertise_interval = Duration::MAX).contains("year"));
        assert!(refusal(|config| config.connect_timeout = Duration::MAX).contains("year"));
    }

    #[test]
    fn a_node_may_miss_three_intervals() {
        assert_eq!(MulticastConfig::default().kept(), Duration::from_secs(8));
    }
}
