//! The mesh: CometD's way to join nodes. Each is a Bayeux client of each other one.
//!
//! The machine of `proto/cloud` decides. The *gate* is this node's server, as far as other nodes have sessions at
//! it; a *link* is this node's client of another one. The *driver* does what the machine says.

mod builder;
mod counters;
mod driver;
mod gate;
mod inbox;
mod link;
mod misses;
mod seeking;
mod start;
mod subscriptions;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, OnceLock, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{ChannelId, Message, Registration, implement::lock};
use bayeux_server::Server;
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::Instant,
};

use crate::{
    Cloud, CloudListener, Comet, MeshConfig, SendError, Sending, StartError,
    discovery::Discovery,
    proto::{
        cloud::{LinkId, Machine, Output, Undialed},
        secret::Proof,
        url::shown,
    },
};

pub use builder::{MeshBuilder, MeshError};
pub use counters::MeshStatistics;
pub use link::OortComet;

use counters::Counters;
use inbox::Inbox;
use link::Link;
use misses::Misses;

/// What joins a node to others as CometD does: by WebSocket or long-polling to each of them. Cheap to clone.
#[derive(Clone)]
pub struct Mesh(Arc<Inner>);

pub(crate) struct Inner {
    own: Comet,
    config: MeshConfig,
    proof: Option<Proof>,
    machine: Mutex<Machine>,
    /// What the machine says, in order.
    work: mpsc::UnboundedSender<Output>,
    /// What takes it, until it is started.
    waiting: Mutex<Option<Work>>,
    /// Wakes the driver, since there may be an earlier deadline.
    wake: Arc<Notify>,
    /// What finds other nodes, and the task in which it does.
    discoveries: Vec<Arc<dyn Discovery>>,
    seeking: Mutex<Option<AbortHandle>>,
    links: Mutex<BTreeMap<LinkId, Arc<Link>>>,
    inboxes: Mutex<BTreeMap<String, Inbox>>,
    /// What is observed, and how often.
    observed: Mutex<HashMap<ChannelId, usize>>,
    started: OnceLock<Started>,
    /// What this has added to the server.
    registrations: Mutex<Vec<Registration>>,
    counters: Counters,
    misses: Misses,
}

/// What the machine says, for its driver.
type Work = mpsc::UnboundedReceiver<Output>;

/// What there is once it is started.
struct Started {
    server: Server,
    listener: Arc<dyn CloudListener>,
}

impl Mesh {
    /// Starts making the mesh of a node that others reach at `url`: an absolute URL of its Bayeux server,
    /// past any load balancer (`oort.url`).
    pub fn builder(url: &str) -> MeshBuilder {
        MeshBuilder::new(url)
    }

    /// Joins the node at `url`, and tries for ever to, until [`deobserve_comet`](Self::deobserve_comet). Nodes
    /// tell each other whom they know: one that is known is enough to find all.
    ///
    /// # Errors
    ///
    /// When `url` is none of a node, or this node's own.
    #[doc(alias = "observeComet")]
    pub fn observe_comet(&self, url: &str) -> Result<(), ObserveError> {
        self.0.input(|machine, now| machine.observe(url, now)).map_err(|cause| match cause {
            Undialed::NoUrl(reason) => ObserveError::NoUrl { url: shown(url), reason },
            Undialed::Own => ObserveError::Own,
            Undialed::TooMany => ObserveError::TooMany,
            Undialed::Stopped => ObserveError::Stopped,
        })
    }

    /// Leaves the node at `url`, in both directions, and returns whether there was one. It may come again by
    /// itself.
    #[doc(alias = "deobserveComet")]
    pub fn deobserve_comet(&self, url: &str) -> bool {
        self.0.input(|machine, now| machine.deobserve(url, now))
    }

    /// Returns the URLs of the nodes that are connected in both directions, joined or about to, in the order
    /// of their ids.
    #[doc(alias = "getKnownComets")]
    pub fn known_comets(&self) -> Vec<String> {
        lock(&self.0.machine).known()
    }

    /// Returns this node's clients of other nodes, those included that are tried, in no order.
    #[doc(alias("getComet", "findComet"))]
    pub fn oort_comets(&self) -> Vec<OortComet> {
        let links: Vec<_> = lock(&self.0.links).values().cloned().collect();
        links.iter().map(|link| link.describe()).collect()
    }

    /// Returns what was counted so far.
    pub fn statistics(&self) -> MeshStatistics {
        self.0.counters.read()
    }
}

/// Why a node is not observed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// It is not a URL of a node.
    #[error("{url:?} cannot be the URL of a node: {reason}")]
    NoUrl {
        /// The URL; without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is this node's own.
    #[error("a node does not observe itself")]
    Own,
    /// There are as many as the configuration allows.
    #[error("too many nodes are observed")]
    TooMany,
    /// This node has left the cloud.
    #[error("this node has left the cloud")]
    Stopped,
}

impl Inner {
    /// Hands something to the machine, and what it says to the driver.
    fn input<R>(&self, input: impl FnOnce(&mut Machine, std::time::Instant) -> R) -> R {
        let result = {
            let mut machine = lock(&self.machine);
            let result = input(&mut machine, Instant::now().into_std());
            for output in machine.take_outputs() {
                // The driver goes only with its runtime.
                let _ = self.work.send(output);
            }
            result
        };
        self.wake.notify_one();
        result
    }

    /// Hands a message of a node to whoever is to have it; waits while too many do.
    async fn receive(self: &Arc<Self>, comet: &Comet, message: Message) {
        // Only for a node that is known: the end of its inbox is told when it is forgotten.
        let inbox = {
            let machine = lock(&self.machine);
            machine.knows(comet).then(|| self.inbox(comet)).flatten()
        };
        if let Some(inbox) = inbox
            && !inbox.take(message).await
        {
            self.counters.messages_dropped.add(comet.url(), "too many of its messages wait");
        }
    }

    fn inbox(self: &Arc<Self>, comet: &Comet) -> Option<Inbox> {
        let started = self.started.get()?;
        let mut inboxes = lock(&self.inboxes);
        if let Some(inbox) = inboxes.get(comet.id()) {
            return Some(inbox.clone());
        }
        let inbox = Inbox::new(self, comet.clone(), started);
        inboxes.insert(comet.id().to_owned(), inbox.clone());
        Some(inbox)
    }

    fn observed_channels(&self) -> Vec<ChannelId> {
        lock(&self.observed).keys().cloned().collect()
    }

    /// Has all links subscribe to what is observed, and to nothing else.
    fn observes_others(&self) {
        lock(&self.links).values().for_each(|link| link.observes_others());
    }
}

#[async_trait]
impl Cloud for Mesh {
    fn own(&self) -> &Comet {
        &self.0.own
    }

    fn comets(&self) -> Vec<Comet> {
        lock(&self.0.machine).members().cloned().collect()
    }

    async fn start(
        &self,
        server: &Server,
        listener: Arc<dyn CloudListener>,
    ) -> Result<(), StartError> {
        start::start(&self.0, server, listener).await
    }

    fn observe(&self, channel: &ChannelId) {
        *lock(&self.0.observed).entry(channel.clone()).or_default() += 1;
        self.0.observes_others();
    }

    fn deobserve(&self, channel: &ChannelId) {
        {
            let mut observed = lock(&self.0.observed);
            match observed.get_mut(channel) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(observed.remove(channel)),
            }
        }
        self.0.observes_others();
    }

    async fn broadcast(&self, message: Message) -> Result<(), SendError> {
        let failed = |error: &dyn fmt::Display| SendError::Failed(error.to_string());
        let Started { server, .. } = self.0.started.get().ok_or(SendError::Stopped)?;
        if lock(&self.0.machine).is_stopped() {
            return Err(SendError::Stopped);
        }
        let channel = server.create_channel_if_absent(message.channel());
        let channel = channel.map_err(|error| failed(&error))?;
        channel.publish(message).await.map_err(|error| failed(&error))?;
        Ok(())
    }

    fn send(&self, to: &Comet, message: Message) -> Sending {
        let link = lock(&self.0.links).values().find(|link| link.is_to(to)).cloned();
        match link {
            Some(link) => link.publish(message),
            None => Box::pin(std::future::ready(Err(SendError::NotJoined(to.url().to_owned())))),
        }
    }

    async fn stop(&self) {
        seeking::end(&self.0);
        let links = std::mem::take(&mut *lock(&self.0.links));
        self.0.input(|machine, _| machine.stop());
        let farewells = links.values().map(|link| link.say_farewell(FAREWELL));
        futures_util::future::join_all(farewells).await;
        lock(&self.0.registrations).clear();
    }
}

/// How long the end of a session may take at another node, when this one leaves.
const FAREWELL: Duration = Duration::from_secs(2);

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mesh")
            .field("own", &self.0.own)
            .field("comets", &self.comets())
            .field("links", &self.oort_comets())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mesh")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        seeking::end(self);
        let links = std::mem::take(&mut *lock(&self.links)).into_values();
        let (Some(started), Ok(runtime)) = (self.started.get(), Handle::try_current()) else {
            return links.for_each(|link| link.abort());
        };
        // The others need not wait until they miss this node, since there is somebody to tell them.
        links
            .for_each(|link| drop(runtime.spawn(async move { link.say_farewell(FAREWELL).await })));
        for session in lock(&self.machine).sessions() {
            if let Some(session) = started.server.session(session) {
                runtime.spawn(async move { session.disconnect().await });
            }
        }
    }
}

/// Does something with the mesh, if it is still there.
fn with<R>(mesh: &Weak<Inner>, act: impl FnOnce(&Arc<Inner>) -> R) -> Option<R> {
    mesh.upgrade().map(|mesh| act(&mesh))
}
