//! An object at work: its machine, what is told and sent for it, and who looks at it.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt, mem,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bayeux_api::{
    ChannelId, Registration,
    implement::{Listeners, Told, lock},
};
use serde_json::value::RawValue;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Comet, Oort,
    object::{
        Info, ObjectError, ObjectStatistics, ShareError, Shared,
        broadcasts::{Body, Broadcast, MOST_WAITING},
        encoding::{Written, discard, message, prepared, write},
        shape::Shape,
        shared::Waits,
        telling::Ear,
        tellings::Tellings,
    },
    proto::{
        object::{Input, Object, Output},
        wire::{Action, Sent},
    },
};

/// An object as its handles have it: when the last goes it stops.
pub(crate) struct Engine<S: Shape> {
    pub(crate) inner: Arc<Inner<S>>,
    _place: Registration,
}

/// An object as its tasks have it.
pub(crate) struct Inner<S: Shape> {
    /// For its tasks.
    me: Weak<Self>,
    pub(crate) oort: Oort,
    pub(crate) name: Arc<str>,
    pub(crate) broadcast_channel: ChannelId,
    pub(crate) service_channel: ChannelId,
    pub(crate) runtime: Handle,
    state: Mutex<State<S>>,
    /// The timer has to look again.
    pub(crate) earlier: Notify,
    /// There is something to broadcast, or to tell.
    pub(crate) to_broadcast: Notify,
    pub(crate) to_tell: Notify,
    /// How much more may wait to be broadcast.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) listeners: Listeners<Told<Ear<S>>>,
    progress: watch::Sender<()>,
    pub(crate) written: tokio::sync::Mutex<Option<Written>>,
    pub(crate) failed_broadcasts: AtomicU64,
    pub(crate) stopped: CancellationToken,
}

/// What is behind the lock.
pub(crate) struct State<S: Shape> {
    pub(crate) object: Object<S>,
    pub(crate) broadcasts: VecDeque<Broadcast<S>>,
    tellings: Tellings<S>,
    /// When the timer looks next.
    armed: Option<Instant>,
    /// Nodes of which something was logged.
    warned: BTreeSet<String>,
}

impl<S: Shape> Engine<S> {
    /// Starts an object.
    pub(crate) fn start(oort: &Oort, name: &str, initial: S::Object) -> Result<Self, ObjectError> {
        let is_segment = !name.is_empty() && !name.contains(['/', '*']);
        if !is_segment {
            return Err(ObjectError::Name(name.to_owned()));
        }
        let broadcast_channel = ChannelId::new(&format!("/oort/objects/{name}"))?;
        let service_channel = ChannelId::new(&format!("/service/oort/objects/{name}"))?;
        let (name, now) = (Arc::from(name), now());
        let seed = getrandom::u64().unwrap_or_default();
        let first = first_version();
        let object =
            Object::new(oort.own().clone(), Arc::clone(&name), Arc::new(initial), first, seed, now);
        let channels = [broadcast_channel.clone(), service_channel.clone()];
        let inner = Arc::new_cyclic(|me| Inner {
            me: me.clone(),
            oort: oort.clone(),
            name,
            broadcast_channel,
            service_channel,
            runtime: Handle::current(),
            state: Mutex::new(State {
                object,
                broadcasts: VecDeque::new(),
                tellings: Tellings::default(),
                armed: None,
                warned: BTreeSet::new(),
            }),
            earlier: Notify::new(),
            to_broadcast: Notify::new(),
            to_tell: Notify::new(),
            permits: Arc::new(Semaphore::new(MOST_WAITING)),
            listeners: Listeners::default(),
            progress: watch::Sender::new(()),
            written: tokio::sync::Mutex::default(),
            failed_broadcasts: AtomicU64::new(0),
            stopped: CancellationToken::new(),
        });
        let place = oort.add_participant(&channels, inner.clone())?;
        inner.clone().spawn_tasks();
        Ok(Self { inner, _place: place })
    }

    /// Replaces the own part, and returns what it was.
    pub(crate) async fn replace(
        &self,
        new: S::Object,
    ) -> Result<Shared<Arc<S::Object>>, ShareError> {
        let new = Arc::new(new);
        let written = self.inner.write(new.clone()).await?;
        let permit = self.inner.permit(written.get().len()).await?;
        let (version, old) = self.inner.advance(|state, now| {
            let (version, old) = state.object.replace(new, now);
            state.broadcast(version, Body::Whole(written.clone()), permit);
            (version, old)
        });
        // Who writes just now has it kept.
        if let Ok(mut last) = self.inner.written.try_lock() {
            self.inner.keep(&mut last, version, &written);
        }
        Ok(Shared::new(old, version, self.inner.clone()))
    }

    /// Replaces the own part by what `update` makes of it, if it does; returns what it was. `update` is called
    /// under a lock.
    pub(crate) async fn update(
        &self,
        update: impl FnOnce(&S::Object) -> Option<S::Object> + Send,
    ) -> Result<Shared<Arc<S::Object>>, ShareError> {
        let permit = self.inner.permit(0).await?;
        let (version, old) = self.inner.advance(|state, now| {
            let (version, old) = state.object.snapshot();
            let Some(new) = update(&old) else { return Ok((version, old)) };
            let written = write(&self.inner.name, || S::write(&new))?;
            let (version, _) = state.object.replace(Arc::new(new), now);
            state.broadcast(version, Body::Whole(written.into()), permit);
            Ok::<_, ShareError>((version, old))
        })?;
        Ok(Shared::new(old, version, self.inner.clone()))
    }

    /// Changes the own part by less than the whole, as `json` says, and returns what that did.
    pub(crate) async fn change(
        &self,
        action: Action,
        json: Box<RawValue>,
        change: S::Change,
    ) -> Result<Shared<S::Effect>, ShareError> {
        let permit = self.inner.permit(json.get().len()).await?;
        let (_, object) = lock(&self.inner.state).object.snapshot();
        let change = prepared::<S>(&self.inner.name, object, change).await;
        let change = change.ok_or(ShareError::Panicked)?;
        let (version, effect) = self.inner.advance(|state, now| {
            let (version, effect) = state.object.change(change, now);
            state.broadcast(version, Body::Item(action, json), permit);
            (version, effect)
        });
        Ok(Shared::new(effect, version, self.inner.clone()))
    }

    /// Returns this node's own part.
    pub(crate) fn own(&self) -> Info<S::Object> {
        lock(&self.inner.state).object.info()
    }

    /// Returns all parts, in the order of the nodes' ids.
    pub(crate) fn infos(&self) -> Vec<Info<S::Object>> {
        lock(&self.inner.state).object.infos()
    }

    /// Returns the part of the node with `url`.
    pub(crate) fn info(&self, url: &str) -> Option<Info<S::Object>> {
        self.infos().into_iter().find(|info| info.url() == url)
    }

    pub(crate) fn statistics(&self) -> ObjectStatistics {
        let mut statistics = lock(&self.inner.state).object.statistics;
        statistics.failed_broadcasts = self.inner.failed_broadcasts.load(Ordering::Relaxed);
        statistics
    }
}

impl<S: Shape> Drop for Engine<S> {
    fn drop(&mut self) {
        self.inner.stop();
    }
}

impl<S: Shape> Inner<S> {
    /// Advances the object by `act`, and does what follows from that.
    pub(crate) fn advance<R>(&self, act: impl FnOnce(&mut State<S>, Instant) -> R) -> R {
        let now = now();
        let mut unused = Vec::new();
        let (result, outputs) = {
            let mut state = lock(&self.state);
            let result = act(&mut state, now);
            let outputs = self.settle(&mut state, &mut unused);
            (result, outputs)
        };
        self.discard(unused);
        outputs.into_iter().for_each(|output| self.perform(output));
        result
    }

    /// Has the machine take an input.
    pub(crate) fn handle(&self, input: Input<S>) {
        self.advance(|state, now| state.object.handle(input, now));
    }

    pub(crate) fn own(&self) -> &Comet {
        self.oort.own()
    }

    /// Puts what is told and broadcast in its queue, which has to be in the order of the changes; the rest is
    /// done without the lock.
    fn settle(&self, state: &mut State<S>, unused: &mut Vec<Arc<S::Object>>) -> Vec<Output<S>> {
        let audience = self.listeners.audience();
        let mut infos = Vec::new();
        let mut others = Vec::new();
        for output in state.object.outputs() {
            match output {
                Output::Tell(event) if !audience.is_empty() => {
                    let is_summed_up = state.tellings.note(event, &audience, &mut infos);
                    state.object.statistics.summed_up += u64::from(is_summed_up);
                    self.to_tell.notify_one();
                }
                Output::Tell(event) => {
                    infos.extend(event.into_unused());
                    state.tellings.idle(&mut infos);
                }
                Output::Broadcast { version, object } => {
                    state.broadcasts.push_back(Broadcast {
                        version,
                        body: Body::Object(object),
                        _permit: None,
                    });
                }
                Output::Push { .. }
                | Output::Pull(_)
                | Output::Ask(..)
                | Output::Reached(..)
                | Output::Progress => others.push(output),
            }
        }
        unused.extend(infos.into_iter().map(Info::into_shared));
        if !state.broadcasts.is_empty() {
            self.to_broadcast.notify_one();
        }
        let deadline = state.object.take_due();
        if deadline.is_some_and(|at| state.armed.is_none_or(|armed| at < armed)) {
            state.armed = deadline;
            self.earlier.notify_one();
        }
        others
    }

    fn perform(&self, output: Output<S>) {
        let (url, name) = (self.own().url(), &*self.name);
        match output {
            Output::Push { to, number, version, object } => {
                if let Some(me) = self.me.upgrade() {
                    me.push(to, number, version, object);
                }
            }
            Output::Pull(to) => self.send(&to, &Sent::pull(url, name)),
            Output::Ask(to, version) => self.send(&to, &Sent::ask(url, name, version)),
            Output::Reached(to, version) => self.send(&to, &Sent::reached(url, name, version)),
            Output::Progress => self.progress.send_modify(|()| ()),
            Output::Broadcast { .. } | Output::Tell(_) => {
                unreachable!("these were put into their queues")
            }
        }
    }

    /// Sends what is sent again if nothing comes of it.
    fn send(&self, to: &Comet, sent: &Sent<'_>) {
        let message = message(self.service_channel.as_str(), sent);
        // It is handed over by the call.
        drop(self.oort.send(to, message));
    }

    pub(crate) fn discard(&self, parts: Vec<Arc<S::Object>>) {
        discard::<S>(parts, &self.runtime);
    }

    /// Returns when the timer has to look next, and has it do so.
    pub(crate) fn arm(&self) -> Option<Instant> {
        let mut state = lock(&self.state);
        state.armed = state.object.deadline(now());
        state.armed
    }

    /// Returns a node's part if `version` is the one that follows it.
    pub(crate) fn part_before(&self, comet: &Comet, version: u64) -> Option<Arc<S::Object>> {
        lock(&self.state).object.part_before(comet, version)
    }

    pub(crate) fn state<R>(&self, act: impl FnOnce(&mut State<S>) -> R) -> R {
        act(&mut lock(&self.state))
    }

    pub(crate) fn tellings<R>(&self, act: impl FnOnce(&mut Tellings<S>) -> R) -> R {
        act(&mut lock(&self.state).tellings)
    }

    /// Counts what was not as it should be, and returns whether it is the first of that node.
    pub(crate) fn count(&self, from: &Comet, count: impl FnOnce(&mut ObjectStatistics)) -> bool {
        let mut state = lock(&self.state);
        count(&mut state.object.statistics);
        state.warned.insert(from.id().to_owned())
    }

    /// Forgets what was logged of a node.
    pub(crate) fn forget(&self, comet: &Comet) {
        lock(&self.state).warned.remove(comet.id());
    }

    fn stop(&self) {
        self.stopped.cancel();
        self.permits.close();
        self.progress.send_modify(|()| ());
        let ours = lock(&self.state).object.ours();
        let gone = Sent::gone(self.own().url(), &self.name);
        ours.iter().for_each(|comet| self.send(comet, &gone));
        // Waits for permits that nobody gives back any more are over.
        drop(mem::take(&mut lock(&self.state).broadcasts));
    }
}

impl<S: Shape> Waits for Inner<S> {
    fn want(&self, version: u64) -> Vec<Comet> {
        self.advance(|state, now| state.object.want(version, now))
    }

    fn unwant(&self, version: u64) {
        lock(&self.state).object.unwant(version);
    }

    fn has_applied(&self, comet: &Comet, version: u64) -> Option<bool> {
        lock(&self.state).object.has_applied(comet, version, now())
    }

    fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    fn progress(&self) -> watch::Receiver<()> {
        self.progress.subscribe()
    }
}

impl<S: Shape> fmt::Debug for Inner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.state).object.fmt(f)
    }
}

impl<S: Shape> fmt::Debug for Engine<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns a version that is greater than any that a node with the same URL had before, however often it
/// changed its part: fewer than a million times a second.
fn first_version() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).map_or(0, |millis| millis.saturating_mul(1000))
}
