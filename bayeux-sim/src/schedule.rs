//! What happens in a run, and when: drawn from its seed before it begins.

use std::{collections::BTreeSet, time::Duration};

use crate::{Place, Random};

/// What happens, by the time since the beginning.
#[derive(Clone, Debug)]
pub struct Schedule<C> {
    pub(crate) steps: Vec<(Duration, Step<C>)>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step<C> {
    /// Something fails, or is mended.
    Fault(Fault),
    /// An application asks something of the node at a place, if it is alive.
    Ask(Place, C),
}

/// Something that fails, or is mended.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A node starts at a place, unless there is one. It knows nothing of its former life.
    Start(Place),
    /// A node ends in good order.
    Stop(Place),
    /// A node is gone.
    Crash(Place, Death),
    /// A node does nothing for so long. What comes meanwhile waits.
    Pause(Place, Duration),
    /// Nothing gets from the first to the second any more, and nobody is told.
    Cut(Place, Place),
    /// Ends one [`Cut`](Self::Cut).
    Mend(Place, Place),
    /// These and all others are cut off from each other.
    Partition(BTreeSet<Place>),
    /// Ends all cuts.
    Heal,
    /// The streams between two break, which both see.
    Break(Place, Place),
    /// What is on the way between two forgets their streams, which nobody sees. New ones work.
    Forget(Place, Place),
}

/// How a node goes that does not say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Its process ends, and its system closes its streams.
    Killed,
    /// Its host is off: nobody answers.
    PowerOff,
}

/// How often each kind of fault is drawn, relative to the others.
#[derive(Clone, Debug)]
pub struct Kinds {
    /// A crash, and a start a while later.
    pub crash: u64,
    /// An end in good order, and a start a while later.
    pub stop: u64,
    /// A node that does nothing for a while.
    pub pause: u64,
    /// A direction that is cut for a while.
    pub cut: u64,
    /// A partition, and its healing.
    pub partition: u64,
    /// Streams that break.
    pub breaks: u64,
    /// Streams that are forgotten.
    pub forget: u64,
}

impl Default for Kinds {
    fn default() -> Self {
        Self { crash: 3, stop: 1, pause: 2, cut: 3, partition: 2, breaks: 4, forget: 2 }
    }
}

impl<C> Default for Schedule<C> {
    fn default() -> Self {
        Self { steps: Vec::new() }
    }
}

impl<C> Schedule<C> {
    /// Adds what happens at a time since the beginning.
    pub fn add(&mut self, at: Duration, step: Step<C>) {
        self.steps.push((at, step));
    }

    /// Returns when something happens so far.
    pub fn times(&self) -> Vec<Duration> {
        self.steps.iter().map(|(at, _)| *at).collect()
    }

    /// Adds a fault.
    pub fn fault(&mut self, at: Duration, fault: Fault) {
        self.add(at, Step::Fault(fault));
    }

    /// Draws `count` faults from `begin` to `end`, of which each lasts for up to `longest`, then mends all,
    /// and starts whoever is not there.
    pub fn draw_faults(
        &mut self,
        random: &mut Random,
        places: &[Place],
        kinds: &Kinds,
        count: u64,
        span: (Duration, Duration),
        longest: Duration,
    ) {
        let (begin, end) = span;
        for _ in 0..count {
            let at = random.between(begin, end);
            // Short ones are as likely as long ones, of which there are more.
            let scale = longest / [1, 3, 10, 50][usize::try_from(random.below(4)).unwrap_or(0)];
            let until = (at + random.between(Duration::ZERO, scale)).min(end);
            self.draw_fault(random, places, kinds, at, until);
        }
        self.fault(end, Fault::Heal);
        places.iter().for_each(|place| self.fault(end, Fault::Start(*place)));
    }

    fn draw_fault(
        &mut self,
        random: &mut Random,
        places: &[Place],
        kinds: &Kinds,
        at: Duration,
        until: Duration,
    ) {
        let Some(one) = random.pick(places).copied() else { return };
        let others: Vec<_> = places.iter().copied().filter(|place| *place != one).collect();
        let Some(other) = random.pick(&others).copied() else { return };
        let death = if random.happens(500) { Death::Killed } else { Death::PowerOff };
        let side: BTreeSet<_> = places.iter().copied().filter(|_| random.happens(500)).collect();
        let all = [
            (kinds.crash, Fault::Crash(one, death), Some(Fault::Start(one))),
            (kinds.stop, Fault::Stop(one), Some(Fault::Start(one))),
            (kinds.pause, Fault::Pause(one, until - at), None),
            (kinds.cut, Fault::Cut(one, other), Some(Fault::Mend(one, other))),
            (kinds.partition, Fault::Partition(side), Some(Fault::Heal)),
            (kinds.breaks, Fault::Break(one, other), None),
            (kinds.forget, Fault::Forget(one, other), None),
        ];
        let mut drawn = random.below(all.iter().map(|(weight, ..)| weight).sum::<u64>().max(1));
        for (weight, fault, end) in all {
            if drawn < weight {
                self.fault(at, fault);
                end.into_iter().for_each(|end| self.fault(until, end));
                return;
            }
            drawn -= weight;
        }
    }
}
