//! Which server to talk to: the configured addresses, or the hosts that a server advised.

use url::Url;

/// The addresses of servers that are as good as each other.
#[derive(Debug)]
pub(crate) struct Servers {
    urls: Vec<Url>,
    current: usize,
}

/// What the next address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// One that has not been tried since the first.
    Untried,
    /// The first again: all have been tried.
    Again,
}

impl Servers {
    /// # Panics
    ///
    /// Later, when `urls` is empty, which the builder refuses.
    pub(crate) fn new(urls: Vec<Url>) -> Self {
        Self { urls, current: 0 }
    }

    pub(crate) fn current(&self) -> &Url {
        &self.urls[self.current]
    }

    pub(crate) fn len(&self) -> usize {
        self.urls.len()
    }

    /// Goes on to the next address.
    pub(crate) fn advance(&mut self) -> Next {
        self.current = (self.current + 1) % self.urls.len();
        if self.current == 0 { Next::Again } else { Next::Untried }
    }

    /// Uses `url` until the next [`advance`](Self::advance).
    pub(crate) fn set_current(&mut self, url: Url) {
        match self.urls.iter().position(|known| *known == url) {
            Some(index) => self.current = index,
            None => {
                self.urls.insert(self.current, url);
            }
        }
    }

    /// Takes the `hosts` of an advice, unless the current one is among them. What is no host is left
    /// out.
    pub(crate) fn advise(&mut self, hosts: &[String]) {
        let current = self.current().clone();
        let urls: Vec<Url> =
            hosts.iter().take(MOST_HOSTS).filter_map(|host| at_host(&current, host)).collect();
        if !urls.is_empty() && !urls.contains(&current) {
            *self = Self::new(urls);
        }
    }
}

/// Replaces the host, and the port if `host` has one.
fn at_host(url: &Url, host: &str) -> Option<Url> {
    let other = Url::parse(&format!("{}://{host}/", url.scheme())).ok()?;
    let mut url = url.clone();
    url.set_host(Some(other.host_str()?)).ok()?;
    if other.port().is_some() {
        url.set_port(other.port()).ok()?;
    }
    Some(url)
}

/// The most hosts of one advice that are made use of.
const MOST_HOSTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn each_address_has_its_turn() {
        let mut servers = Servers::new(vec![url("http://a/"), url("http://b/")]);
        assert_eq!(servers.advance(), Next::Untried);
        assert_eq!(servers.current().as_str(), "http://b/");
        assert_eq!(servers.advance(), Next::Again);
    }

    #[test]
    fn advised_hosts_take_the_place_of_one_that_is_not_among_them() {
        let mut servers = Servers::new(vec![url("http://a:8080/cometd?x=1")]);
        servers.advise(&["a".to_owned(), "b".to_owned()]);
        assert_eq!(servers.len(), 1);
        servers.advise(&["not a host".to_owned(), "b".to_owned(), "c:9090".to_owned()]);
        assert_eq!(servers.current().as_str(), "http://b:8080/cometd?x=1");
        servers.advance();
        assert_eq!(servers.current().as_str(), "http://c:9090/cometd?x=1");
    }
}
