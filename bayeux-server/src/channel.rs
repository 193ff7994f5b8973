//! Channels: the handle that an application holds, and the register of all.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock, Weak,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use bayeux_api::{
    Attribute, Attributes, ChannelId, Message, Registration,
    implement::{Hook, Listeners, Member, lock},
    server::{Authorizer, PublishError, ServerChannel, ServerChannelListener, ServerSession},
};
use indexmap::IndexMap;

use crate::{
    server::{Inner, Server},
    session::Session,
};

/// A channel of a [`Server`].
pub struct Channel {
    id: ChannelId,
    wild_ids: Vec<String>,
    server: Weak<Inner>,
    me: Weak<Self>,
    settings: Mutex<Settings>,
    subscribers: Mutex<Subscribers>,
    pub(crate) listeners: Listeners<dyn ServerChannelListener>,
    pub(crate) authorizers: Listeners<dyn Authorizer>,
    attributes: Mutex<Attributes>,
    /// How many sweeps in a row found the channel unused.
    unused: AtomicU8,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) persistent: bool,
    pub(crate) lazy: bool,
    pub(crate) lazy_timeout: Option<Duration>,
    pub(crate) broadcast_to_publisher: bool,
}

/// Who is subscribed, with a copy for fan-out that is made when first needed after a change.
#[derive(Default)]
struct Subscribers {
    /// In the order in which they came, as far as none left: it is mostly that of their memory and their
    /// sockets', which a fan-out walks through much faster than through a random one.
    members: IndexMap<Arc<str>, Arc<Session>>,
    snapshot: Option<Arc<[Arc<Session>]>>,
    is_removed: bool,
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    New,
    Already,
    /// The channel was removed meanwhile.
    Removed,
    /// The session has as many others as it may.
    TooMany,
}

/// A channel goes at the third sweep in a row that finds it unused.
const SWEEPS: u8 = 3;

impl Channel {
    pub(crate) fn new(id: ChannelId, server: Weak<Inner>) -> Arc<Self> {
        let settings = Settings {
            persistent: !id.is_broadcast(),
            lazy: false,
            lazy_timeout: None,
            broadcast_to_publisher: true,
        };
        Arc::new_cyclic(|me| Self {
            wild_ids: id.wild_ids(),
            id,
            server,
            me: me.clone(),
            settings: Mutex::new(settings),
            subscribers: Mutex::default(),
            listeners: Listeners::default(),
            authorizers: Listeners::default(),
            attributes: Mutex::default(),
            unused: AtomicU8::new(0),
        })
    }

    pub(crate) fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Returns the subscribers of now, without copying them again while they do not change.
    pub(crate) fn snapshot(&self) -> Arc<[Arc<Session>]> {
        let mut subscribers = lock(&self.subscribers);
        let Subscribers { members, snapshot, .. } = &mut *subscribers;
        snapshot.get_or_insert_with(|| members.values().cloned().collect()).clone()
    }

    pub(crate) fn is_without_subscribers(&self) -> bool {
        lock(&self.subscribers).members.is_empty()
    }

    pub(crate) fn insert(&self, session: Arc<Session>) -> Inserted {
        let mut subscribers = lock(&self.subscribers);
        if subscribers.is_removed {
            return Inserted::Removed;
        }
        self.use_again();
        if subscribers.members.insert(session.shared_id().clone(), session).is_some() {
            return Inserted::Already;
        }
        subscribers.snapshot = None;
        Inserted::New
    }

    /// Returns whether this session is subscribed.
    pub(crate) fn has(&self, session: &str) -> bool {
        lock(&self.subscribers).members.contains_key(session)
    }

    pub(crate) fn remove_subscriber(&self, session: &str) -> bool {
        let mut subscribers = lock(&self.subscribers);
        let was_there = subscribers.members.swap_remove(session).is_some();
        if was_there {
            subscribers.snapshot = None;
        }
        was_there
    }

    fn use_again(&self) {
        self.unused.store(0, Relaxed);
    }

    fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.settings));
    }

    /// Counts one sweep; true when the channel has to go, which it then has for its subscribers.
    fn sweep(&self) -> bool {
        // Before locking, since it is the application's code.
        let hook = Hook("ServerChannelListener::is_weak", self.id.as_str());
        let keeps = |listener: Member<'_, dyn ServerChannelListener>| {
            listener.ask(hook, |it| it.is_weak()) != Some(true)
        };
        let is_listened_to = self.listeners.members().iter().any(keeps);
        let mut subscribers = lock(&self.subscribers);
        let is_used = self.id.is_meta()
            || self.settings().persistent
            || !subscribers.members.is_empty()
            || !self.authorizers.is_empty()
            || is_listened_to;
        if is_used {
            self.use_again();
            return false;
        }
        subscribers.is_removed = self.unused.fetch_add(1, Relaxed) + 1 >= SWEEPS;
        subscribers.is_removed
    }

    pub(crate) fn forget_subscribers(&self) {
        let sessions: Vec<_> = {
            let mut subscribers = lock(&self.subscribers);
            subscribers.is_removed = true;
            subscribers.snapshot = None;
            subscribers.members.drain(..).map(|(_, session)| session).collect()
        };
        sessions.iter().for_each(|session| session.forget_subscription(self));
    }

    /// Sees this channel as an application does.
    pub(crate) fn as_dyn(self: &Arc<Self>) -> Arc<dyn ServerChannel> {
        self.clone()
    }

    pub(crate) fn describe(&self, out: &mut String) {
        use fmt::Write as _;
        let settings = self.settings();
        let _ = writeln!(
            out,
            "  {} subscribers={} listeners={} authorizers={}{}{}",
            self.id,
            lock(&self.subscribers).members.len(),
            self.listeners.members().len(),
            self.authorizers.members().len(),
            if settings.persistent { " persistent" } else { "" },
            if settings.lazy { " lazy" } else { "" },
        );
        for session in self.snapshot().iter() {
            let _ = writeln!(out, "    {}", session.id());
        }
    }
}

#[async_trait]
impl ServerChannel for Channel {
    fn id(&self) -> &ChannelId {
        &self.id
    }

    fn is_persistent(&self) -> bool {
        self.settings().persistent
    }

    fn set_persistent(&self, persistent: bool) {
        self.use_again();
        self.change(|settings| settings.persistent = persistent);
    }

    fn is_lazy(&self) -> bool {
        self.settings().lazy
    }

    fn set_lazy(&self, lazy: bool) {
        self.change(|settings| {
            settings.lazy = lazy;
            settings.lazy_timeout = settings.lazy_timeout.filter(|_| lazy);
        });
    }

    fn lazy_timeout(&self) -> Option<Duration> {
        self.settings().lazy_timeout
    }

    fn set_lazy_timeout(&self, timeout: Duration) {
        self.change(|settings| {
            settings.lazy = true;
            settings.lazy_timeout = Some(timeout);
        });
    }

    fn is_broadcast_to_publisher(&self) -> bool {
        self.settings().broadcast_to_publisher
    }

    fn set_broadcast_to_publisher(&self, broadcast: bool) {
        self.change(|settings| settings.broadcast_to_publisher = broadcast);
    }

    fn add_listener(&self, listener: Arc<dyn ServerChannelListener>) -> Registration {
        self.use_again();
        self.listeners.add(listener)
    }

    fn add_authorizer(&self, authorizer: Arc<dyn Authorizer>) -> Registration {
        self.authorizers.add(authorizer)
    }

    fn subscribers(&self) -> Vec<Arc<dyn ServerSession>> {
        self.snapshot().iter().map(Session::as_dyn).collect()
    }

    async fn subscribe(&self, session: &dyn ServerSession) -> bool {
        let Some((server, channel)) = self.handles() else { return false };
        let Some(session) = server.0.sessions.get(session.id()) else { return false };
        server.subscribe_session(&session, &channel, None).await == Ok(Inserted::New)
            || session.is_handshook() && !self.id.is_meta()
    }

    async fn unsubscribe(&self, session: &dyn ServerSession) -> bool {
        let Some((server, channel)) = self.handles() else { return false };
        let Some(session) = server.0.sessions.get(session.id()) else { return false };
        if self.id.is_meta() {
            return false;
        }
        server.unsubscribe_session(&session, &channel, None).await;
        session.is_handshook()
    }

    async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        message: Message,
    ) -> Result<bool, PublishError> {
        if self.id.is_wild() {
            return Err(PublishError::Wild);
        }
        let Some((server, channel)) = self.handles() else { return Ok(false) };
        let from = from.and_then(|session| server.0.sessions.get(session.id()));
        server.publish_from_server(from.as_ref(), &channel, message).await
    }

    fn remove(&self) {
        if let Some((server, channel)) = self.handles() {
            server.remove_channel(&channel);
        }
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.attributes).get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(&self.attributes).set(name, value)
    }
}

impl Channel {
    fn handles(&self) -> Option<(Server, Arc<Self>)> {
        Some((Server(self.server.upgrade()?), self.me.upgrade()?))
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.id)
            .field("subscribers", &lock(&self.subscribers).members.len())
            .finish_non_exhaustive()
    }
}

/// All channels.
#[derive(Debug, Default)]
pub(crate) struct Channels(RwLock<Register>);

#[derive(Debug, Default)]
struct Register {
    by_name: HashMap<Arc<str>, Arc<Channel>>,
    /// How many of them are wild.
    wild: usize,
}

impl Channels {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Channel>> {
        self.read().by_name.get(name).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().by_name.len()
    }

    /// Returns all channels, sorted by name.
    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        let mut channels: Vec<_> = self.read().by_name.values().cloned().collect();
        channels.sort_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        channels
    }

    /// Returns the channels that exist out of those that match `id`, `/**` first, itself last.
    pub(crate) fn matching(&self, id: &ChannelId) -> Vec<Arc<Channel>> {
        let register = self.read();
        let channels = &register.by_name;
        match channels.get(id.as_str()) {
            own if register.wild == 0 => own.cloned().into_iter().collect(),
            Some(channel) => {
                let wild = channel.wild_ids.iter().rev();
                let wild = wild.filter_map(|name| channels.get(name.as_str()));
                wild.chain([channel]).cloned().collect()
            }
            None => {
                let wild = id.wild_ids();
                wild.iter().rev().filter_map(|name| channels.get(name.as_str())).cloned().collect()
            }
        }
    }

    /// Adds `channel` unless one of its name exists; returns the one that is there then.
    pub(crate) fn insert(&self, channel: Arc<Channel>) -> Result<(), Arc<Channel>> {
        let mut register = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(existing) = register.by_name.get(channel.id.as_str()) {
            return Err(existing.clone());
        }
        register.wild += usize::from(channel.id.is_wild());
        register.by_name.insert(channel.id.name().clone(), channel);
        Ok(())
    }

    /// Removes this very channel, and lets its subscribers forget it.
    pub(crate) fn remove(&self, channel: &Arc<Channel>) -> bool {
        let mut register = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let existing = register.by_name.get(channel.id.as_str());
        let is_there = existing.is_some_and(|existing| Arc::ptr_eq(existing, channel));
        if is_there {
            register.by_name.remove(channel.id.as_str());
            register.wild -= usize::from(channel.id.is_wild());
            drop(register);
            channel.forget_subscribers();
            channel.listeners.clear();
        }
        is_there
    }

    /// Removes the channels that nobody uses and returns them.
    pub(crate) fn sweep(&self) -> Vec<Arc<Channel>> {
        let candidates = self.all();
        let unused = candidates.into_iter().filter(|channel| channel.sweep());
        unused.filter(|channel| self.remove(channel)).collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Register> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
