//! An address or a network of addresses, as options name them.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// One address, such as `192.0.2.1`, or a network of them, such as `10.0.0.0/8` or `2001:db8::/32`. An
/// address of IPv4 that is mapped into IPv6 (`::ffff:192.0.2.1`) is that of IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// A text is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a network")]
#[non_exhaustive]
pub struct NetworkError;

impl Network {
    /// Whether `address` is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let network: IpNet = text.parse().map_err(|_| NetworkError)?;
        let mapped = network.prefix_len().checked_sub(MAPPED);
        match (network.addr().to_canonical(), network, mapped) {
            (address @ IpAddr::V4(_), IpNet::V6(_), Some(length)) => {
                IpNet::new(address, length).map(Self).map_err(|_| NetworkError)
            }
            _ => Ok(Self(network)),
        }
    }
}

/// So many bits say that an address of IPv6 is one of IPv4 (RFC 4291, section 2.5.5.2).
const MAPPED: u8 = 96;

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => self.0.addr().fmt(f),
            false => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_however_they_are_written() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.1.2.3/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "10.0.0.1", false),
            ("0.0.0.0/0", "10.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
        ] {
            let contains = network.parse::<Network>().unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{network} {address}");
        }
    }

    #[test]
    fn what_is_read_is_written_again() {
        for text in ["192.0.2.1", "10.0.0.0/8", "::1", "2001:db8::/32"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("::ffff:10.0.0.0/104".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
        for text in ["", "localhost", "10.0.0", "10.0.0.0/33", "10.0.0.1:80", "[::1]", "*", "1"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }
}
