//! The list of nodes that somebody wrote down: CometD's `oort.cloud`.

use crate::discovery::{Discovery, DiscoveryError, Running, Seeds, check_url, shown_url};

/// URLs that do not change: `oort.cloud`.
///
/// CometD's tries each once, at its start; here they are tried for as long as the node is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[doc(alias("OortStaticConfigServlet", "oort.cloud"))]
pub struct StaticList(Vec<String>);

impl StaticList {
    /// Takes the URLs of other nodes.
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(urls.into_iter().map(Into::into).collect())
    }

    /// Returns the URLs.
    pub fn urls(&self) -> &[String] {
        &self.0
    }
}

impl Discovery for StaticList {
    fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError> {
        for url in &self.0 {
            if url == seeds.own() {
                return Err(DiscoveryError::OwnUrl(url.clone()));
            }
            check_url(url).map_err(|reason| DiscoveryError::Url { url: shown_url(url), reason })?;
        }
        seeds.set(&self.0);
        Ok(Box::pin(std::future::pending()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::seeds;

    fn start(urls: &[&str]) -> Result<Vec<String>, DiscoveryError> {
        let (seeds, set) = seeds("http://own/");
        let running = StaticList::new(urls.iter().copied()).start(seeds)?;
        drop(running);
        Ok(set.urls().into_iter().collect())
    }

    #[test]
    fn what_is_listed_are_the_seeds() {
        assert_eq!(start(&["http://b/", "http://a/"]).unwrap(), ["http://a/", "http://b/"]);
        assert_eq!(start(&[]).unwrap(), [""; 0]);
    }

    #[test]
    fn the_own_url_and_what_is_none_end_the_start() {
        let own = start(&["http://a/", "http://own/"]).unwrap_err();
        assert!(matches!(own, DiscoveryError::OwnUrl(url) if url == "http://own/"));
        let bad = start(&["a:8080/cometd"]).unwrap_err();
        assert!(matches!(bad, DiscoveryError::Url { url, .. } if url == "a:8080/cometd"));
    }
}
