//! How many handshakes one address may ask for: a bucket that refills evenly.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use crate::{config::HandshakeLimit, proto::after};

/// Remembers addresses only for as long as they are not free to ask for all again.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    /// When each address's bucket is full again.
    full: BTreeMap<IpAddr, Instant>,
    next_clean: Option<Instant>,
}

impl Limiter {
    /// Lets one handshake pass, or tells how long the address has to wait: in whole milliseconds, since
    /// who comes a part of one too early is refused again.
    pub(crate) fn take(
        &mut self,
        address: IpAddr,
        limit: HandshakeLimit,
        now: Instant,
    ) -> Result<(), Duration> {
        let address = network(address);
        self.clean(limit, now);
        let cost = limit.period / limit.count.max(1);
        let full = self.full.get(&address).copied().unwrap_or(now).max(now);
        let full = after(full, cost);
        let latest = after(now, limit.period);
        if full > latest {
            return Err(whole_millis(full - latest));
        }
        self.full.insert(address, full);
        Ok(())
    }

    fn clean(&mut self, limit: HandshakeLimit, now: Instant) {
        if self.next_clean.is_none_or(|next| next <= now) {
            self.full.retain(|_, full| *full > now);
            self.next_clean = Some(after(now, limit.period));
        }
    }
}

/// Rounds up to whole milliseconds.
fn whole_millis(duration: Duration) -> Duration {
    let millis = u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Duration::from_millis(millis)
}

/// Returns what one party has of addresses: one of IPv4, and a network of 2^64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const LIMIT: HandshakeLimit = HandshakeLimit::new(2, Duration::from_secs(10));

    #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_address_waits_for_its_bucket_and_no_other_does() {
        let (mut limiter, now) = (Limiter::default(), start());
        let [one, other] = [1, 2].map(|n| IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)));
        assert_eq!(limiter.take(one, LIMIT, now), Ok(()));
        assert_eq!(limiter.take(one, LIMIT, now), Ok(()));
        assert_eq!(limiter.take(one, LIMIT, now), Err(Duration::from_secs(5)));
        assert_eq!(limiter.take(other, LIMIT, now), Ok(()));
        let almost = now + Duration::from_secs(5) - Duration::from_nanos(1);
        assert_eq!(limiter.take(one, LIMIT, almost), Err(Duration::from_millis(1)));
        assert_eq!(limiter.take(one, LIMIT, now + Duration::from_secs(5)), Ok(()));
    }

    #[test]
    fn the_addresses_of_one_network_share_a_bucket() {
        for (one, other, is_shared) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.2", false),
        ] {
            let (mut limiter, now) = (Limiter::default(), start());
            for _ in 0..2 {
                limiter.take(one.parse().unwrap(), LIMIT, now).unwrap();
            }
            let is_refused = limiter.take(other.parse().unwrap(), LIMIT, now).is_err();
            assert_eq!(is_refused, is_shared, "{one} {other}");
        }
    }

    #[test]
    fn addresses_are_forgotten() {
        let (mut limiter, now) = (Limiter::default(), start());
        for n in 0..100 {
            limiter.take(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)), LIMIT, now).unwrap();
        }
        limiter.take(IpAddr::V4(Ipv4Addr::LOCALHOST), LIMIT, now + LIMIT.period).unwrap();
        assert_eq!(limiter.full.len(), 1);
    }
}
