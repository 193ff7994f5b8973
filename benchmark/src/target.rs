//! Where a server is, and connections to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use http::Uri;
use tokio::net::{TcpSocket, TcpStream};

use crate::Result;

/// An address and a path.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    /// How requests name the host.
    pub(crate) host: String,
    pub(crate) path: String,
    /// How many bytes the system keeps for a connection that are not read yet, if it is to be told.
    receive_buffer: Option<u32>,
}

/// So many connections leave from one loopback address, which has some 28,000 ports.
pub(crate) const PER_SOURCE: usize = 10_000;

impl Target {
    pub(crate) fn new(url: &str) -> Result<Self> {
        let wrong = |reason: &dyn std::fmt::Display| {
            format!(
                "cannot use --url {url:?}, which has to be as in http://127.0.0.1:8080/cometd: {reason}"
            )
        };
        let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
        if !matches!(uri.scheme_str(), Some("http" | "ws")) {
            return Err(wrong(&"it does not begin with http:// or ws://").into());
        }
        let authority = uri.authority().ok_or_else(|| wrong(&"it has no host"))?;
        let port = authority.port_u16().unwrap_or(80);
        let mut addresses =
            (authority.host(), port).to_socket_addrs().map_err(|error| wrong(&error))?;
        let address = addresses.next().ok_or_else(|| wrong(&"its host has no address"))?;
        let (host, path) = (authority.as_str().to_owned(), uri.path().to_owned());
        Ok(Self { address, host, path, receive_buffer: None })
    }

    /// Returns the same with connections for which the system keeps few bytes that are not read.
    pub(crate) fn with_receive_buffer(&self, bytes: u32) -> Self {
        Self { receive_buffer: Some(bytes), ..self.clone() }
    }

    /// Opens the connection of this number; on the loopback interface, connections beyond 10,000
    /// leave from further addresses.
    pub(crate) async fn open(&self, number: usize) -> Result<TcpStream> {
        let stream = self.connect(number).await;
        let stream = stream.map_err(|error| format!("cannot connect to {}: {error}", self.host))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(&self, number: usize) -> std::io::Result<TcpStream> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(source) = self.source(number) {
            socket.bind(source)?;
        }
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect(self.address).await
    }

    fn source(&self, number: usize) -> Option<SocketAddr> {
        let IpAddr::V4(address) = self.address.ip() else { return None };
        let nth = u8::try_from(number / PER_SOURCE).ok().filter(|nth| *nth > 0)?;
        address.is_loopback().then(|| (Ipv4Addr::new(127, 0, 1, nth), 0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_host_or_with_another_scheme_is_refused() {
        for url in ["", "/cometd", "https://127.0.0.1/", "127.0.0.1:8080", "http://"] {
            let error = Target::new(url).unwrap_err().to_string();
            assert!(error.starts_with("cannot use --url"), "{error}");
        }
    }

    #[test]
    fn connections_spread_over_loopback_addresses() {
        let target = Target::new("http://127.0.0.1:8080/cometd").unwrap();
        assert_eq!(target.source(PER_SOURCE - 1), None);
        assert_eq!(target.source(2 * PER_SOURCE), Some(([127, 0, 1, 2], 0).into()));
        assert_eq!(target.path, "/cometd");
    }
}
