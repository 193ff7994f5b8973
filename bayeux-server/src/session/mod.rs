//! Sessions: the handle that an application holds, and the register of all.
//!
//! The handle owns one lock around one machine of [`proto::session`](crate::proto::session), and
//! wakes the session's carrier, which is the held request or the connection that delivers, after
//! unlocking.

mod carriage;
mod delivery;
mod handle;
mod hooks;
mod life;
mod register;
mod room;
mod server_session;
mod tellings;

pub(crate) use carriage::Tell;
pub(crate) use hooks::Hooks;
pub(crate) use life::{Ack, AtWork, Ended};
pub(crate) use register::Sessions;
pub(crate) use tellings::{Event, Noted};

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bayeux_api::{
    Advice, Attributes, ConnectionType,
    implement::{Members, lock},
    server::{ConnectionLimits, DeQueueListener, ServerSession, ServerSessionListener},
};

use crate::{
    carrier::Carrier,
    channel::{Channel, Group, Inserted},
    clock,
    cluster::Interest,
    driver::Timer,
    local_session::Local,
    proto::{browsers::BrowserId, session as proto},
    server::{Inner, Server},
    session::{room::Lookouts, tellings::Tellings},
};

/// A session of a [`Server`]. It is a [`ServerSession`] too, as which listeners and extensions get it.
#[doc(alias = "ServerSessionImpl")]
pub struct Session {
    id: Arc<str>,
    server: Weak<Inner>,
    me: Weak<Self>,
    pub(crate) origin: Origin,
    core: Mutex<Core>,
    hooks: OnceLock<Box<Hooks>>,
    /// Apart from the hooks, since a delivery has nothing to do with them.
    attributes: OnceLock<Box<Mutex<Attributes>>>,
}

/// Where a session comes from, and whose it turns out to be.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// None for a local session.
    pub(crate) transport: Option<ConnectionType>,
    pub(crate) browser: Option<BrowserId>,
    pub(crate) user_agent: Option<Box<str>>,
    pub(crate) local: Option<Weak<Local>>,
    pub(crate) is_node: AtomicBool,
}

struct Core {
    machine: proto::Session<Arc<Carrier>>,
    subscriptions: Group<Channel>,
    /// When the driver next looks at this session.
    timer: Option<Timer>,
    tellings: Option<Box<Tellings>>,
    lookouts: Lookouts,
    limits: Option<Box<ConnectionLimits>>,
}

impl Session {
    pub(crate) fn new(
        id: Arc<str>,
        server: Weak<Inner>,
        origin: Origin,
        machine: proto::Session<Arc<Carrier>>,
    ) -> Arc<Self> {
        let core = Core {
            machine,
            subscriptions: Group::default(),
            timer: None,
            tellings: None,
            lookouts: Lookouts::default(),
            limits: None,
        };
        Arc::new_cyclic(|me| Self {
            id,
            server,
            me: me.clone(),
            origin,
            core: Mutex::new(core),
            hooks: OnceLock::new(),
            attributes: OnceLock::new(),
        })
    }

    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn server(&self) -> Option<Server> {
        self.server.upgrade().map(Server)
    }

    /// Sees this session as an application does.
    pub(crate) fn as_dyn(self: &Arc<Self>) -> Arc<dyn ServerSession> {
        self.clone()
    }

    /// Whether this is another node's.
    pub(crate) fn is_node(&self) -> bool {
        self.origin.is_node.load(Relaxed)
    }

    /// Returns what an application added, if it added anything.
    pub(crate) fn hooks(&self) -> Option<&Hooks> {
        self.hooks.get().map(|hooks| &**hooks)
    }

    fn attributes(&self) -> Option<MutexGuard<'_, Attributes>> {
        self.attributes.get().map(|attributes| lock(attributes))
    }

    fn hooks_mut(&self) -> &Hooks {
        self.hooks.get_or_init(Box::default)
    }

    /// Returns the listeners of now.
    pub(crate) fn listeners(&self) -> Members<dyn ServerSessionListener> {
        self.hooks().map(|hooks| hooks.listeners.members()).unwrap_or_default()
    }

    /// Returns who sees what is about to be sent.
    pub(crate) fn de_queue_listeners(&self) -> Members<dyn DeQueueListener> {
        self.hooks().map(|hooks| hooks.de_queue_listeners.members()).unwrap_or_default()
    }

    // --- advice ---

    pub(crate) fn take_advice(&self, transport: Option<ConnectionType>) -> Option<Advice> {
        lock(&self.core).machine.take_advice(transport)
    }

    pub(crate) fn advise_again(&self) {
        lock(&self.core).machine.advise_again();
    }

    // --- subscriptions ---

    /// Records a subscription on both sides, unless the session has `most` of others, and notes it for
    /// those who hear of it; none when the session has ended.
    pub(crate) fn subscribe(
        &self,
        channel: &Arc<Channel>,
        most: usize,
        interest: Option<Interest>,
        event: Option<Event>,
    ) -> Option<(Inserted, Noted)> {
        let mut core = lock(&self.core);
        if !core.machine.is_handshook() {
            return None;
        }
        if core.subscriptions.len() >= most && !core.subscriptions.contains(channel) {
            return Some((Inserted::TooMany, Noted::default()));
        }
        let inserted = channel.insert(self.me.upgrade()?, interest);
        let mut noted = Noted::default();
        if let Inserted::New { .. } = inserted {
            core.subscriptions.insert(channel.clone());
            noted = event.map(|event| core.note(event)).unwrap_or_default();
        }
        Some((inserted, noted))
    }

    /// Takes a subscription back on both sides, if there is one, and notes that.
    pub(crate) fn unsubscribe(&self, channel: &Channel, event: Option<Event>) -> Noted {
        let mut core = lock(&self.core);
        // The end of a session ends its subscriptions.
        if !core.machine.is_handshook() || !channel.remove_subscriber(self) {
            return Noted::default();
        }
        core.subscriptions.remove(channel);
        event.map(|event| core.note(event)).unwrap_or_default()
    }

    /// Forgets the subscription to a channel that was removed, unless it has come back and is subscribed to
    /// again.
    pub(crate) fn forget_subscription(&self, channel: &Channel) {
        let mut core = lock(&self.core);
        if !channel.has(self) {
            core.subscriptions.remove(channel);
        }
    }

    pub(crate) fn describe(&self, out: &mut String) {
        use fmt::Write as _;
        let core = lock(&self.core);
        let depth = core.machine.depth();
        let deadline = core.machine.deadline();
        let left = deadline.map(|at| at.saturating_duration_since(clock::now()).as_millis());
        let _ = writeln!(
            out,
            "  {} {}{} state={} queue={}/{}B subscriptions={} expires_in={}",
            self.id,
            self.origin.transport.map_or("local", ConnectionType::as_str),
            if self.is_node() { " node" } else { "" },
            core.machine.state_name(),
            depth.messages,
            depth.bytes,
            core.subscriptions.len(),
            left.map_or_else(|| "-".to_owned(), |left| format!("{left}ms")),
        );
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("transport", &self.origin.transport)
            .finish_non_exhaustive()
    }
}
