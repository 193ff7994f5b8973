//! The object that simulated nodes share: a list, in which nothing may be missing, come twice or be disordered.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{
    member::{Mistake, Settings},
    wire::{Data, Said},
};
use crate::{
    Comet,
    proto::{
        info::Info,
        list::{Change, Elements, List},
        object::{Asks, Heard, Input, Object, Output},
    },
};

#[derive(Debug)]
pub(super) struct Shared {
    object: Object<List<u32>>,
    /// The version of the last change, which somebody waits for.
    wanted: Option<u64>,
    mistake: Mistake,
    /// The highest version that each node sent, by its id, for [`Mistake::NoVersion`].
    sent: BTreeMap<String, u64>,
    /// Of whom a pull was sent, and which version was known then, for [`Mistake::NoPullRetry`].
    pulled: BTreeMap<String, Option<u64>>,
}

/// What is to be done for the object.
#[derive(Debug)]
pub(super) enum Act {
    Send { to: Comet, data: Data, push: Option<u64> },
    Broadcast(Data),
}

impl Shared {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        let (own, version, seed) = (settings.comet.clone(), settings.version, settings.seed);
        Self {
            object: Object::new(own, "o".into(), Arc::default(), version, seed, now),
            wanted: None,
            mistake: settings.mistake,
            sent: BTreeMap::new(),
            pulled: BTreeMap::new(),
        }
    }

    pub(super) fn change(&mut self, change: Change<u32>, now: Instant) -> Vec<Act> {
        let (version, _) = self.object.change(change.clone(), now);
        self.shared(version, Said::Item { version, change }, now)
    }

    pub(super) fn replace(&mut self, list: &[u32], now: Instant) -> Vec<Act> {
        let list: Arc<Elements<u32>> = Arc::new(list.iter().copied().collect());
        let (version, _) = self.object.replace(list.clone(), now);
        self.shared(version, Said::Whole { version, list, asks: Asks::No }, now)
    }

    fn shared(&mut self, version: u64, said: Said, now: Instant) -> Vec<Act> {
        self.wanted.replace(version).into_iter().for_each(|former| self.object.unwant(former));
        self.object.want(version, now);
        self.object.has_broadcast(version, now);
        let mut acts = vec![Act::Broadcast(Data::Object(said))];
        acts.extend(self.acts());
        acts
    }

    pub(super) fn joined(&mut self, comet: &Comet, now: Instant) -> Vec<Act> {
        self.handle(Input::Joined(comet.clone()), now)
    }

    pub(super) fn left(&mut self, comet: &Comet, now: Instant) -> Vec<Act> {
        self.sent.remove(comet.id());
        self.pulled.remove(comet.id());
        self.handle(Input::Left(comet.clone()), now)
    }

    pub(super) fn observed(&mut self, comet: &Comet, now: Instant) -> Vec<Act> {
        self.handle(Input::Observed(comet.clone()), now)
    }

    pub(super) fn heard(&mut self, comet: &Comet, said: Said, now: Instant) -> Vec<Act> {
        let heard = match said {
            Said::Whole { version, list, asks } => {
                let version = self.taken_for(comet, version);
                Heard::Whole { version, object: Some(list), asks, is_ours: true }
            }
            Said::Item { version, change } => {
                let version = self.taken_for(comet, version);
                Heard::Item { version, change: Some(change), bytes: 1 }
            }
            Said::Pull => Heard::Pull,
            Said::Ask(version) => Heard::Ask(version),
            Said::Reached(version) => Heard::Reached(version),
        };
        self.handle(Input::Heard(comet.clone(), heard), now)
    }

    /// Returns as which version what came is taken: as the one that it is, or by mistake always as a new one.
    fn taken_for(&mut self, comet: &Comet, version: u64) -> u64 {
        let sent = self.sent.entry(comet.id().to_owned()).or_default();
        *sent = version.max(*sent);
        match self.known(comet) {
            Some(known) if self.mistake == Mistake::NoVersion => version.max(known + 1),
            Some(_) | None => version,
        }
    }

    /// Returns the version that a node has sent itself of what is taken for a newer one.
    fn as_sent(&self, comet: &Comet, version: u64) -> u64 {
        self.sent.get(comet.id()).map_or(version, |sent| version.min(*sent))
    }

    /// Returns whether the pull of a node's part is sent: not, by mistake, if one was and brought nothing.
    fn is_pulled(&mut self, comet: &Comet) -> bool {
        let known = self.known(comet);
        let former = self.pulled.insert(comet.id().to_owned(), known);
        self.mistake != Mistake::NoPullRetry || former != Some(known)
    }

    fn known(&self, comet: &Comet) -> Option<u64> {
        let infos = self.object.infos();
        infos.iter().find(|info| info.comet() == comet).map(Info::version)
    }

    pub(super) fn pushed(
        &mut self,
        comet: &Comet,
        number: u64,
        is_taken: bool,
        now: Instant,
    ) -> Vec<Act> {
        self.handle(Input::Pushed(comet.clone(), number, is_taken), now)
    }

    pub(super) fn tick(&mut self, now: Instant) -> Vec<Act> {
        self.handle(Input::Tick, now)
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.object.deadline(now)
    }

    fn handle(&mut self, input: Input<List<u32>>, now: Instant) -> Vec<Act> {
        self.object.handle(input, now);
        let acts = self.acts();
        for act in &acts {
            if let Act::Broadcast(Data::Object(Said::Whole { version, .. })) = act {
                self.object.has_broadcast(*version, now);
            }
        }
        acts.into_iter().chain(self.acts()).collect()
    }

    fn acts(&mut self) -> Vec<Act> {
        let send = |to, said, push| Some(Act::Send { to, data: Data::Object(said), push });
        let outputs = self.object.outputs().into_iter();
        let act = |output| match output {
            Output::Push { to, number, version, object } => {
                send(to, Said::Whole { version, list: object, asks: Asks::No }, Some(number))
            }
            Output::Pull(to) if !self.is_pulled(&to) => None,
            Output::Pull(to) => send(to, Said::Pull, None),
            Output::Ask(to, version) => send(to, Said::Ask(version), None),
            Output::Reached(to, version) => {
                let version = self.as_sent(&to, version);
                send(to, Said::Reached(version), None)
            }
            Output::Broadcast { version, object } => {
                Some(Act::Broadcast(Data::Object(Said::Whole {
                    version,
                    list: object,
                    asks: Asks::No,
                })))
            }
            Output::Tell(_) | Output::Progress => None,
        };
        outputs.filter_map(act).collect()
    }

    /// Returns the own part, or what is known of another node's.
    pub(super) fn part(&self, comet: &Comet) -> Option<(u64, Vec<u32>)> {
        let infos = self.object.infos();
        let info = infos.iter().find(|info| info.comet() == comet)?;
        Some((self.as_sent(comet, info.version()), info.object().to_vec()))
    }

    /// Returns whether a node is known to have the last change.
    pub(super) fn is_applied_by(&self, comet: &Comet, now: Instant) -> bool {
        let version = self.wanted.unwrap_or(0);
        self.object.has_applied(comet, version, now).is_some_and(|it| it)
    }
}
