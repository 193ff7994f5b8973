//! Sends and receives: the only place of multicast that has a clock.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bayeux_api::implement::lock;
use tokio::{
    net::UdpSocket,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use crate::{
    discovery::{
        DiscoveryError, Running, Seeds, check_url,
        multicast::{Counters, MulticastConfig, interfaces, interfaces::Interface, sockets},
    },
    proto::advertisements::{Advertisements, Verdict},
};

/// Opens the sockets, and returns what then goes on.
pub(super) fn start(
    config: MulticastConfig,
    counters: Arc<Counters>,
    seeds: Seeds,
) -> Result<Running, DiscoveryError> {
    let longest = usize::from(config.max_transmission_length);
    let machine = Advertisements::new(seeds.own().to_owned(), longest, config.kept());
    let driver = Driver {
        receiver: sockets::receiver(&config)?,
        sender: sockets::sender(&config)?,
        used: Mutex::default(),
        config,
        counters,
        seeds,
    };
    driver.look_for_interfaces()?;
    Ok(Box::pin(async move {
        tokio::join!(driver.advertise(), driver.listen(machine), driver.keep_looking());
    }))
}

struct Driver {
    receiver: UdpSocket,
    sender: UdpSocket,
    /// The interfaces by which the group is joined.
    used: Mutex<Vec<Interface>>,
    config: MulticastConfig,
    counters: Arc<Counters>,
    seeds: Seeds,
}

impl Driver {
    /// Says the own URL, on and on.
    async fn advertise(&self) {
        let mut due = interval(self.config.advertise_interval);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = BTreeSet::new();
        loop {
            due.tick().await;
            let used = lock(&self.used).clone();
            for interface in &used {
                match self.advertise_by(interface).await {
                    Ok(()) => drop(failing.remove(&interface.index)),
                    // Said once, and not each time again.
                    Err(error) if failing.insert(interface.index) => {
                        tracing::warn!(interface.name, %error, "the URL cannot be advertised there");
                    }
                    Err(_) => {}
                }
            }
        }
    }

    async fn advertise_by(&self, interface: &Interface) -> io::Result<()> {
        let packet = self.seeds.own().as_bytes();
        let sent = sockets::send(&self.sender, packet, &self.config, interface);
        let sent = timeout(LONGEST_SEND, sent).await.unwrap_or_else(|late| Err(late.into()));
        match &sent {
            Ok(()) => self.counters.sent.count(),
            Err(_) => self.counters.send_failures.count(),
        };
        sent
    }

    /// Takes what others say.
    async fn listen(&self, mut machine: Advertisements) {
        // One more than a packet may have, so that it is seen when there is more.
        let mut buffer = vec![0; usize::from(self.config.max_transmission_length) + 1];
        loop {
            let silence = machine.deadline().map(Instant::from_std);
            let has_changed = tokio::select! {
                received = self.receiver.recv_from(&mut buffer) => match received {
                    Ok((length, from)) => {
                        let now = Instant::now().into_std();
                        let is_url = |url: &str| check_url(url).is_ok();
                        let verdict = machine.hear(&buffer[..length], from.ip(), is_url, now);
                        self.heard(verdict).await
                    }
                    Err(error) => {
                        self.counters.receive_failures.count();
                        tracing::debug!(%error, "receiving failed");
                        sleep(AFTER_FAILURE).await;
                        false
                    }
                },
                () = sleep_until(silence.unwrap_or_else(Instant::now)), if silence.is_some() => {
                    machine.expire(Instant::now().into_std())
                }
            };
            if has_changed {
                self.seeds.set(machine.urls());
            }
        }
    }

    /// Counts what came of a packet; returns whether there is another seed.
    async fn heard(&self, verdict: Verdict) -> bool {
        self.counters.received.count();
        match verdict {
            Verdict::New => return true,
            Verdict::Again | Verdict::Own => {}
            Verdict::NoUrl => self.counters.no_url.count(),
            Verdict::TooLong => self.counters.too_long.count(),
            Verdict::Crowded => self.counters.crowded.count(),
            Verdict::Flood(end) => {
                self.counters.floods.add("multicast", "a flood of packets: those of this second");
                sleep_until(Instant::from_std(end)).await;
            }
        }
        false
    }

    /// Looks again and again, since networks come and go.
    async fn keep_looking(&self) {
        loop {
            sleep(BETWEEN_LOOKS).await;
            if let Err(error) = self.look_for_interfaces() {
                tracing::debug!(%error, "no network interface to find nodes by");
            }
        }
    }

    /// Joins the group by the interfaces that are there now.
    fn look_for_interfaces(&self) -> Result<(), DiscoveryError> {
        let group = self.config.group_address;
        let what = || format!("join the multicast group {group} by any network interface");
        let failed = |source| DiscoveryError::Network { what: what(), source };
        let found = interfaces::find(&self.config.group_interfaces, group).map_err(failed)?;
        let (mut joined, mut last) = (Vec::new(), None);
        for interface in found {
            match sockets::join(&self.receiver, group, &interface) {
                Ok(()) => joined.push(interface),
                Err(error) => last = Some(error),
            }
        }
        let names = joined.iter().map(|interface| &*interface.name).collect::<BTreeSet<_>>();
        tracing::debug!(?names, %group, "nodes are looked for by multicast");
        let is_none = joined.is_empty();
        *lock(&self.used) = joined;
        match is_none {
            true => Err(failed(last.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))),
            false => Ok(()),
        }
    }
}

/// A packet for which a socket has no room by then is not worth waiting for.
const LONGEST_SEND: Duration = Duration::from_secs(1);

const AFTER_FAILURE: Duration = Duration::from_millis(100);

const BETWEEN_LOOKS: Duration = Duration::from_secs(15);
