//! The sockets: one that receives what is sent to the group, beside other nodes on the same machine, and one
//! that sends to it by each interface.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::discovery::{
    DiscoveryError,
    multicast::{MulticastConfig, interfaces::Interface},
};

/// Opens the socket that receives; it is not yet a member of the group.
pub(super) fn receiver(config: &MulticastConfig) -> Result<UdpSocket, DiscoveryError> {
    let address = SocketAddr::new(where_to_bind(config), config.group_port);
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Other nodes of this machine receive at the same address; some systems want to be asked twice.
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
        socket.set_reuse_port(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Otherwise Linux adds what is sent to groups that other programs of this machine are members of.
        #[cfg(target_os = "linux")]
        match address {
            SocketAddr::V4(_) => socket.set_multicast_all_v4(false)?,
            SocketAddr::V6(_) => socket.set_multicast_all_v6(false)?,
        }
        socket.bind(&address.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|source| network(format!("receive at {address}"), source))
}

/// Opens the socket that sends.
pub(super) fn sender(config: &MulticastConfig) -> Result<UdpSocket, DiscoveryError> {
    let any = unspecified(config.group_address);
    let open = || {
        let socket = Socket::new(Domain::for_address(any), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        let hops = u32::from(config.time_to_live);
        // Looped back, so that other nodes of this machine hear it.
        if any.is_ipv4() {
            socket.set_multicast_ttl_v4(hops)?;
            socket.set_multicast_loop_v4(true)?;
        } else {
            socket.set_multicast_hops_v6(hops)?;
            socket.set_multicast_loop_v6(true)?;
        }
        socket.bind(&any.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|source| network("open a socket to advertise by".to_owned(), source))
}

/// Has `socket` receive what comes to `group` by `interface`.
pub(super) fn join(socket: &UdpSocket, group: IpAddr, interface: &Interface) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let joined = match (group, interface.address) {
        (IpAddr::V4(group), IpAddr::V4(address)) => socket.join_multicast_v4(&group, &address),
        (IpAddr::V6(group), _) => socket.join_multicast_v6(&group, interface.index),
        (IpAddr::V4(_), IpAddr::V6(_)) => Err(io::ErrorKind::AddrNotAvailable.into()),
    };
    match joined {
        // It is a member already.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(()),
        other => other,
    }
}

/// Sends `packet` to the group by `interface`.
pub(super) async fn send(
    socket: &UdpSocket,
    packet: &[u8],
    config: &MulticastConfig,
    interface: &Interface,
) -> io::Result<()> {
    let settings = SockRef::from(socket);
    match interface.address {
        IpAddr::V4(address) => settings.set_multicast_if_v4(&address)?,
        IpAddr::V6(_) => settings.set_multicast_if_v6(interface.index)?,
    }
    let group = SocketAddr::new(config.group_address, config.group_port);
    socket.send_to(packet, group).await.map(drop)
}

/// At the group's own address nothing else is received. Windows has no such thing; and the address of a group
/// that is another one on each link is not whole without an interface.
fn where_to_bind(config: &MulticastConfig) -> IpAddr {
    if let Some(address) = config.bind_address {
        return address;
    }
    let is_of_one_link = match config.group_address {
        IpAddr::V4(_) => false,
        IpAddr::V6(group) => group.segments()[0] & 0xf <= 2,
    };
    match cfg!(unix) && !is_of_one_link {
        true => config.group_address,
        false => unspecified(config.group_address).ip(),
    }
}

fn unspecified(kind: IpAddr) -> SocketAddr {
    match kind {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

fn network(what: String, source: io::Error) -> DiscoveryError {
    DiscoveryError::Network { what, source }
}
