//! Where the nodes are: at which ports they listen, and where they are reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Finds `count` different ports, those behind `address` or, in place of one that is taken, any that is free.
pub(crate) fn free_ports(address: SocketAddr, count: usize) -> std::io::Result<Vec<u16>> {
    let ip = address.ip();
    let listen = |offset| {
        let wanted = address.port().checked_add(offset).unwrap_or_default();
        TcpListener::bind((ip, wanted)).or_else(|_| TcpListener::bind((ip, 0)))
    };
    // All are held until the last is found: none is found twice.
    let listeners: Vec<_> = (1..).take(count).map(listen).collect::<Result<_, _>>()?;
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// Returns where on this machine one is reached that listens at `ip`, which may mean all addresses.
pub(crate) fn reachable(ip: IpAddr) -> IpAddr {
    let loopback = match ip {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    if ip.is_unspecified() { loopback } else { ip }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_listen_everywhere_are_reached_on_this_machine() {
        let reached = |listened: &str| reachable(listened.parse().expect("an address")).to_string();
        assert_eq!(reached("0.0.0.0"), "127.0.0.1");
        assert_eq!(reached("::"), "::1");
        assert_eq!(reached("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn a_port_that_is_taken_is_replaced_by_another() {
        let page = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = page.local_addr().expect("it listens");
        let next =
            address.port().checked_add(1).map(|port| TcpListener::bind((address.ip(), port)));
        let ports = free_ports(address, 3).expect("ports are free");
        assert_eq!(ports.len(), 3);
        if let Some(Ok(next)) = next {
            assert!(!ports.contains(&next.local_addr().expect("it listens").port()));
        }
    }
}
