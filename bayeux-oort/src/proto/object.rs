//! An object: this node's own part of it, and the parts of the other nodes, by node.
//!
//! A part belongs to one node, which alone changes it and counts its changes. What others know of it they have
//! from that node: updates, which are broadcast, and the whole part, which is pushed to a node that may have
//! missed some or asks for it. Everything of a node is forgotten when it leaves; what is behind is found by the
//! versions.

use std::{
    collections::BTreeMap,
    fmt, mem,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use crate::{
    Comet,
    proto::{
        info::Info,
        kind::Kind,
        node::{Aim, Answer, Duty, Node, QUIET},
        part::{Bounds, Part, Step},
        statistics::ObjectStatistics,
    },
};

/// An object of one node.
pub(crate) struct Object<K: Kind> {
    own: Comet,
    name: Arc<str>,
    object: Arc<K::Object>,
    aim: Aim,
    nodes: BTreeMap<String, Node<K>>,
    /// The versions for which somebody waits, and how many do.
    wanted: BTreeMap<u64, usize>,
    /// When the first of the nodes needs something, as far as that is new.
    due: Option<Instant>,
    /// When the whole part may be sent to all again because one node cannot be helped otherwise.
    raise_from: Instant,
    bounds: Bounds,
    random: StdRng,
    /// How many pushes there were: a node may leave and come back while one is under way.
    pushes: u64,
    outputs: Vec<Output<K>>,
    pub(crate) statistics: ObjectStatistics,
}

/// What happens to an object.
pub(crate) enum Input<K: Kind> {
    Joined(Comet),
    Left(Comet),
    /// A node has the object, or may have missed something of it.
    Observed(Comet),
    Heard(Comet, Heard<K>),
    /// The push of a number to a node was taken, or not.
    Pushed(Comet, u64, bool),
    Tick,
}

/// What a node sent.
pub(crate) enum Heard<K: Kind> {
    /// Its whole part; none when that cannot be read.
    Whole {
        version: u64,
        object: Option<Arc<K::Object>>,
        asks: Asks,
        is_ours: bool,
    },
    /// A change of it; none when that cannot be read.
    Item {
        version: u64,
        change: Option<K::Change>,
        bytes: usize,
    },
    Pull,
    /// One of ours wants to be told when this version of its part is here.
    Ask(u64),
    /// One of ours has this version of the own part.
    Reached(u64),
    /// One of ours has the object no longer.
    Gone,
}

/// Whether a whole part asks for that of whom it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    Yes,
    No,
}

/// What is to be done.
pub(crate) enum Output<K: Kind> {
    Push {
        to: Comet,
        number: u64,
        version: u64,
        object: Arc<K::Object>,
    },
    Pull(Comet),
    Ask(Comet, u64),
    Reached(Comet, u64),
    /// The whole own part, to all.
    Broadcast {
        version: u64,
        object: Arc<K::Object>,
    },
    Tell(Event<K>),
    /// What somebody waits for may have come true.
    Progress,
}

/// What the listeners are told.
pub(crate) enum Event<K: Kind> {
    Updated { old: Option<Info<K::Object>>, new: Info<K::Object> },
    Changed { info: Info<K::Object>, effect: K::Effect },
    Removed(Info<K::Object>),
}

impl<K: Kind> Object<K> {
    /// Makes one that begins at `version`, which has to be greater than any that this node had before.
    pub(crate) fn new(
        own: Comet,
        name: Arc<str>,
        object: Arc<K::Object>,
        version: u64,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            own,
            name,
            object,
            aim: Aim { version, broadcast: version, since: now },
            nodes: BTreeMap::new(),
            wanted: BTreeMap::new(),
            due: None,
            raise_from: now,
            bounds: Bounds::default(),
            random: StdRng::seed_from_u64(seed),
            pushes: 0,
            outputs: Vec::new(),
            statistics: ObjectStatistics::default(),
        }
    }

    /// Replaces the own part, and returns its new version and what it was before.
    pub(crate) fn replace(&mut self, new: Arc<K::Object>, now: Instant) -> (u64, Arc<K::Object>) {
        let old = self.info();
        let before = mem::replace(&mut self.object, new);
        self.advance(now);
        self.tell(Event::Updated { old: Some(old), new: self.info() });
        (self.aim.version, before)
    }

    /// Changes the own part, and returns its new version and what that did.
    pub(crate) fn change(&mut self, change: K::Change, now: Instant) -> (u64, K::Effect) {
        let effect = K::apply(&mut self.object, change);
        self.advance(now);
        self.tell(Event::Changed { info: self.info(), effect: effect.clone() });
        (self.aim.version, effect)
    }

    /// Advances the object to `now` with one input.
    pub(crate) fn handle(&mut self, input: Input<K>, now: Instant) {
        let comet = match input {
            Input::Joined(comet) => {
                self.nodes.entry(comet.id().to_owned()).or_insert_with(|| Node::new(comet));
                return;
            }
            Input::Left(comet) => return self.left(&comet),
            Input::Observed(comet) => {
                if let Some(node) = self.nodes.get_mut(comet.id()) {
                    node.appeared(true, now);
                }
                comet
            }
            Input::Heard(comet, heard) => {
                self.heard(&comet, heard, now);
                comet
            }
            Input::Pushed(comet, number, is_taken) => {
                self.pushed(&comet, number, is_taken, now);
                comet
            }
            Input::Tick => return self.attend_all(now),
        };
        self.attend(&comet, now);
    }

    /// A version was broadcast, as far as that was possible.
    pub(crate) fn has_broadcast(&mut self, version: u64, now: Instant) {
        let wanted = self.wanted.range(..=version).next_back();
        let is_wanted = wanted.is_some_and(|(last, _)| *last > self.aim.broadcast);
        self.aim = Aim { broadcast: version, since: now, ..self.aim };
        if is_wanted {
            self.attend_all(now);
        }
        if !self.nodes.is_empty() {
            // By then one of ours may have to be asked whether it has that.
            self.is_due(now + QUIET);
        }
    }

    /// Takes what is to be done.
    pub(crate) fn outputs(&mut self) -> Vec<Output<K>> {
        mem::take(&mut self.outputs)
    }

    /// Has the nodes be asked whether they have `version` of the own part, until
    /// [`unwant`](Self::unwant). Returns those for which that is to be found out.
    pub(crate) fn want(&mut self, version: u64, now: Instant) -> Vec<Comet> {
        *self.wanted.entry(version).or_default() += 1;
        self.attend_all(now);
        let having = self.nodes.values().filter(|node| node.has_object());
        having.map(|node| node.comet.clone()).collect()
    }

    /// Ends [`want`](Self::want).
    pub(crate) fn unwant(&mut self, version: u64) {
        let Some(count) = self.wanted.get_mut(&version) else { return };
        *count -= 1;
        if *count == 0 {
            self.wanted.remove(&version);
        }
    }

    /// Returns whether a node has applied `version` of the own part; none when it has left.
    pub(crate) fn has_applied(&self, comet: &Comet, version: u64, now: Instant) -> Option<bool> {
        self.nodes.get(comet.id()).map(|node| node.applied(now) >= version)
    }

    /// Returns when the object next needs [`Input::Tick`], if ever.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let deadline = |node: &Node<K>| node.deadline(self.aim, self.wanted_of(node, now));
        self.nodes.values().filter_map(deadline).min()
    }

    /// Takes when the [deadline](Self::deadline) may be, if it may be earlier than it was: to know it costs as
    /// much as there are nodes.
    pub(crate) fn take_due(&mut self) -> Option<Instant> {
        self.due.take()
    }

    /// Returns the nodes that have the object, to tell them something.
    pub(crate) fn ours(&self) -> Vec<Comet> {
        let ours = self.nodes.values().filter(|node| node.is_ours());
        ours.map(|node| node.comet.clone()).collect()
    }

    /// Returns the own part.
    pub(crate) fn info(&self) -> Info<K::Object> {
        Info::new(&self.own, &self.name, &self.object, self.aim.version, true)
    }

    /// Returns all parts that are known, in the order of the nodes' ids.
    pub(crate) fn infos(&self) -> Vec<Info<K::Object>> {
        let mut infos: Vec<_> =
            self.nodes.values().filter_map(|node| known(&self.name, node)).collect();
        let at = infos.partition_point(|info| info.comet() < &self.own);
        infos.insert(at, self.info());
        infos
    }

    /// Returns the own part and its version.
    pub(crate) fn snapshot(&self) -> (u64, Arc<K::Object>) {
        (self.aim.version, self.object.clone())
    }

    /// Returns a node's part if `version` is the one that follows it.
    pub(crate) fn part_before(&self, comet: &Comet, version: u64) -> Option<Arc<K::Object>> {
        let (known, object) = self.nodes.get(comet.id())?.part.known()?;
        (version.checked_sub(1) == Some(known)).then(|| object.clone())
    }

    fn advance(&mut self, now: Instant) {
        self.aim = Aim { version: self.aim.version + 1, since: now, ..self.aim };
        self.statistics.shared += 1;
    }

    fn tell(&mut self, event: Event<K>) {
        self.outputs.push(Output::Tell(event));
    }

    fn left(&mut self, comet: &Comet) {
        let Some(node) = self.nodes.remove(comet.id()) else { return };
        if let Some(info) = known(&self.name, &node) {
            self.tell(Event::Removed(info));
        }
        self.outputs.push(Output::Progress);
    }

    fn pushed(&mut self, comet: &Comet, number: u64, is_taken: bool, now: Instant) {
        let random = self.random.next_u64();
        let Some(node) = self.nodes.get_mut(comet.id()) else { return };
        node.pushed(number, is_taken, now, random);
        self.statistics.failed_pushes += u64::from(!is_taken);
    }

    fn heard(&mut self, comet: &Comet, heard: Heard<K>, now: Instant) {
        let Some(node) = self.nodes.get_mut(comet.id()) else {
            self.statistics.refused += 1;
            return;
        };
        let mut steps = Vec::new();
        let own = self.aim.version;
        match heard {
            Heard::Whole { version, object, asks, is_ours } => {
                node.appeared(false, now);
                node.made_by(is_ours);
                if asks == Asks::Yes {
                    node.asks_for_push(own, now);
                }
                node.part.whole(version, object, now, &mut steps);
            }
            Heard::Item { version, change, bytes } => {
                node.appeared(false, now);
                node.part.item(version, change, bytes, self.bounds, now, &mut steps);
            }
            Heard::Pull => {
                node.appeared(false, now);
                self.statistics.pulled += 1;
                if node.pulls(own, now) == Answer::Raise {
                    self.raise(comet, now);
                }
            }
            Heard::Ask(version) => {
                node.appeared(false, now);
                node.made_by(true);
                node.part.ask(version, now, &mut steps);
            }
            Heard::Reached(version) if version <= own => node.acknowledges(version),
            Heard::Reached(_) => self.statistics.refused += 1,
            Heard::Gone => self.gone(comet),
        }
        steps.into_iter().for_each(|step| self.step(comet, step));
    }

    /// A node has the object no longer, and is still in the cloud.
    fn gone(&mut self, comet: &Comet) {
        self.left(comet);
        self.nodes.insert(comet.id().to_owned(), Node::new(comet.clone()));
    }

    /// Helps a node that has dropped its answer: all get the whole part, as a version that is new to them.
    fn raise(&mut self, comet: &Comet, now: Instant) {
        if now < self.raise_from {
            if let Some(node) = self.nodes.get_mut(comet.id()) {
                node.owe(now);
            }
            return;
        }
        self.raise_from = now + RAISE_EVERY;
        self.aim = Aim { version: self.aim.version + 1, since: now, ..self.aim };
        self.statistics.raises += 1;
        let (version, object) = self.snapshot();
        self.outputs.push(Output::Broadcast { version, object });
    }

    fn step(&mut self, from: &Comet, step: Step<K>) {
        let info = |object: &_, version| Info::new(from, &self.name, object, version, false);
        match step {
            Step::Replaced { old, new, version } => {
                let old = old.map(|(version, old)| info(&old, version));
                let new = info(&new, version);
                self.statistics.applied += 1;
                self.tell(Event::Updated { old, new });
            }
            Step::Changed { effect, object, version } => {
                let info = info(&object, version);
                self.statistics.applied += 1;
                self.tell(Event::Changed { info, effect });
            }
            Step::Reached(version) => self.outputs.push(Output::Reached(from.clone(), version)),
            Step::Stale => self.statistics.stale += 1,
            Step::Early => self.statistics.early += 1,
            Step::Overflow => self.statistics.overflows += 1,
        }
    }

    /// Does for each node what is due.
    fn attend_all(&mut self, now: Instant) {
        let mut nodes = mem::take(&mut self.nodes);
        nodes.values_mut().for_each(|node| self.attend_to(node, now));
        self.nodes = nodes;
    }

    /// Does for one node what is due, after something happened to it.
    fn attend(&mut self, comet: &Comet, now: Instant) {
        let Some((id, mut node)) = self.nodes.remove_entry(comet.id()) else { return };
        self.attend_to(&mut node, now);
        self.nodes.insert(id, node);
    }

    fn attend_to(&mut self, node: &mut Node<K>, now: Instant) {
        let (random, wanted) = (self.random.next_u64(), self.wanted_of(node, now));
        for duty in node.duties(self.aim, wanted, &mut self.pushes, now, random) {
            self.perform(node.comet.clone(), duty);
        }
        if node.has_progressed(now) && !self.wanted.is_empty() {
            self.outputs.push(Output::Progress);
        }
        if let Some(deadline) = node.deadline(self.aim, self.wanted_of(node, now)) {
            self.is_due(deadline);
        }
    }

    fn is_due(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn perform(&mut self, to: Comet, duty: Duty) {
        let (version, object) = self.snapshot();
        self.outputs.push(match duty {
            Duty::Push(number) => {
                self.statistics.pushes += 1;
                Output::Push { to, number, version, object }
            }
            Duty::Ask(version) => Output::Ask(to, version),
            Duty::Pull => {
                self.statistics.pulls += 1;
                Output::Pull(to)
            }
        });
    }

    /// Returns the lowest version for which somebody waits and that a node has not applied.
    fn wanted_of(&self, node: &Node<K>, now: Instant) -> Option<u64> {
        let first = node.applied(now).checked_add(1)?;
        let next = self.wanted.range(first..).next();
        next.map(|(version, _)| *version).filter(|version| *version <= self.aim.broadcast)
    }
}

fn known<K: Kind>(name: &Arc<str>, node: &Node<K>) -> Option<Info<K::Object>> {
    let (version, object) = Part::known(&node.part)?;
    Some(Info::new(&node.comet, name, object, version, false))
}

/// How often all may be sent the whole part for the sake of one.
const RAISE_EVERY: Duration = Duration::from_secs(1);

impl<K: Kind> fmt::Debug for Object<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("name", &self.name)
            .field("version", &self.aim.version)
            .field("nodes", &self.nodes.values())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
mod tests;
