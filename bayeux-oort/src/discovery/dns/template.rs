//! The URL of a service, of which the host is a name: what its nodes' own URLs are made from.

use std::net::IpAddr;

use crate::discovery::{DiscoveryError, check_url, shown_url};

/// A URL around the name of a service. The rest is kept as it is written, since nodes know each other by the
/// text of their URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// The name that is resolved.
    pub(super) name: String,
    /// What stands before the host: `http://`.
    scheme: String,
    port: Option<u16>,
    /// What stands behind the port: `/cometd`.
    path: String,
}

impl Template {
    pub(super) fn new(url: &str) -> Result<Self, DiscoveryError> {
        let wrong = |reason: String| DiscoveryError::Url { url: shown_url(url), reason };
        check_url(url).map_err(wrong)?;
        let (before, rest) = url
            .split_once("://")
            .ok_or_else(|| wrong("there is no :// behind its scheme".to_owned()))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(wrong("there is a user in it".to_owned()));
        }
        if authority.starts_with('[') || authority.parse::<IpAddr>().is_ok() {
            return Err(wrong("its host is an address, and not a name".to_owned()));
        }
        let (name, port) = match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, None),
        };
        if name.parse::<IpAddr>().is_ok() {
            return Err(wrong("its host is an address, and not a name".to_owned()));
        }
        let port = port.map(str::parse).transpose();
        let port = port.map_err(|_| wrong("its port is no number".to_owned()))?;
        let template = Self {
            name: name.to_owned(),
            scheme: format!("{before}://"),
            port,
            path: path.to_owned(),
        };
        match template.is_service() && template.port.is_some() {
            true => Err(wrong("it has a port, which the service's records have too".to_owned())),
            false => Ok(template),
        }
    }

    /// Whether the name is that of a service (RFC 2782), as in `_bayeux._tcp.example.org`.
    pub(super) fn is_service(&self) -> bool {
        self.name.starts_with('_')
    }

    /// Returns the URL of the node at `address`.
    pub(super) fn at_address(&self, address: IpAddr) -> String {
        match address {
            IpAddr::V4(address) => self.at(&address.to_string(), self.port),
            IpAddr::V6(address) => self.at(&format!("[{address}]"), self.port),
        }
    }

    /// Returns the URL of the node at this host and port.
    pub(super) fn at(&self, host: &str, port: Option<u16>) -> String {
        let Self { scheme, path, .. } = self;
        match port {
            Some(port) => format!("{scheme}{host}:{port}{path}"),
            None => format!("{scheme}{host}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_the_services_url_at_their_own_host() {
        let template = Template::new("http://nodes.example:8080/cometd?x=1").unwrap();
        assert_eq!(template.name, "nodes.example");
        assert_eq!(template.at_address([10, 0, 0, 1].into()), "http://10.0.0.1:8080/cometd?x=1");
        let address = "fd00::1".parse().unwrap();
        assert_eq!(template.at_address(address), "http://[fd00::1]:8080/cometd?x=1");
        let bare = Template::new("https://nodes.example").unwrap();
        assert_eq!(bare.at_address([10, 0, 0, 1].into()), "https://10.0.0.1");
        let service = Template::new("http://_bayeux._tcp.nodes.example/cometd").unwrap();
        assert!(service.is_service());
        assert_eq!(service.at("a.example", Some(81)), "http://a.example:81/cometd");
    }

    #[test]
    fn what_names_no_service_is_refused_with_the_reason() {
        for (bad, word) in [
            ("nodes.example", "not absolute"),
            ("http:nodes.example", "://"),
            ("http://10.0.0.1:8080/", "address"),
            ("http://10.0.0.1/", "address"),
            ("http://[::1]:8080/", "address"),
            ("http://user@nodes.example/", "user"),
            ("http://_bayeux._tcp.example:80/", "port"),
        ] {
            let error = Template::new(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
    }
}
