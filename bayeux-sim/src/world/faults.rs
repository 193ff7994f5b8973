//! What faults do to nodes, and to what is between them.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use crate::{
    Death, Fault, Input, Node, Place,
    world::{Happening, Site, World},
};

impl<N: Node> World<N> {
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), String> {
        self.note(format_args!("-- {fault:?}"));
        let now = self.clock.now();
        match fault {
            Fault::Start(place) => return self.start(place),
            Fault::Stop(place) => return self.stop(place),
            Fault::Crash(place, death) => self.crash(place, death),
            Fault::Pause(place, time) => self.pause(place, time),
            Fault::Cut(from, to) => drop(self.truth.cut(from, to)),
            Fault::Mend(from, to) => {
                self.truth.mend(from, to);
                self.network.retry(&self.truth, now, &mut self.events);
            }
            Fault::Partition(side) => self.partition(&side),
            Fault::Heal => {
                for (from, to) in self.truth.cuts() {
                    self.truth.mend(from, to);
                }
                self.network.retry(&self.truth, now, &mut self.events);
            }
            Fault::Break(one, other) => {
                self.network.break_between(one, other, now, &mut self.events);
            }
            Fault::Forget(one, other) => self.network.forget_between(one, other),
        }
        Ok(())
    }

    fn start(&mut self, place: Place) -> Result<(), String> {
        if self.sites.contains_key(&place) {
            return Ok(());
        }
        let incarnation = self.truth.start(place);
        let mut random = self.random.fork();
        let node = (self.make)(place, incarnation, &mut random);
        let site = Site {
            node,
            random,
            deadline: None,
            wake: None,
            paused_until: None,
            inbox: VecDeque::new(),
        };
        self.sites.insert(place, site);
        // What was on its way to a host that was off gets an answer now.
        self.network.retry(&self.truth, self.clock.now(), &mut self.events);
        self.input(place, Input::Start)
    }

    fn stop(&mut self, place: Place) -> Result<(), String> {
        // Whoever stops it waits for it.
        if let Some(site) = self.sites.get_mut(&place) {
            let inbox = std::mem::take(&mut site.inbox);
            inbox.into_iter().try_for_each(|input| self.input(place, input))?;
            self.input(place, Input::Stop)?;
        }
        self.crash(place, Death::Killed);
        Ok(())
    }

    fn crash(&mut self, place: Place, death: Death) {
        if self.sites.remove(&place).is_some() {
            self.truth.end(place);
            if death == Death::PowerOff {
                self.truth.darken(place);
            }
            self.network.gone(place, &self.truth, self.clock.now(), &mut self.events);
        }
    }

    fn pause(&mut self, place: Place, time: Duration) {
        let until = self.clock.now() + time;
        let Some(life) = self.truth.life(place) else { return };
        if let Some(site) = self.sites.get_mut(&place) {
            let until = site.paused_until.map_or(until, |earlier| earlier.max(until));
            site.paused_until = Some(until);
            self.events.add(until, Happening::Resume(place, life.incarnation));
        }
    }

    fn partition(&mut self, side: &BTreeSet<Place>) {
        let places: Vec<_> = self.truth.places().collect();
        for (from, to) in places.iter().flat_map(|from| places.iter().map(move |to| (*from, *to))) {
            if side.contains(&from) != side.contains(&to) {
                self.truth.cut(from, to);
            }
        }
    }
}
