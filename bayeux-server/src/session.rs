//! Sessions: the handle that an application holds, and the register of all.
//!
//! The handle owns one lock around one machine of [`proto::session`](crate::proto::session), and
//! wakes the session's carrier, which is the held request or the connection that delivers, after
//! unlocking.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use crate::{
    carrier::{Carrier, Written},
    channel::{Channel, Inserted},
    driver::{self, Timer, Timers, lock},
    proto::{
        browsers::BrowserId,
        session::{self as proto, Accepted, Cycle, Delivered, Delivery, Held},
    },
    server::{Inner, Server},
};
use async_trait::async_trait;
use bayeux_api::{
    Advice, Attribute, Attributes, ConnectionType, Frozen, Message, Registration,
    implement::Listeners,
    server::{
        Depth, LocalSession, Overflow, Removal, ServerChannel, ServerSession,
        ServerSessionListener, SessionExtension,
    },
};

/// A session of a [`Server`].
pub struct Session {
    id: Arc<str>,
    server: Weak<Inner>,
    me: Weak<Self>,
    pub(crate) origin: Origin,
    core: Mutex<Core>,
    hooks: OnceLock<Box<Hooks>>,
}

/// Where a session comes from.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// None for a local session.
    pub(crate) transport: Option<ConnectionType>,
    pub(crate) browser: Option<BrowserId>,
    pub(crate) user_agent: Option<Box<str>>,
    pub(crate) local: Option<Weak<dyn LocalSession>>,
}

struct Core {
    machine: proto::Session,
    carried: Option<Carried>,
    subscriptions: Vec<Arc<Channel>>,
    /// When the driver next looks at this session.
    timer: Option<Timer>,
}

/// What an application added; most sessions have none.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) extensions: Listeners<dyn SessionExtension>,
    pub(crate) listeners: Listeners<dyn ServerSessionListener>,
    attributes: Mutex<Attributes>,
}

/// What delivers to a session now.
struct Carried {
    carrier: Arc<Carrier>,
    turn: Turn,
    /// When somebody else last wrote to the carrier.
    written: Option<Instant>,
}

/// Whose turn it is to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The carrier waits: it has to be woken, or written to.
    Anybody,
    /// The carrier is awake, and looks again before it waits.
    Carrier,
    /// So it is, and there is something new.
    CarrierAgain,
}

/// Who is left to be told of a message that was queued.
#[derive(Debug)]
pub(crate) enum Tell {
    Nobody,
    Wake(Arc<Carrier>),
    /// The session's messages can be [written](Session::write).
    Write,
}

/// What is left to do when a session has ended.
pub(crate) struct Ended {
    pub(crate) subscriptions: Vec<Arc<Channel>>,
    carrier: Option<Arc<Carrier>>,
}

impl Session {
    pub(crate) fn new(
        id: Arc<str>,
        server: Weak<Inner>,
        origin: Origin,
        machine: proto::Session,
    ) -> Arc<Self> {
        let core = Core { machine, carried: None, subscriptions: Vec::new(), timer: None };
        Arc::new_cyclic(|me| Self {
            id,
            server,
            me: me.clone(),
            origin,
            core: Mutex::new(core),
            hooks: OnceLock::new(),
        })
    }

    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.id
    }

    /// Sees this session as an application does.
    pub(crate) fn as_dyn(self: &Arc<Self>) -> Arc<dyn ServerSession> {
        self.clone()
    }

    /// Returns what an application added, if it added anything.
    pub(crate) fn hooks(&self) -> Option<&Hooks> {
        self.hooks.get().map(|hooks| &**hooks)
    }

    fn hooks_mut(&self) -> &Hooks {
        self.hooks.get_or_init(Box::default)
    }

    /// Returns the listeners of now.
    pub(crate) fn listeners(&self) -> Arc<[Arc<dyn ServerSessionListener>]> {
        match self.hooks() {
            Some(hooks) => hooks.listeners.snapshot(),
            None => Arc::default(),
        }
    }

    // --- life ---

    pub(crate) fn handshaken(&self) -> bool {
        let now = driver::now();
        self.with_timer(|core| core.machine.handshaken(now))
    }

    pub(crate) fn touch(&self) {
        lock(&self.core).machine.touch(driver::now());
    }

    /// Accepts a connect; one that is held is overtaken and woken to see it.
    pub(crate) fn connect(&self, advice: Option<&Advice>, ack: Option<u64>) -> Option<Accepted> {
        let now = driver::now();
        let (accepted, carrier) = self.with_timer(|core| {
            let accepted = core.machine.connect(advice, now);
            if let Some(batch) = ack.filter(|_| core.machine.is_acknowledged()) {
                core.machine.acknowledge(batch);
            }
            (accepted, core.carrier())
        });
        wake(carrier);
        accepted
    }

    pub(crate) fn hold(&self, accepted: Accepted, pushes: bool) -> Option<Duration> {
        lock(&self.core).machine.hold(accepted, pushes, driver::now())
    }

    /// Asks what a held connect does now.
    pub(crate) fn held(&self, cycle: Cycle, pushes: bool, now: Instant) -> Held {
        lock(&self.core).machine.held(cycle, pushes, now)
    }

    /// Takes back that a connect is held.
    pub(crate) fn let_go(&self, cycle: Cycle) {
        lock(&self.core).machine.let_go(cycle, driver::now());
    }

    pub(crate) fn replied(&self, cycle: Cycle) {
        let now = driver::now();
        self.with_timer(|core| core.machine.replied(cycle, now));
    }

    /// Ends the session, with a last message to its client.
    pub(crate) fn end(&self, removal: Removal, farewell: Option<Arc<Frozen>>) -> Ended {
        let mut core = lock(&self.core);
        if let Some(farewell) = farewell {
            let now = driver::now();
            core.machine.deliver(farewell, None, Some(Overflow::DropOldest), now);
        }
        core.machine.remove(removal);
        if let (Some(timer), Some(server)) = (core.timer.take(), self.server.upgrade()) {
            server.timers.disarm(timer);
        }
        if removal != Removal::Disconnected && removal != Removal::Removed {
            core.machine.clear();
        }
        Ended { subscriptions: std::mem::take(&mut core.subscriptions), carrier: core.carrier() }
    }

    /// Tells whether the session's time is over; if not, the timers get to know when it will be.
    pub(crate) fn is_over_or_arms(&self, timers: &Timers, now: Instant) -> bool {
        let mut core = lock(&self.core);
        if core.machine.is_over(now) {
            return true;
        }
        if core.timer.is_some_and(|timer| timer.at > now) {
            // The deadline moved while the driver came here.
            return false;
        }
        core.timer = None;
        self.arm(&mut core, timers);
        false
    }

    fn with_timer<T>(&self, change: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = lock(&self.core);
        let result = change(&mut core);
        if let Some(server) = self.server.upgrade() {
            self.arm(&mut core, &server.timers);
        }
        result
    }

    fn arm(&self, core: &mut Core, timers: &Timers) {
        let Some(deadline) = core.machine.deadline() else { return };
        let is_earlier = core.timer.is_none_or(|timer| deadline < timer.at);
        if is_earlier && self.origin.transport.is_some() {
            core.timer = Some(timers.arm(core.timer, deadline, self.me.clone()));
        }
    }

    /// Tells whether the client is not in this process.
    pub(crate) fn is_of_network(&self) -> bool {
        self.origin.transport.is_some_and(|transport| transport != ConnectionType::InProcess)
    }

    pub(crate) fn removal(&self) -> Option<Removal> {
        lock(&self.core).machine.removal()
    }

    // --- the carrier ---

    /// Makes `carrier` the one that delivers; the one before is woken a last time, to see it.
    pub(crate) fn attach(&self, carrier: &Arc<Carrier>, turn: Turn) {
        let carried = Carried { carrier: carrier.clone(), turn, written: None };
        let before = lock(&self.core).carried.replace(carried).map(|before| before.carrier);
        wake(before.filter(|before| !Arc::ptr_eq(before, carrier)));
    }

    pub(crate) fn detach(&self, carrier: &Arc<Carrier>) {
        let mut core = lock(&self.core);
        if core.is_carried_by(carrier) {
            core.carried = None;
        }
    }

    /// Takes the turn for `carrier`, which is awake; tells when somebody else last wrote to it.
    pub(crate) fn take_turn(&self, carrier: &Arc<Carrier>) -> Option<Instant> {
        let mut core = lock(&self.core);
        let carried = core.carried.as_mut().filter(|own| Arc::ptr_eq(&own.carrier, carrier))?;
        carried.turn = Turn::Carrier;
        carried.written
    }

    /// Gives back the turn of `carrier`, which is about to wait; false when it has to look again.
    pub(crate) fn give_turn(&self, carrier: &Arc<Carrier>) -> bool {
        let mut core = lock(&self.core);
        let carried = core.carried.as_mut().filter(|own| Arc::ptr_eq(&own.carrier, carrier));
        let Some(carried) = carried else { return true };
        let has_seen_all = carried.turn != Turn::CarrierAgain;
        carried.turn = if has_seen_all { Turn::Anybody } else { Turn::Carrier };
        has_seen_all
    }

    pub(crate) fn is_carried_by(&self, carrier: &Arc<Carrier>) -> bool {
        lock(&self.core).is_carried_by(carrier)
    }

    /// Wakes the carrier, to look again.
    pub(crate) fn wake(&self) {
        let carrier = lock(&self.core).carrier();
        wake(carrier);
    }

    // --- messages ---

    /// Queues a message, and says who is to be told.
    pub(crate) fn enqueue(
        &self,
        message: Arc<Frozen>,
        lazy_timeout: Option<Duration>,
        overflow: Option<Overflow>,
        now: Instant,
    ) -> (Delivered, Tell) {
        let mut core = lock(&self.core);
        let delivered = core.machine.deliver(message, lazy_timeout, overflow, now);
        let tell = match &delivered {
            Delivered::Queued { wake: true, .. } => core.tell(),
            Delivered::Queued { wake: false, .. } | Delivered::Dropped | Delivered::Gone => {
                Tell::Nobody
            }
            Delivered::Overflowed => {
                core.machine.remove(Removal::Overflowed);
                Tell::Nobody
            }
        };
        (delivered, tell)
    }

    /// Writes what is queued to the session's connection if that waits, and wakes it if it cannot be
    /// written whole; returns how many messages were. `messages` is empty, before and after.
    pub(crate) fn write(&self, messages: &mut Vec<Arc<Frozen>>, now: Instant) -> usize {
        let has_listeners = self.hooks().is_some_and(|hooks| !hooks.listeners.is_empty());
        let mut core = lock(&self.core);
        let Core { machine, carried: Some(carried), .. } = &mut *core else { return 0 };
        if carried.turn != Turn::Anybody {
            carried.turn = Turn::CarrierAgain;
            return 0;
        }
        let is_plain = !has_listeners && machine.removal().is_none();
        let direct = carried.carrier.direct().filter(|_| is_plain);
        let mut whole = 0;
        if let Some(direct) = direct.filter(|_| machine.push_into(messages, now)) {
            let count = messages.len();
            match direct.write(messages) {
                Written::All => {
                    carried.written = Some(now);
                    return count;
                }
                Written::Part(count) => whole = count,
                Written::Nothing => {
                    machine.put_back(std::mem::take(messages));
                }
            }
            // Nobody else may write before the connection has written the rest.
            carried.turn = Turn::CarrierAgain;
        }
        carried.carrier.wake();
        whole
    }

    pub(crate) fn is_full_for(&self, message: &Frozen) -> bool {
        lock(&self.core).machine.is_full_for(message)
    }

    /// Takes what a connection has to send now, and tells when it has to look again.
    pub(crate) fn push(&self, now: Instant) -> (Option<Vec<Arc<Frozen>>>, Option<Instant>) {
        let mut core = lock(&self.core);
        let due = core.machine.push(now);
        let again = core.machine.push_deadline();
        core.has_looked();
        (due, again)
    }

    pub(crate) fn drain_with_response(&self) -> Vec<Arc<Frozen>> {
        lock(&self.core).machine.drain_with_response()
    }

    pub(crate) fn drain_with_connect(&self, cycle: Cycle) -> (Option<u64>, Vec<Arc<Frozen>>) {
        lock(&self.core).machine.drain_with_connect(cycle)
    }

    pub(crate) fn drain_with_reply(&self) -> (Option<u64>, Vec<Arc<Frozen>>) {
        lock(&self.core).machine.drain_with_reply()
    }

    /// Puts back what could not be delivered.
    pub(crate) fn put_back(&self, messages: Vec<Arc<Frozen>>) {
        if messages.is_empty() {
            return;
        }
        let count = messages.len();
        let mut core = lock(&self.core);
        if core.machine.is_acknowledged() {
            return;
        }
        let dropped = core.machine.put_back(messages);
        let carrier = core.carrier();
        drop(core);
        if let Some(server) = self.server.upgrade() {
            server.counters.messages_requeued.add(count - dropped.min(count));
            server.counters.messages_dropped.add(dropped);
        }
        wake(carrier);
    }

    pub(crate) fn enable_acknowledgements(&self) {
        lock(&self.core).machine.enable_acknowledgements();
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        lock(&self.core).machine.is_acknowledged()
    }

    // --- advice ---

    pub(crate) fn take_advice(&self, transport: Option<ConnectionType>) -> Option<Advice> {
        lock(&self.core).machine.take_advice(transport)
    }

    pub(crate) fn advise_again(&self) {
        lock(&self.core).machine.advise_again();
    }

    // --- subscriptions ---

    /// Records a subscription on both sides; none when the session has ended.
    pub(crate) fn subscribe(&self, channel: &Arc<Channel>) -> Option<Inserted> {
        let mut core = lock(&self.core);
        if !core.machine.is_handshook() {
            return None;
        }
        let inserted = channel.insert(self.me.upgrade()?);
        if inserted == Inserted::New {
            core.subscriptions.push(channel.clone());
        }
        Some(inserted)
    }

    /// Takes a subscription back on both sides; false when there is none.
    pub(crate) fn unsubscribe(&self, channel: &Channel) -> bool {
        let mut core = lock(&self.core);
        let was_there = channel.remove_subscriber(&self.id);
        if was_there {
            core.forget_subscription(channel);
        }
        was_there
    }

    pub(crate) fn forget_subscription(&self, channel: &Channel) {
        lock(&self.core).forget_subscription(channel);
    }

    pub(crate) fn subscription_count(&self) -> usize {
        lock(&self.core).subscriptions.len()
    }

    pub(crate) fn describe(&self, out: &mut String) {
        use fmt::Write as _;
        let core = lock(&self.core);
        let depth = core.machine.depth();
        let deadline = core.machine.deadline();
        let left = deadline.map(|at| at.saturating_duration_since(driver::now()).as_millis());
        let _ = writeln!(
            out,
            "  {} {} state={} queue={}/{}B subscriptions={} expires_in={}",
            self.id,
            self.origin.transport.map_or("local", ConnectionType::as_str),
            core.machine.state_name(),
            depth.messages,
            depth.bytes,
            core.subscriptions.len(),
            left.map_or_else(|| "-".to_owned(), |left| format!("{left}ms")),
        );
    }
}

impl Core {
    fn forget_subscription(&mut self, channel: &Channel) {
        let place = self.subscriptions.iter().position(|own| std::ptr::eq(&**own, channel));
        if let Some(place) = place {
            self.subscriptions.swap_remove(place);
        }
    }

    fn carrier(&self) -> Option<Arc<Carrier>> {
        self.carried.as_ref().map(|carried| carried.carrier.clone())
    }

    fn is_carried_by(&self, carrier: &Arc<Carrier>) -> bool {
        self.carried.as_ref().is_some_and(|own| Arc::ptr_eq(&own.carrier, carrier))
    }

    /// Says who is to be told that there is something new.
    fn tell(&mut self) -> Tell {
        match &mut self.carried {
            None => Tell::Nobody,
            Some(carried) if carried.turn != Turn::Anybody => {
                carried.turn = Turn::CarrierAgain;
                Tell::Nobody
            }
            Some(carried) if carried.carrier.direct().is_some() => Tell::Write,
            Some(carried) => Tell::Wake(carried.carrier.clone()),
        }
    }

    /// Notes that the carrier has looked at all there is.
    fn has_looked(&mut self) {
        if let Some(carried) = self.carried.as_mut().filter(|own| own.turn == Turn::CarrierAgain) {
            carried.turn = Turn::Carrier;
        }
    }
}

impl Ended {
    /// Wakes the carrier of the session that ended.
    pub(crate) fn wake(&self) {
        wake(self.carrier.clone());
    }
}

fn wake(carrier: Option<Arc<Carrier>>) {
    if let Some(carrier) = carrier {
        carrier.wake();
    }
}

#[async_trait]
impl ServerSession for Session {
    fn id(&self) -> &str {
        &self.id
    }

    fn is_handshook(&self) -> bool {
        lock(&self.core).machine.is_handshook()
    }

    fn is_connected(&self) -> bool {
        lock(&self.core).machine.is_connected()
    }

    fn is_local_session(&self) -> bool {
        self.origin.local.is_some()
    }

    fn local_session(&self) -> Option<Arc<dyn LocalSession>> {
        self.origin.local.as_ref()?.upgrade()
    }

    fn user_agent(&self) -> Option<&str> {
        self.origin.user_agent.as_deref()
    }

    fn transport(&self) -> Option<ConnectionType> {
        self.origin.transport
    }

    fn subscriptions(&self) -> Vec<Arc<dyn ServerChannel>> {
        lock(&self.core).subscriptions.iter().map(Channel::as_dyn).collect()
    }

    fn queue_depth(&self) -> Depth {
        lock(&self.core).machine.depth()
    }

    fn timeout(&self) -> Option<Duration> {
        lock(&self.core).machine.own_timeout()
    }

    fn set_timeout(&self, timeout: Option<Duration>) {
        lock(&self.core).machine.set_timeout(timeout);
    }

    fn interval(&self) -> Option<Duration> {
        lock(&self.core).machine.own_interval()
    }

    fn set_interval(&self, interval: Option<Duration>) {
        lock(&self.core).machine.set_interval(interval);
    }

    fn max_interval(&self) -> Option<Duration> {
        lock(&self.core).machine.own_max_interval()
    }

    fn set_max_interval(&self, max_interval: Option<Duration>) {
        lock(&self.core).machine.set_max_interval(max_interval);
    }

    fn is_meta_connect_delivery_only(&self) -> bool {
        lock(&self.core).machine.delivery() == Delivery::ConnectOnly
    }

    fn set_meta_connect_delivery_only(&self, only: bool) {
        let delivery = if only { Delivery::ConnectOnly } else { Delivery::Any };
        let mut core = lock(&self.core);
        core.machine.set_delivery(delivery);
        let carrier = core.carrier();
        drop(core);
        wake(carrier);
    }

    fn is_broadcast_to_publisher(&self) -> bool {
        lock(&self.core).machine.is_broadcast_to_publisher()
    }

    fn set_broadcast_to_publisher(&self, broadcast: bool) {
        lock(&self.core).machine.set_broadcast_to_publisher(broadcast);
    }

    fn start_batch(&self) {
        lock(&self.core).machine.start_batch();
    }

    fn end_batch(&self) -> bool {
        let mut core = lock(&self.core);
        let delivers = core.machine.end_batch();
        let carrier = core.carrier().filter(|_| core.machine.is_waiting());
        drop(core);
        wake(carrier);
        delivers
    }

    fn add_extension(&self, extension: Arc<dyn SessionExtension>) -> Registration {
        self.hooks_mut().extensions.add(extension)
    }

    fn add_listener(&self, listener: Arc<dyn ServerSessionListener>) -> Registration {
        self.hooks_mut().listeners.add(listener)
    }

    async fn deliver(&self, sender: Option<&Arc<dyn ServerSession>>, message: Message) -> bool {
        let (Some(server), Some(me)) = (self.server.upgrade().map(Server), self.me.upgrade())
        else {
            return false;
        };
        let sender = sender.and_then(|session| server.0.sessions.get(session.id()));
        server.deliver_from_server(sender.as_ref(), &me, message).await
    }

    async fn disconnect(&self) {
        if let (Some(server), Some(me)) = (self.server.upgrade().map(Server), self.me.upgrade()) {
            server.disconnect_session(&me).await;
        }
    }

    fn attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.hooks()?.attributes).get(name)
    }

    fn set_attribute(&self, name: &str, value: Attribute) -> Option<Attribute> {
        lock(&self.hooks_mut().attributes).set(name, value)
    }

    fn remove_attribute(&self, name: &str) -> Option<Attribute> {
        lock(&self.hooks()?.attributes).remove(name)
    }

    fn attribute_names(&self) -> Vec<String> {
        self.hooks().map(|hooks| lock(&hooks.attributes).names()).unwrap_or_default()
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

/// All sessions by id, in parts that are locked apart.
#[derive(Default)]
pub(crate) struct Sessions {
    shards: [RwLock<HashMap<Arc<str>, Arc<Session>>>; 16],
}

impl Sessions {
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.shard(id).read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn insert(&self, session: Arc<Session>) {
        let id = session.shared_id().clone();
        let mut shard = self.shard(&id).write().unwrap_or_else(PoisonError::into_inner);
        shard.insert(id, session);
    }

    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut shard = self.shard(id).write().unwrap_or_else(PoisonError::into_inner);
        shard.remove(id).is_some()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        let read = |shard: &RwLock<HashMap<_, Arc<Session>>>| -> Vec<_> {
            shard.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
        };
        self.shards.iter().flat_map(read).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// By the end of the id, which is random.
    fn shard(&self, id: &str) -> &RwLock<HashMap<Arc<str>, Arc<Session>>> {
        let end = id.bytes().rev().take(4);
        let sum = end.fold(0, |sum: usize, byte| 31 * sum + usize::from(byte));
        &self.shards[sum % self.shards.len()]
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sessions", self.len())
    }
}
