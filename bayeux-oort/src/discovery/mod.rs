//! Discovery: who tells this node at which URLs other nodes are.
//!
//! CometD has a list of its own ([`StaticList`]) and packets on the local network ([`Multicast`]); clouds have
//! the DNS name of a service ([`Dns`]). What they find are [seeds](Seeds): URLs that are tried for as long as
//! they are seeds. No discovery ends a link: a node that is not found any more may be as alive as ever.

mod dns;
mod multicast;
mod seeds;
mod static_list;

use std::{fmt, future::Future, io, pin::Pin, sync::Arc};

use bayeux_api::implement::{Hook, Member};
use futures_util::future::join_all;

pub use dns::Dns;
pub use multicast::{Multicast, MulticastConfig, MulticastStatistics};
pub use seeds::{SeedSet, Seeds, seeds};
pub use static_list::StaticList;

pub(crate) use crate::proto::url::{check as check_url, shown as shown_url};

/// Finds out at which URLs other nodes are.
///
/// Started once the node can be reached at its own URL: who hears of it dials it at once.
///
/// ```
/// use bayeux_oort::discovery::{Discovery, DiscoveryError, Running, Seeds};
///
/// /// The nodes that a file names, one a line.
/// #[derive(Debug)]
/// struct File(std::path::PathBuf);
///
/// impl Discovery for File {
///     fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError> {
///         let path = self.0.clone();
///         Ok(Box::pin(async move {
///             loop {
///                 if let Ok(text) = tokio::fs::read_to_string(&path).await {
///                     seeds.set(text.lines());
///                 }
///                 tokio::time::sleep(std::time::Duration::from_secs(10)).await;
///             }
///         }))
///     }
/// }
/// ```
#[doc(alias("OortStaticConfigServlet", "OortMulticastConfigServlet"))]
pub trait Discovery: Send + Sync + fmt::Debug {
    /// Takes hold of what is needed, and returns the future that then tells `seeds` what it finds, each time
    /// the whole. That one runs until it is dropped; if it ends, what it told stays.
    ///
    /// # Errors
    ///
    /// When it could never find anything: a wrong configuration, a network that refuses.
    fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError>;
}

/// The future of a discovery that goes on until it is dropped.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts all of `discoveries` for the node `own`: returns the seeds that any of them finds, and the future by
/// which they go on.
///
/// # Errors
///
/// When one cannot be started; then none goes on.
pub fn start_all(
    own: impl Into<Arc<str>>,
    discoveries: &[Arc<dyn Discovery>],
) -> Result<(SeedSet, Running), DiscoveryError> {
    let own = own.into();
    let (seeds, set) = seeds(own.clone());
    let mut started = Vec::new();
    for discovery in discoveries {
        let running = Member::of(&**discovery)
            .ask(Hook("Discovery::start", &own), |discovery| discovery.start(seeds.another()))
            .ok_or_else(|| DiscoveryError::Config("the discovery panicked".to_owned()))?;
        started.push(running?);
    }
    let running = async move {
        let hook = Hook("Discovery", &own);
        join_all(started.into_iter().map(|running| hook.caught(running))).await;
    };
    Ok((set, Box::pin(running)))
}

/// Why a discovery could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The node's own URL is among those of the others.
    #[error("{0:?} is this node's own URL, which cannot be one of the others")]
    OwnUrl(String),
    /// A URL cannot be that of a node.
    #[error("{url:?} cannot be the URL of a node: {reason}")]
    Url {
        /// The URL; without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration contradicts itself, or asks for what is not there.
    #[error("{0}")]
    Config(String),
    /// The network refuses.
    #[error("cannot {what}")]
    Network {
        /// What it refuses.
        what: String,
        /// How it says so.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    enum Odd {
        Panics,
        PanicsLater,
    }

    impl Discovery for Odd {
        fn start(&self, seeds: Seeds) -> Result<Running, DiscoveryError> {
            match self {
                Self::Panics => panic!("at once"),
                Self::PanicsLater => Ok(Box::pin(async move {
                    seeds.set(["http://odd/"]);
                    panic!("later")
                })),
            }
        }
    }

    #[tokio::test]
    async fn one_that_panics_ends_no_other() {
        let list = StaticList::new(["http://a/"]);
        let all: [Arc<dyn Discovery>; 2] = [Arc::new(Odd::PanicsLater), Arc::new(list)];
        let (mut set, running) = start_all("http://own/", &all).unwrap();
        let running = tokio::spawn(running);
        while set.urls().len() < 2 {
            set.changed().await;
        }
        assert!(!running.is_finished());
        assert_eq!(set.urls().into_iter().collect::<Vec<_>>(), ["http://a/", "http://odd/"]);
    }

    #[test]
    fn one_that_cannot_be_started_ends_the_start() {
        let own = StaticList::new(["http://own/"]);
        for odd in [Arc::new(Odd::Panics) as Arc<dyn Discovery>, Arc::new(own)] {
            assert!(start_all("http://own/", &[odd]).is_err());
        }
    }
}
