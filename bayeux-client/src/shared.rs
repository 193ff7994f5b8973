//! What the handles of one client and its tasks share.

use std::sync::{
    Arc, Mutex, OnceLock, Weak,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bayeux_api::{
    Attributes, ConnectionType, Message,
    client::{ClientExtension, InProcess, RequestError},
    implement::{Listeners, lock},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    Credentials, State, TransportListener,
    client::Owner,
    driver::Driver,
    members::{Channels, Members},
    proto::{Machine, Output},
    reply::Waiter,
    transport::Network,
};

pub(crate) struct Shared {
    core: Mutex<Core>,
    /// Wakes the driver, since the machine has something for it to do.
    pub(crate) wake: Notify,
    pub(crate) network: Network,
    pub(crate) in_process: Option<Arc<dyn InProcess>>,
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
    pub(crate) transports: Vec<ConnectionType>,
    pub(crate) extensions: Listeners<dyn ClientExtension>,
    pub(crate) transport_listeners: Listeners<dyn TransportListener>,
    pub(crate) channels: Mutex<Channels>,
    pub(crate) attributes: Mutex<Attributes>,
    /// The state as it is.
    pub(crate) state: watch::Sender<State>,
    /// The state that the listeners have been told of.
    pub(crate) settled: watch::Sender<State>,
    /// The handles, as long as there are any.
    owner: OnceLock<Weak<Owner>>,
    last_member: AtomicU64,
    /// Held by whoever tells the listeners: those of a new session hear after the old one's end.
    pub(crate) telling: tokio::sync::Mutex<()>,
}

struct Core {
    machine: Machine<Waiter>,
    /// Whether a driver runs, which does what the machine says.
    is_driven: bool,
}

impl Shared {
    pub(crate) fn new(
        machine: Machine<Waiter>,
        network: Network,
        in_process: Option<Arc<dyn InProcess>>,
        credentials: Option<Arc<dyn Credentials>>,
        transports: Vec<ConnectionType>,
    ) -> Self {
        Self {
            core: Mutex::new(Core { machine, is_driven: false }),
            wake: Notify::new(),
            network,
            in_process,
            credentials,
            transports,
            extensions: Listeners::default(),
            transport_listeners: Listeners::default(),
            channels: Mutex::default(),
            attributes: Mutex::default(),
            state: watch::Sender::new(State::Disconnected),
            settled: watch::Sender::new(State::Disconnected),
            owner: OnceLock::new(),
            last_member: AtomicU64::new(0),
            telling: tokio::sync::Mutex::default(),
        }
    }

    /// Starts a session, in the runtime of the caller.
    pub(crate) fn begin(self: &Arc<Self>, template: Message, waiter: Waiter) {
        if Handle::try_current().is_err() {
            let _ = waiter.send(Err(RequestError::NoRuntime));
            return;
        }
        self.input(|machine, now| machine.handshake(template, waiter, now));
    }

    /// Enters the machine, and sees to it that what comes of it is done.
    pub(crate) fn input<R>(
        self: &Arc<Self>,
        input: impl FnOnce(&mut Machine<Waiter>, std::time::Instant) -> R,
    ) -> R {
        let mut core = lock(&self.core);
        let result = input(&mut core.machine, Instant::now().into_std());
        if core.is_driven {
            drop(core);
            self.wake.notify_one();
        } else if core.machine.state() != State::Disconnected {
            core.is_driven = true;
            drop(core);
            Driver::spawn(Driven { shared: self.clone(), is_over: false });
        } else {
            let outputs = core.machine.take_outputs();
            drop(core);
            outputs.into_iter().for_each(resolve);
        }
        result
    }

    /// Gives the driver's own input to the machine. It looks at what comes of that before it waits, and is not woken.
    pub(crate) fn drive<R>(
        &self,
        input: impl FnOnce(&mut Machine<Waiter>, std::time::Instant) -> R,
    ) -> R {
        input(&mut lock(&self.core).machine, Instant::now().into_std())
    }

    /// Looks at the machine.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Machine<Waiter>) -> R) -> R {
        look(&lock(&self.core).machine)
    }

    /// Takes what the driver is to do, and when it is to come again; none when the session is over and
    /// everything is done.
    pub(crate) fn take_outputs(&self) -> Option<(Vec<Output<Waiter>>, Option<std::time::Instant>)> {
        let mut core = lock(&self.core);
        let outputs = core.machine.take_outputs();
        if outputs.is_empty() && core.machine.state() == State::Disconnected {
            core.is_driven = false;
            return None;
        }
        Some((outputs, core.machine.deadline()))
    }

    /// Removes the subscribers of a channel that the machine does not have any more. It may have got
    /// others since.
    pub(crate) fn forget_subscribers(&self, channel: &str) {
        if let Some(members) = self.members(channel) {
            let is_one = |member| self.look(|machine| machine.is_subscribed(channel, member));
            members.subscribers.retain(|one| is_one(one.member));
        }
    }

    /// Ends the session, since nobody does what the machine says any more.
    fn abandon(&self) {
        let mut core = lock(&self.core);
        core.is_driven = false;
        core.machine.abort("the client's runtime has ended", Instant::now().into_std());
        let outputs = core.machine.take_outputs();
        drop(core);
        self.network.clear();
        outputs.into_iter().for_each(resolve);
        self.state.send_replace(State::Disconnected);
        self.settle();
    }

    /// Has the listeners' end know what nobody has told it.
    pub(crate) fn settle(&self) {
        let channels = lock(&self.channels).names();
        channels.iter().for_each(|channel| self.forget_subscribers(channel));
        self.settled.send_replace(*self.state.borrow());
    }

    pub(crate) fn set_owner(&self, owner: Weak<Owner>) {
        let _ = self.owner.set(owner);
    }

    pub(crate) fn owner(&self) -> Weak<Owner> {
        self.owner.get().cloned().unwrap_or_default()
    }

    pub(crate) fn next_member(&self) -> u64 {
        self.last_member.fetch_add(1, Relaxed)
    }

    /// Returns who listens on a channel, none if nobody ever did.
    pub(crate) fn members(&self, channel: &str) -> Option<Arc<Members>> {
        lock(&self.channels).get(channel)
    }
}

/// What a driver holds as long as it drives the client: if it goes before the session is over, with its
/// runtime, the client is not left without one.
pub(crate) struct Driven {
    pub(crate) shared: Arc<Shared>,
    is_over: bool,
}

impl Driven {
    /// The session is over, and everything is done.
    pub(crate) fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.abandon();
        }
    }
}

/// Answers whoever waits. A client that is disconnected has nothing else to do.
fn resolve(output: Output<Waiter>) {
    if let Output::Resolve(waiter, outcome) = output {
        let _ = waiter.send(outcome);
    }
}
