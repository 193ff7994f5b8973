//! The server: the handle that an application holds, and what it stands for.

use std::{
    fmt,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Poll, Waker},
};

use bayeux_api::{
    ConnectionType, Message,
    implement::{Intake, Listeners},
    meta,
    server::{
        Backplane, ChannelListener, Inlet, QueueBounds, Removal, SecurityPolicy, ServerExtension,
        SessionListener, SubscriptionListener,
    },
};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::{
    builder::Builder,
    channel::Channels,
    cluster::Cluster,
    config::{self, Config, TransportConfig},
    counters::Counters,
    doors::Doors,
    driver::{self, Driving, Timers},
    ids::Ids,
    proto::{
        browsers::Browsers,
        limiter::Limiter,
        session::{self as proto, Delivery},
    },
    session::{Ended, Noted, Origin, Session, Sessions},
};

/// A Bayeux server. Cheap to clone: all clones are the same server, which ends with the last of
/// them and of the services and connections made from it. Local sessions do not keep it, and end with
/// it: the server's own listeners may have them.
#[derive(Clone)]
#[doc(alias = "BayeuxServerImpl")]
pub struct Server(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: Config,
    /// What the sessions of each transport share.
    rules: [Arc<TransportConfig>; 3],
    /// What local sessions share.
    local_rules: Arc<TransportConfig>,
    pub(crate) sessions: Sessions,
    pub(crate) channels: Channels,
    /// The other servers, if there is a backplane.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) browsers: Mutex<Browsers>,
    pub(crate) limiter: Mutex<Limiter>,
    pub(crate) policy: RwLock<Option<Arc<dyn SecurityPolicy>>>,
    pub(crate) extensions: Listeners<dyn ServerExtension>,
    pub(crate) channel_listeners: Listeners<dyn ChannelListener>,
    pub(crate) session_listeners: Listeners<dyn SessionListener>,
    pub(crate) subscription_listeners: Listeners<dyn SubscriptionListener>,
    pub(crate) counters: Counters,
    pub(crate) doors: Doors,
    pub(crate) ids: Ids,
    pub(crate) timers: Timers,
    /// Whether the driver runs, as [`Driving`] notes.
    pub(crate) is_driven: AtomicBool,
    is_stopped: AtomicBool,
    pub(crate) stopping: Notify,
    pub(crate) websockets: TaskTracker,
}

impl Server {
    /// Makes a server with the default configuration and policy.
    ///
    /// ```
    /// let server = bayeux_server::Server::new();
    /// # let _ = server;
    /// ```
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Starts making a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn from_parts(
        config: Config,
        policy: Option<Arc<dyn SecurityPolicy>>,
        backplane: Option<Arc<dyn Backplane>>,
        seed: Option<u64>,
    ) -> Self {
        let QueueBounds { messages, bytes, overflow, .. } = config.local_queue;
        let local_rules = TransportConfig {
            max_queue: messages,
            max_queue_bytes: bytes,
            queue_overflow: overflow,
            ..config.transport(ConnectionType::InProcess).clone()
        };
        let rules = config.each_transport(|transport| Arc::new(transport.clone()));
        let server = Self(Arc::new(Inner {
            config,
            rules,
            local_rules: Arc::new(local_rules),
            sessions: Sessions::default(),
            channels: Channels::default(),
            cluster: backplane.map(Cluster::new),
            browsers: Mutex::default(),
            limiter: Mutex::default(),
            policy: RwLock::new(policy),
            extensions: Listeners::default(),
            channel_listeners: Listeners::default(),
            session_listeners: Listeners::default(),
            subscription_listeners: Listeners::default(),
            counters: Counters::default(),
            doors: Doors::default(),
            ids: Ids::new(seed),
            timers: Timers::new(),
            is_driven: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            stopping: Notify::new(),
            websockets: TaskTracker::new(),
        }));
        for id in
            [meta::HANDSHAKE, meta::CONNECT, meta::SUBSCRIBE, meta::UNSUBSCRIBE, meta::DISCONNECT]
        {
            server.create_channel_if_absent(id).expect("meta channels have valid names");
        }
        if let Some(cluster) = &server.0.cluster {
            let intake = Arc::downgrade(&server.0) as Weak<dyn Intake>;
            cluster.start(Inlet::new(intake));
        }
        server
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Stops the server at once: held connects are answered, connections closed and nothing is accepted any
    /// more; [`drain`](Self::drain) does so in good order. Sessions are not told that they are removed, as in
    /// CometD. Nothing comes from other servers any more, and their channels are left.
    pub fn stop(&self) {
        self.0.is_stopped.store(true, Relaxed);
        self.0.stopping.notify_waiters();
        // Held connects look whether it is stopped when they are woken.
        self.0.sessions.all().iter().for_each(|session| session.wake());
        self.0.websockets.close();
        self.0.cluster.iter().for_each(Cluster::end);
    }

    /// Waits until this server was [stopped](Self::stop). It takes its place among those who are to be
    /// told when it first waits, and not again: there is one lock for all places, and each connection
    /// asks whenever it wakes.
    pub(crate) async fn stopped(&self) {
        let mut told = pin!(self.0.stopping.notified());
        let mut waits: Option<Waker> = None;
        poll_fn(|context| {
            let has_place = waits.as_ref().is_some_and(|own| own.will_wake(context.waker()));
            if !has_place && told.as_mut().poll(context).is_pending() {
                waits = Some(context.waker().clone());
            }
            if self.0.is_stopped() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits until this server was [stopped](Self::stop), has closed its WebSockets, of which a
    /// graceful shutdown in another server, such as axum's, knows nothing, and has left the channels of its
    /// [`Backplane`]. Peers that take nothing hold it up for the time that writing may take
    /// ([`WebSocketConfig::write_timeout`]).
    ///
    /// [`WebSocketConfig::write_timeout`]: crate::WebSocketConfig::write_timeout
    pub async fn closed(&self) {
        self.0.websockets.wait().await;
        if let Some(cluster) = &self.0.cluster {
            cluster.left().await;
        }
    }

    /// Makes a session that is not registered yet.
    pub(crate) fn new_session(&self, hint: Option<&str>, origin: Origin) -> Arc<Session> {
        let transport = origin.transport.unwrap_or(ConnectionType::InProcess);
        let config = self.0.config.transport(transport);
        let delivery = match config.meta_connect_deliver_only && origin.transport.is_some() {
            true => Delivery::ConnectOnly,
            false => Delivery::Any,
        };
        let rules = match origin.transport {
            Some(transport) => config::of(transport, self.0.rules.each_ref()),
            None => &self.0.local_rules,
        };
        let machine =
            proto::Session::new(rules.clone(), delivery, self.0.config.broadcast_to_publisher);
        Session::new(self.0.ids.session(hint), Arc::downgrade(&self.0), origin, machine)
    }

    /// Starts the driver unless there is one: with the first message, since only from then on there is
    /// something to do, and certainly a runtime to do it on; and again when that runtime has ended.
    pub(crate) fn drive(&self) {
        let is_driven = &self.0.is_driven;
        if !is_driven.load(Relaxed) && !self.0.is_stopped() && !is_driven.swap(true, Relaxed) {
            tokio::spawn(driver::run(Driving::of(&self.0)));
        }
    }

    /// Ends a session and tells whom it concerns; false when somebody else did. It is over before anybody
    /// is told, however long that takes.
    pub(crate) async fn end_session(
        &self,
        session: &Arc<Session>,
        removal: Removal,
        farewell: Option<Message>,
    ) -> bool {
        if !self.0.sessions.remove(session.id()) {
            return false;
        }
        tracing::debug!(session = session.id(), ?removal, "session removed");
        match removal {
            Removal::Expired => self.0.counters.sessions_expired.increment(),
            Removal::Overflowed => self.0.counters.sessions_overflowed.increment(),
            Removal::Disconnected | Removal::Removed => {}
            _ => {}
        }
        let noted = self.end(session, removal, farewell);
        self.tell(session, noted, None).await;
        true
    }

    fn end(&self, session: &Arc<Session>, removal: Removal, farewell: Option<Message>) -> Noted {
        let mut ended: Ended = session.end(removal, farewell.map(Message::freeze));
        self.0.counters.messages_dropped.add(ended.dropped);
        ended.subscriptions.retain(|channel| channel.remove_subscriber(session));
        match self.hears_of_end(session, &ended.subscriptions) {
            true => session.note_end(removal, ended.subscriptions),
            false => Noted::default(),
        }
    }

    pub(crate) async fn disconnect_session(&self, session: &Arc<Session>) {
        let mut farewell = Message::new(meta::DISCONNECT);
        farewell.successful = Some(true);
        let farewell = session.is_handshook().then_some(farewell);
        self.end_session(session, Removal::Removed, farewell).await;
    }

    pub(crate) fn policy(&self) -> Option<Arc<dyn SecurityPolicy>> {
        self.0.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inner {
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }
}

/// A session and its channels have each other, and would stay.
impl Drop for Inner {
    fn drop(&mut self) {
        self.cluster.iter().for_each(Cluster::end);
        for session in self.sessions.all() {
            session.end(Removal::Removed, None);
        }
        self.channels.end();
        self.timers.end();
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("sessions", &self.0.sessions)
            .field("channels", &self.0.channels.len())
            .finish_non_exhaustive()
    }
}
