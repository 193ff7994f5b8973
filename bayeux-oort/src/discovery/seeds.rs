//! Seeds: the URLs where other nodes may be, as all discoveries together say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::watch;

use crate::discovery::{check_url, shown_url};

/// Makes the seeds of the node `own`: what the first discovery tells them by, and what is read from them.
pub fn seeds(own: impl Into<Arc<str>>) -> (Seeds, SeedSet) {
    let (told, read) = watch::channel(BTreeMap::new());
    let shared = Shared { own: own.into(), told, sources: AtomicUsize::new(1) };
    (Seeds { shared: Arc::new(shared), source: 0 }, SeedSet { read })
}

/// Where a [`Discovery`](crate::discovery::Discovery) tells the URLs that it finds. Cheap to clone; clones
/// speak for the same discovery.
#[derive(Clone, Debug)]
pub struct Seeds {
    shared: Arc<Shared>,
    source: usize,
}

#[derive(Debug)]
struct Shared {
    own: Arc<str>,
    told: watch::Sender<Found>,
    sources: AtomicUsize,
}

/// What each discovery found.
type Found = BTreeMap<usize, BTreeSet<String>>;

/// A discovery that finds more is mistaken, or is being deceived.
const MOST: usize = 1_024;

impl Seeds {
    /// Returns this node's own URL.
    pub fn own(&self) -> &str {
        &self.shared.own
    }

    /// Returns where another discovery tells what it finds: the seeds are what any of them finds.
    #[must_use]
    pub fn another(&self) -> Self {
        let source = self.shared.sources.fetch_add(1, Ordering::Relaxed);
        Self { shared: self.shared.clone(), source }
    }

    /// Tells all URLs that this discovery knows of now: those that it told before and not any more are seeds
    /// no longer, unless another one says so. This node's own is left out, and so is what is no URL of a
    /// node, and all that is beyond 1,024.
    pub fn set(&self, urls: impl IntoIterator<Item = impl Into<String>>) {
        let mut found = BTreeSet::new();
        for url in urls.into_iter().map(Into::into) {
            if url == *self.shared.own {
                continue;
            }
            if let Err(reason) = check_url(&url) {
                let url = shown_url(&url);
                tracing::warn!(?url, reason, "what was found is no URL of a node");
            } else if found.len() < MOST {
                found.insert(url);
            } else {
                tracing::warn!(?url, "too many nodes were found: this one is left out");
                break;
            }
        }
        self.shared.told.send_if_modified(|all| {
            let before = all.get(&self.source);
            let is_new = before.map_or(!found.is_empty(), |before| *before != found);
            if is_new {
                tracing::debug!(?found, "nodes may be there");
                all.insert(self.source, found);
            }
            is_new
        });
    }
}

/// The seeds, as they are read.
#[derive(Clone, Debug)]
pub struct SeedSet {
    read: watch::Receiver<Found>,
}

impl SeedSet {
    /// Returns the seeds of now: what any discovery found.
    pub fn urls(&self) -> BTreeSet<String> {
        self.read.borrow().values().flatten().cloned().collect()
    }

    /// Waits until the seeds may be others than those that [`changed`](Self::changed) last returned for; for
    /// ever if there is nobody left to tell.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn changed(&mut self) {
        if self.read.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(set: &SeedSet) -> Vec<String> {
        set.urls().into_iter().collect()
    }

    #[test]
    fn a_seed_is_what_any_discovery_finds() {
        let (one, set) = seeds("http://own/");
        let other = one.another();
        one.set(["http://a/", "http://b/"]);
        other.set(["http://b/", "http://c/"]);
        assert_eq!(urls(&set), ["http://a/", "http://b/", "http://c/"]);
        one.set(["http://a/"]);
        assert_eq!(urls(&set), ["http://a/", "http://b/", "http://c/"]);
        other.set(["http://c/"]);
        assert_eq!(urls(&set), ["http://a/", "http://c/"]);
        one.set([""; 0]);
        assert_eq!(urls(&set), ["http://c/"]);
    }

    #[test]
    fn neither_the_own_url_nor_what_is_none_is_a_seed() {
        let (seeds, set) = seeds("http://own/");
        seeds.set(["http://own/", "nonsense", "http://a/"]);
        assert_eq!(urls(&set), ["http://a/"]);
    }

    #[test]
    fn there_is_a_bound() {
        let (seeds, set) = seeds("http://own/");
        seeds.set((0..2 * MOST).map(|number| format!("http://a/{number}")));
        assert_eq!(urls(&set).len(), MOST);
    }

    #[tokio::test]
    async fn who_reads_hears_of_changes_alone() {
        let (seeds, mut set) = seeds("http://own/");
        seeds.set(["http://a/"]);
        set.changed().await;
        seeds.set(["http://a/"]);
        let again = tokio::time::timeout(std::time::Duration::from_millis(20), set.changed());
        assert!(again.await.is_err());
        seeds.set(["http://b/"]);
        set.changed().await;
        assert_eq!(urls(&set), ["http://b/"]);
    }
}
