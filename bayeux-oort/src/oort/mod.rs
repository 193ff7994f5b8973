//! `Oort`: this node, as an application holds it.

mod events;
mod lane;
mod tellings;

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bayeux_api::{
    ChannelId, ChannelIdError, Message, Registration,
    implement::{Listeners, Told, lock},
    server::{LocalSession, ServerSession, SessionKind},
};
use bayeux_server::Server;

use crate::{
    Cloud, Comet, CometListener, Participant, SendError, Sending, StartError,
    counter::Counter,
    participant::{ChannelTaken, Participants},
};

use events::Events;
use lane::Lanes;
use tellings::Tellings;

/// A node of a cloud: a server together with what joins it to others. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Oort(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: Server,
    cloud: Arc<dyn Cloud>,
    /// On whose behalf what comes from other nodes is published here.
    session: Arc<dyn LocalSession>,
    /// What takes part, by channel. Its lock is held while participants are told who joined and left, so that
    /// one that is added meanwhile neither misses a node nor hears of it twice.
    participants: Mutex<Participants>,
    /// The channels of applications that are observed.
    observed: RwLock<Vec<ChannelId>>,
    listeners: Listeners<Told<dyn CometListener>>,
    tellings: Tellings,
    lanes: Mutex<Lanes>,
    broadcasts_dropped: Arc<Counter>,
}

impl Oort {
    /// Joins `server` to others by `cloud`.
    ///
    /// # Errors
    ///
    /// When the cloud cannot be started, or `server` refuses its own local session.
    pub async fn start(server: &Server, cloud: Arc<dyn Cloud>) -> Result<Self, StartError> {
        let session = server.new_local_session("oort");
        let refused = |error: &dyn std::fmt::Display| {
            StartError::Failed(format!("the server refuses its own session \"oort\": {error}"))
        };
        session.handshake(Message::default()).await.map_err(|error| refused(&error))?;
        let node = session.server_session().ok_or_else(|| refused(&"it has ended"))?;
        node.set_node();
        let oort = Self(Arc::new(Inner {
            server: server.clone(),
            cloud,
            session,
            participants: Mutex::default(),
            observed: RwLock::default(),
            listeners: Listeners::default(),
            tellings: Tellings::default(),
            lanes: Mutex::default(),
            broadcasts_dropped: Arc::default(),
        }));
        let events = Arc::new(Events::new(Arc::downgrade(&oort.0)));
        oort.0.cloud.start(server, events).await?;
        Ok(oort)
    }

    /// Returns the server.
    #[doc(alias = "getBayeuxServer")]
    pub fn server(&self) -> &Server {
        &self.0.server
    }

    /// Returns this node.
    #[doc(alias("getURL", "getId"))]
    pub fn own(&self) -> &Comet {
        self.0.cloud.own()
    }

    /// Returns the other nodes that have joined, in the order of their ids.
    pub fn comets(&self) -> Vec<Comet> {
        self.0.cloud.comets()
    }

    /// Returns the node that has joined with this URL.
    pub fn comet(&self, url: &str) -> Option<Comet> {
        self.comets().into_iter().find(|comet| comet.url() == url)
    }

    /// Returns how many messages of other nodes' applications reached no subscriber here, since a listener held up
    /// more of them than may wait, 16 MiB of each node, or anything for ten seconds of a node that is gone.
    pub fn broadcasts_dropped(&self) -> u64 {
        self.0.broadcasts_dropped.get()
    }

    /// Returns the session on whose behalf what comes from other nodes is published here.
    #[doc(alias = "getOortSession")]
    pub fn session(&self) -> &Arc<dyn LocalSession> {
        &self.0.session
    }

    /// Returns whether `session` is another node's, or this node's [own](Self::session).
    #[doc(alias = "isOort")]
    pub fn is_oort(&self, session: &dyn ServerSession) -> bool {
        session.kind() == SessionKind::Node
    }

    /// Has what is published on `channel`, which may be wild, on any other node reach the subscribers here.
    ///
    /// # Errors
    ///
    /// When `channel` is not the name of a broadcast channel.
    pub fn observe_channel(&self, channel: &str) -> Result<(), ObserveChannelError> {
        let id = ChannelId::new(channel)?;
        if !id.is_broadcast() {
            return Err(ObserveChannelError::NotBroadcast(id));
        }
        let mut observed = self.0.observed.write().unwrap_or_else(PoisonError::into_inner);
        if !observed.contains(&id) {
            // Under the lock: the cloud is told in the order in which it happens here.
            self.0.cloud.observe(&id);
            observed.push(id);
        }
        Ok(())
    }

    /// Ends [`observe_channel`](Self::observe_channel), and returns whether the channel was observed.
    pub fn deobserve_channel(&self, channel: &str) -> bool {
        let Ok(id) = ChannelId::new(channel) else { return false };
        let mut observed = self.0.observed.write().unwrap_or_else(PoisonError::into_inner);
        let Some(index) = observed.iter().position(|one| *one == id) else { return false };
        observed.remove(index);
        self.0.cloud.deobserve(&id);
        true
    }

    /// Returns the channels that [`observe_channel`](Self::observe_channel) was called for.
    #[doc(alias = "getObservedChannels")]
    pub fn observed_channels(&self) -> Vec<ChannelId> {
        self.0.observed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a listener to nodes that come and go. It is not told of those that are there already.
    pub fn add_comet_listener(&self, listener: Arc<dyn CometListener>) -> Registration {
        self.0.listeners.add_told(listener)
    }

    /// Adds what takes part in the cloud, with its channels, of which the broadcast ones are observed.
    /// Dropping the registration removes it. Not to be called by a [`Participant`]'s own methods.
    ///
    /// # Errors
    ///
    /// When another participant of this node has one of the channels.
    pub fn add_participant(
        &self,
        channels: &[ChannelId],
        participant: Arc<dyn Participant>,
    ) -> Result<Registration, ChannelTaken> {
        let number = lock(&self.0.participants).add(channels, participant)?;
        let broadcast = channels.iter().filter(|channel| channel.is_broadcast());
        broadcast.for_each(|channel| self.0.cloud.observe(channel));
        let (oort, channels) = (Arc::downgrade(&self.0), channels.to_vec());
        Ok(Registration::new(move || {
            let Some(oort) = oort.upgrade() else { return };
            lock(&oort.participants).remove(number);
            let broadcast = channels.iter().filter(|channel| channel.is_broadcast());
            broadcast.for_each(|channel| oort.cloud.deobserve(channel));
        }))
    }

    /// Brings a message on a participant's broadcast channel to all nodes that observe it.
    ///
    /// # Errors
    ///
    /// When it goes nowhere.
    pub async fn broadcast(&self, message: Message) -> Result<(), SendError> {
        self.0.cloud.broadcast(message).await
    }

    /// Sends a message on a service channel to one other node. It is handed over by the call itself; the
    /// future is of whether the node took it.
    pub fn send(&self, to: &Comet, message: Message) -> Sending {
        self.0.cloud.send(to, message)
    }

    /// Leaves the cloud: the others know at once. The server goes on. The listeners of its sessions are told of the end
    /// of this node's own, for which they are waited for a few seconds at most.
    pub async fn stop(&self) {
        self.0.cloud.stop().await;
        lock(&self.0.participants).end();
        let session = self.0.session.clone();
        // It is told to its end, also if nobody waits for that.
        let ended = tokio::spawn(async move { session.disconnect().await });
        let _ = tokio::time::timeout(PATIENCE, ended).await;
    }
}

/// How long a stop waits for the listeners of sessions.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a channel cannot be observed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveChannelError {
    /// It is not the name of a channel.
    #[error(transparent)]
    Name(#[from] ChannelIdError),
    /// It is a meta or service channel, whose messages go to nobody but the server.
    #[error("channel {0} cannot be observed because it is not a broadcast channel")]
    NotBroadcast(ChannelId),
}
