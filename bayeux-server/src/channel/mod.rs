//! Channels: the handle that an application holds, and the register of all.
//!
//! A handle stands for its name. The channel it was got for may have been removed since, by somebody or by
//! the sweeper: what is then added to it or set goes to the channel that has the name now, and if none
//! has, the removed one is registered again first.

mod group;
mod handle;
mod life;
mod order;
mod register;
mod server_channel;
mod settings;
mod tellings;
mod turns;

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, OnceLock, TryLockError, Weak,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use bayeux_api::{
    Attributes, ChannelId,
    implement::{self, Hook, Listeners, Member, lock},
    server::{Access, Authorizer, Reach, ServerChannel, ServerChannelListener},
};

pub(crate) use group::Group;
pub(crate) use life::Found;
pub(crate) use order::NoTurn;
pub(crate) use register::Channels;

use crate::{
    channel::settings::Settings,
    cluster::Interest,
    server::{Inner, Server},
    session::Session,
};

/// A channel of a [`Server`]. Its settings may be changed at any time.
///
/// This is a handle, which stands for the channel's name. The channel it was got for may have been removed
/// since, by [`remove`](Self::remove) or by the sweeper, after which somebody may have made it anew. What is
/// then added, set or subscribed goes to the channel that has the name now. If none has, the one that was
/// removed is there again, with its settings, attributes and authorizers: the listeners of channels hear
/// that it was added.
///
/// It is a [`ServerChannel`] too, as which listeners and extensions get it.
#[doc(alias("ServerChannelImpl", "ConfigurableServerChannel"))]
// There may be very many, so that what few have is apart.
pub struct Channel {
    id: ChannelId,
    server: Weak<Inner>,
    me: Weak<Self>,
    settings: Settings,
    /// The sweep that first found the channel unused; 0 while it is used.
    unused_since: AtomicU32,
    subscribers: Mutex<Subscribers>,
    pub(crate) listeners: Listeners<dyn ServerChannelListener>,
    pub(crate) authorizers: Listeners<dyn Authorizer>,
    attributes: OnceLock<Box<Mutex<Attributes>>>,
}

/// Who is subscribed. They are in the order in which they came, as far as none left: it is mostly that of
/// their memory and their sockets', which a fan-out walks through much faster than through a random one.
#[derive(Default)]
struct Subscribers {
    members: Group<Session>,
    presence: Presence,
    /// In other servers' messages, while there are members and a backplane.
    interest: Option<Box<Interest>>,
}

/// Whether a channel is in the register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    /// Not yet: it is being set up.
    #[default]
    New,
    Registered,
    /// Not any more.
    Removed,
}

/// What became of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It gets what comes after this position, if the channel has an order.
    New {
        begin: Option<u64>,
    },
    Already,
    /// The channel was removed meanwhile.
    Removed,
    /// The session has as many others as it may.
    TooMany,
}

/// Returns the channel of this very name out of those that match it, which are in order.
pub(crate) fn own(channels: &[Arc<Channel>], id: &ChannelId) -> Option<Arc<Channel>> {
    channels.last().filter(|channel| channel.id == *id).cloned()
}

/// What a channel had that was removed.
struct Left {
    members: Group<Session>,
    _interest: Option<Box<Interest>>,
    /// Dropped after unlocking, since they are the application's.
    _listeners: implement::Members<dyn ServerChannelListener>,
}

/// A channel goes at the third sweep in a row that finds it unused.
const SWEEPS: u32 = 3;

impl Channel {
    fn new(id: ChannelId, server: Weak<Inner>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            settings: Settings::of(&id),
            id,
            server,
            me: me.clone(),
            unused_since: AtomicU32::new(0),
            subscribers: Mutex::default(),
            listeners: Listeners::default(),
            authorizers: Listeners::default(),
            attributes: OnceLock::new(),
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sees this channel as an application does.
    pub(crate) fn as_dyn(self: &Arc<Self>) -> Arc<dyn ServerChannel> {
        self.clone()
    }

    fn handles(&self) -> Option<(Server, Arc<Self>)> {
        Some((Server(self.server.upgrade()?), self.me.upgrade()?))
    }

    // --- subscribers ---

    /// Returns the subscribers of now, without copying them again while they do not change.
    pub(crate) fn snapshot(&self) -> Arc<[Arc<Session>]> {
        lock(&self.subscribers).members.snapshot()
    }

    /// Counts a message that has its turn, and returns its subscribers: those who came before.
    pub(crate) fn advance(&self) -> Arc<[Arc<Session>]> {
        let mut subscribers = lock(&self.subscribers);
        self.settings.order().advance();
        subscribers.members.snapshot()
    }

    pub(crate) fn is_without_subscribers(&self) -> bool {
        lock(&self.subscribers).members.is_empty()
    }

    /// Returns whether this session is subscribed.
    pub(crate) fn has(&self, session: &Session) -> bool {
        lock(&self.subscribers).members.contains(session)
    }

    /// Adds a subscriber; the `interest` of the first is kept for all, if there is a backplane.
    pub(crate) fn insert(&self, session: Arc<Session>, interest: Option<Interest>) -> Inserted {
        let mut subscribers = lock(&self.subscribers);
        if subscribers.presence == Presence::Removed {
            return Inserted::Removed;
        }
        self.use_again();
        match subscribers.members.insert(session) {
            true => {
                if subscribers.interest.is_none() {
                    subscribers.interest = interest.map(Box::new);
                }
                Inserted::New { begin: self.settings.position() }
            }
            false => Inserted::Already,
        }
    }

    pub(crate) fn remove_subscriber(&self, session: &Session) -> bool {
        let mut subscribers = lock(&self.subscribers);
        let is_removed = subscribers.members.remove(session);
        let is_last = subscribers.members.is_empty();
        let interest = subscribers.interest.take_if(|_| is_last);
        drop(subscribers);
        drop(interest);
        is_removed
    }

    // --- presence ---

    fn presence(&self) -> Presence {
        lock(&self.subscribers).presence
    }

    fn is_new(&self) -> bool {
        self.presence() == Presence::New
    }

    fn is_registered(&self) -> bool {
        self.presence() == Presence::Registered
    }

    /// Notes that the channel is registered now.
    fn enter(&self) {
        lock(&self.subscribers).presence = Presence::Registered;
    }

    /// Notes that nobody will register the channel that was being set up.
    fn give_up(&self) {
        let mut subscribers = lock(&self.subscribers);
        if subscribers.presence == Presence::New {
            subscribers.presence = Presence::Removed;
        }
    }

    /// Notes that the channel is registered no more, unless it was used after the sweep that found it
    /// unused, if it is for that one.
    fn leave(&self, unused_since: Option<u32>) -> Option<Left> {
        let mut subscribers = lock(&self.subscribers);
        if unused_since.is_some_and(|since| self.unused_since.load(Relaxed) != since) {
            return None;
        }
        let listeners = self.listeners.members();
        self.listeners.clear();
        subscribers.presence = Presence::Removed;
        let members = mem::take(&mut subscribers.members);
        Some(Left { members, _interest: subscribers.interest.take(), _listeners: listeners })
    }

    // --- use ---

    /// Starts the count of sweeps again.
    fn use_again(&self) {
        self.unused_since.store(0, Relaxed);
    }

    /// Tells at a glance, for the sweeper, whether the channel is used for certain.
    fn is_plainly_used(&self) -> bool {
        let has_subscribers = match self.subscribers.try_lock() {
            Ok(subscribers) => !subscribers.members.is_empty(),
            Err(TryLockError::Poisoned(subscribers)) => !subscribers.get_ref().members.is_empty(),
            Err(TryLockError::WouldBlock) => true,
        };
        let is_used = has_subscribers
            || self.settings.are_kept()
            || self.id.is_meta()
            || !self.authorizers.is_empty();
        if is_used && self.unused_since.load(Relaxed) != 0 {
            self.use_again();
        }
        is_used
    }

    /// Counts a sweep that found the channel not plainly used; returns since which it is unused, if it has
    /// to go for that.
    fn is_over(&self, sweep: u32) -> Option<u32> {
        let hook = Hook("ServerChannelListener::is_weak", self.id.as_str());
        let keeps = |listener: Member<'_, dyn ServerChannelListener>| {
            listener.ask(hook, |it| it.is_weak()) != Some(true)
        };
        if self.listeners.members().iter().any(keeps) {
            self.use_again();
            return None;
        }
        let counted = self.unused_since.compare_exchange(0, sweep, Relaxed, Relaxed);
        let since = counted.map_or_else(|since| since, |_| sweep);
        (sweep.wrapping_sub(since) >= SWEEPS - 1).then_some(since)
    }

    pub(crate) fn describe(&self, out: &mut String) {
        use fmt::Write as _;
        let subscribers = self.snapshot();
        let _ = writeln!(
            out,
            "  {} subscribers={} listeners={} authorizers={}{}{}{}{}{}",
            self.id,
            subscribers.len(),
            self.listeners.members().len(),
            self.authorizers.members().len(),
            if self.settings.is_persistent() { " persistent" } else { "" },
            if self.settings.is_lazy() { " lazy" } else { "" },
            if self.settings.is_ordered() { " ordered" } else { "" },
            if self.settings.reach() == Reach::Exact { " exact" } else { "" },
            if self.settings.access() == Access::Cluster { " cluster" } else { "" },
        );
        for session in subscribers.iter() {
            let _ = writeln!(out, "    {}", session.id());
        }
    }
}

impl Left {
    /// Lets the subscribers forget the channel.
    fn forget(mut self, channel: &Channel) {
        self.members.snapshot().iter().for_each(|session| session.forget_subscription(channel));
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
