//! Another node that has an object, as the owner of a part sees it: what it is owed, and what it has.
//!
//! What is owed is the whole part, a push:
//!
//! ```text
//!   nothing ──▶ due ◀──────── failed, later ────┐
//!      ▲         └──▶ sending ──────────────────┤
//!      └───────────────── taken ────────────────┘
//! ```
//!
//! Whether it has applied an update is asked of it if it is one of ours. CometD's know no such question, and
//! must not be sent it; but their server answers a message only after the object's listener has returned, so
//! that a part that was taken is one that was applied.

use std::{
    fmt, mem,
    time::{Duration, Instant},
};

use crate::{
    Comet,
    proto::{kind::Kind, part::Part, retry::Retry},
};

/// Another node that has joined.
pub(crate) struct Node<K: Kind> {
    pub(crate) comet: Comet,
    pub(crate) part: Part<K>,
    make: Make,
    push: Push,
    /// By which version of the own part a push that asks for one was answered.
    answered: Option<u64>,
    /// By which version a pull was answered.
    pulled: Option<u64>,
    /// The last version that it took as a whole, and when.
    taken: Option<(u64, Instant)>,
    /// The version that it says to have.
    acknowledged: u64,
    /// Up to which version it had applied the own part when that was last looked at.
    seen: u64,
    ask: Option<Retry>,
}

/// Whose implementation a node is, as far as that is known.
#[derive(Clone, Copy, Debug)]
enum Make {
    /// It may not even have the object.
    Absent,
    /// It has the object since then.
    Unknown(Instant),
    Ours,
    Foreign,
}

#[derive(Debug)]
enum Push {
    Nothing,
    Due(Retry),
    Sending { number: u64, version: u64, again: bool, retry: Retry },
}

/// What all nodes are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    /// The version of the own part.
    pub(crate) version: u64,
    /// Up to which it has been broadcast: nobody is asked for what is still on its way out.
    pub(crate) broadcast: u64,
    /// Since when it is so.
    pub(crate) since: Instant,
}

/// What is to be sent to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// A push of this number.
    Push(u64),
    Ask(u64),
    Pull,
}

/// How a pull is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// By a push, which is owed now.
    Push,
    /// A push of this version it has had, and has dropped.
    Raise,
}

impl<K: Kind> Node<K> {
    pub(crate) fn new(comet: Comet) -> Self {
        Self {
            comet,
            part: Part::default(),
            make: Make::Absent,
            push: Push::Nothing,
            answered: None,
            pulled: None,
            taken: None,
            acknowledged: 0,
            seen: 0,
            ask: None,
        }
    }

    /// Returns whether it has the object.
    pub(crate) fn has_object(&self) -> bool {
        !matches!(self.make, Make::Absent)
    }

    /// Returns whether it is one of ours.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.make, Make::Ours)
    }

    /// It has the object, and if `is_anew` may have missed what was sent before.
    pub(crate) fn appeared(&mut self, is_anew: bool, now: Instant) {
        let is_first = !self.has_object();
        if is_first {
            self.make = Make::Unknown(now);
        }
        if is_first || is_anew {
            self.owe(now);
            self.part.expect(now);
        }
    }

    /// A whole part of it says whose implementation it is.
    pub(crate) fn made_by(&mut self, is_ours: bool) {
        match (is_ours, self.make) {
            (true, _) => self.make = Make::Ours,
            (false, Make::Unknown(_)) => self.make = Make::Foreign,
            (false, Make::Absent | Make::Ours | Make::Foreign) => {}
        }
    }

    /// It pushed its part, and waits for an answer.
    pub(crate) fn asks_for_push(&mut self, version: u64, now: Instant) {
        if self.answered.replace(version) != Some(version) {
            self.owe(now);
        }
    }

    /// It pulls. One of CometD's drops an answer that is no news to it, and does not ask again until something
    /// else is missing; then no answer of the same version would be any better.
    pub(crate) fn pulls(&mut self, version: u64, now: Instant) -> Answer {
        let is_again = self.pulled.replace(version) == Some(version);
        if is_again && !matches!(self.make, Make::Ours) {
            return Answer::Raise;
        }
        self.owe(now);
        Answer::Push
    }

    /// Has it get the whole part.
    pub(crate) fn owe(&mut self, now: Instant) {
        match &mut self.push {
            Push::Nothing => self.push = Push::Due(Retry::after(Duration::ZERO, now)),
            Push::Due(_) => {}
            Push::Sending { again, .. } => *again = true,
        }
    }

    /// A push was taken, or not.
    pub(crate) fn pushed(&mut self, of: u64, is_taken: bool, now: Instant, random: u64) {
        let Push::Sending { number, version, again, mut retry } = self.push else { return };
        if number != of {
            return;
        }
        self.push = match (is_taken, again) {
            (true, true) => Push::Due(Retry::after(Duration::ZERO, now)),
            (true, false) => Push::Nothing,
            (false, _) => {
                retry.put_off(now, random);
                Push::Due(retry)
            }
        };
        if is_taken {
            self.taken = Some((version, now));
        }
    }

    /// It says which version it has.
    pub(crate) fn acknowledges(&mut self, version: u64) {
        self.acknowledged = self.acknowledged.max(version);
        self.ask = None;
    }

    /// Returns up to which version it has applied the own part.
    pub(crate) fn applied(&self, now: Instant) -> u64 {
        let taken = || self.taken.map_or(0, |(taken, _)| taken);
        match self.make {
            Make::Absent => u64::MAX,
            Make::Ours => self.acknowledged,
            Make::Foreign => taken(),
            Make::Unknown(since) if now >= since + UNKNOWN => taken(),
            Make::Unknown(_) => 0,
        }
    }

    /// Returns whether it has applied another version than when this was asked last.
    pub(crate) fn has_progressed(&mut self, now: Instant) -> bool {
        let applied = self.applied(now);
        mem::replace(&mut self.seen, applied) != applied
    }

    /// Returns what is due. `wanted` is the lowest version that it has not applied of those for which
    /// somebody waits, `pushes` the number of the last push.
    pub(crate) fn duties(
        &mut self,
        aim: Aim,
        wanted: Option<u64>,
        pushes: &mut u64,
        now: Instant,
        random: u64,
    ) -> Vec<Duty> {
        let mut duties = Vec::new();
        if self.part.pull(now, random) {
            duties.push(Duty::Pull);
        }
        let is_check = self.check_at(aim).is_some_and(|at| at <= now);
        match (self.make, wanted) {
            (Make::Ours, Some(version)) => self.ask(version, now, random, &mut duties),
            (Make::Ours, None) if is_check => self.ask(aim.version, now, random, &mut duties),
            (Make::Unknown(since), Some(_)) if now < since + UNKNOWN => {}
            (Make::Foreign | Make::Unknown(_), Some(_)) if matches!(self.push, Push::Nothing) => {
                self.owe(now);
            }
            (Make::Absent | Make::Unknown(_) | Make::Ours | Make::Foreign, _) => {}
        }
        if let Push::Due(retry) = self.push
            && retry.at() <= now
        {
            *pushes += 1;
            let (number, version) = (*pushes, aim.version);
            self.push = Push::Sending { number, version, again: false, retry };
            duties.push(Duty::Push(number));
        }
        duties
    }

    fn ask(&mut self, version: u64, now: Instant, random: u64, duties: &mut Vec<Duty>) {
        let ask = self.ask.get_or_insert_with(|| Retry::after(Duration::ZERO, now));
        if ask.is_due(now, random) {
            duties.push(Duty::Ask(version));
        }
    }

    /// Returns when one of ours is asked whether it has all, though nobody waits: what was lost last would
    /// be missed by nobody.
    fn check_at(&self, aim: Aim) -> Option<Instant> {
        let is_idle = matches!(self.push, Push::Nothing) && aim.broadcast >= aim.version;
        let is_behind = self.acknowledged < aim.version;
        let taken = self.taken.map_or(aim.since, |(_, at)| at);
        (is_idle && is_behind).then(|| taken.max(aim.since) + QUIET)
    }

    /// Returns when something is due of which [`duties`](Self::duties) tells.
    pub(crate) fn deadline(&self, aim: Aim, wanted: Option<u64>) -> Option<Instant> {
        let push = match &self.push {
            Push::Due(retry) => Some(retry.at()),
            Push::Nothing | Push::Sending { .. } => None,
        };
        let ask = self.ask.as_ref().map(Retry::at);
        let duty = match (self.make, wanted) {
            (Make::Ours, Some(_)) => ask,
            (Make::Ours, None) => self.check_at(aim).map(|at| ask.map_or(at, |ask| ask.max(at))),
            (Make::Unknown(since), Some(_)) if matches!(self.push, Push::Nothing) => {
                Some(since + UNKNOWN)
            }
            (Make::Absent | Make::Unknown(_) | Make::Foreign, _) => None,
        };
        [push, duty, self.part.deadline()].into_iter().flatten().min()
    }
}

/// How long it is waited for a node's first part, which says whose implementation it is.
const UNKNOWN: Duration = Duration::from_secs(1);

/// How long nothing has to be shared until the nodes are asked whether they have all.
pub(super) const QUIET: Duration = Duration::from_secs(5);

impl<K: Kind> fmt::Debug for Node<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("comet", &self.comet)
            .field("make", &self.make)
            .field("part", &self.part)
            .field("push", &self.push)
            .field("taken", &self.taken)
            .field("acknowledged", &self.acknowledged)
            .finish_non_exhaustive()
    }
}
