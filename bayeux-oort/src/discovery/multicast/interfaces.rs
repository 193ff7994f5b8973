//! Which network interfaces are used.

use std::{collections::BTreeMap, io, net::IpAddr};

use if_addrs::IfAddr;

/// An interface, and one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) address: IpAddr,
}

/// Finds the interfaces that have one of the addresses `named`, or those that lead to others if none is named,
/// and loopback if there is none of these. Each has an address of the same kind as `group`.
pub(super) fn find(named: &[IpAddr], group: IpAddr) -> io::Result<Vec<Interface>> {
    Ok(choose(if_addrs::get_if_addrs()?, named, group))
}

fn choose(all: Vec<if_addrs::Interface>, named: &[IpAddr], group: IpAddr) -> Vec<Interface> {
    let mut by_name = BTreeMap::<_, Vec<_>>::new();
    for interface in all {
        by_name.entry(interface.name.clone()).or_default().push(interface);
    }
    let usable = |kind: Kind| {
        let chosen = by_name.values().filter(|addresses| match kind {
            Kind::Named => addresses.iter().any(|one| named.contains(&one.ip())),
            Kind::Leading => addresses.iter().all(leads_to_others),
            Kind::Loopback => addresses.iter().any(if_addrs::Interface::is_loopback),
        });
        chosen.filter_map(|addresses| in_the_kind_of(group, addresses)).collect::<Vec<_>>()
    };
    if !named.is_empty() {
        return usable(Kind::Named);
    }
    let leading = usable(Kind::Leading);
    if leading.is_empty() { usable(Kind::Loopback) } else { leading }
}

#[derive(Clone, Copy)]
enum Kind {
    Named,
    Leading,
    Loopback,
}

fn leads_to_others(interface: &if_addrs::Interface) -> bool {
    interface.is_oper_up() && !interface.is_loopback() && !interface.is_p2p()
}

fn in_the_kind_of(group: IpAddr, addresses: &[if_addrs::Interface]) -> Option<Interface> {
    let one = addresses.iter().find(|one| match one.addr {
        IfAddr::V4(_) => group.is_ipv4(),
        IfAddr::V6(_) => group.is_ipv6(),
    })?;
    let index = one.index.or_else(|| addresses.iter().find_map(|one| one.index));
    Some(Interface { name: one.name.clone(), index: index?, address: one.ip() })
}

#[cfg(test)]
mod tests {
    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    use super::*;

    fn interface(name: &str, index: u32, address: &str) -> if_addrs::Interface {
        let addr = match address.parse().unwrap() {
            IpAddr::V4(ip) => {
                IfAddr::V4(Ifv4Addr { ip, netmask: ip, prefixlen: 24, broadcast: None })
            }
            IpAddr::V6(ip) => {
                IfAddr::V6(Ifv6Addr { ip, netmask: ip, prefixlen: 64, broadcast: None })
            }
        };
        if_addrs::Interface {
            name: name.to_owned(),
            addr,
            index: Some(index),
            oper_status: IfOperStatus::Up,
            is_p2p: name.starts_with("tun"),
            #[cfg(windows)]
            adapter_name: name.to_owned(),
        }
    }

    fn all() -> Vec<if_addrs::Interface> {
        vec![
            interface("lo", 1, "127.0.0.1"),
            interface("eth0", 2, "10.0.0.1"),
            interface("tun0", 3, "10.8.0.1"),
            interface("eth1", 4, "fe80::4"),
            interface("lo", 1, "::1"),
            interface("eth0", 2, "fe80::2"),
        ]
    }

    fn chosen(named: &[&str], group: &str) -> Vec<String> {
        let named: Vec<_> = named.iter().map(|address| address.parse().unwrap()).collect();
        let chosen = choose(all(), &named, group.parse().unwrap());
        chosen.iter().map(|one| format!("{} {}", one.name, one.address)).collect()
    }

    #[test]
    fn those_that_lead_to_others_are_used_if_none_is_named() {
        assert_eq!(chosen(&[], "239.255.0.1"), ["eth0 10.0.0.1"]);
        assert_eq!(chosen(&[], "ff15::1"), ["eth0 fe80::2", "eth1 fe80::4"]);
    }

    #[test]
    fn loopback_is_used_if_nothing_leads_to_others() {
        let alone = vec![interface("lo", 1, "127.0.0.1"), interface("tun0", 3, "10.8.0.1")];
        let chosen = choose(alone, &[], "239.255.0.1".parse().unwrap());
        assert_eq!(chosen[0].name, "lo");
    }

    #[test]
    fn a_named_one_is_used_whatever_it_is_and_by_whichever_address() {
        assert_eq!(
            chosen(&["127.0.0.1", "10.8.0.1"], "239.255.0.1"),
            ["lo 127.0.0.1", "tun0 10.8.0.1"]
        );
        assert_eq!(chosen(&["10.0.0.1"], "ff15::1"), ["eth0 fe80::2"]);
        assert_eq!(chosen(&["192.0.2.1"], "239.255.0.1"), [""; 0]);
    }
}
