//! Which node is primary, as one of them sees it.
//!
//! A node is *set* to be primary or not by its operator, as CometD's are, or it is a candidate. A candidate
//! that becomes primary has a claim: the moment in which it did.
//!
//! ```text
//!    ┌─────────┐  no primary has been in view for long enough,  ┌─────────┐
//!    │         │  and a quorum of candidates is                 │         │
//!    │ Waiting │ ─────────────────────────────────────────────▶ │ Claimed │
//!    │         │ ◀───────────────────────────────────────────── │         │
//!    └─────────┘  a better claim is in view, or no quorum       └─────────┘
//! ```
//!
//! Who is set is better than any claim, and of two claims the older is. So all nodes that see the same ones
//! agree, and a primary stays what it is whoever comes. What is long enough differs: the candidate with the
//! smallest id waits until it has been there for one `patience`, and each other one more for each smaller id
//! in its view. So one makes its claim known before the next would make its own, which does not wait for ever
//! for one that does not.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{Comet, proto::after};

/// What a candidate says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Candidacy {
    /// Whether it would be primary: false when it ends.
    #[serde(rename = "candidate")]
    pub(crate) is_candidate: bool,
    /// Since when it is, in milliseconds since 1970 by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
}

/// What another node says: whether it is primary, as CometD's say it, and its candidacy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) is_primary: bool,
    pub(crate) candidacy: Option<Candidacy>,
}

/// What the other nodes say that are there.
pub(crate) type View = BTreeMap<Comet, Said>;

/// How a node comes to be primary.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stands {
    /// Its operator says that it is.
    Primary,
    /// Its operator says that it is not.
    Secondary,
    /// It is elected.
    Candidate(Rules),
}

/// How a candidate behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) patience: Duration,
    /// How many candidates have to be in view, this one too.
    pub(crate) quorum: usize,
}

/// The time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    /// Milliseconds since 1970.
    pub(crate) wall: u64,
}

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Became,
    Ceased,
}

/// The primary, as one node sees it.
#[derive(Debug)]
pub(crate) struct Election {
    own: Comet,
    start: Instant,
    phase: Phase,
    view: View,
    /// Since when nodes say that they are primary and nothing of a candidacy, which may be on its way.
    unexplained: BTreeMap<Comet, Instant>,
    primary: Option<Comet>,
    deadline: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// Set to be primary.
    Primary,
    /// Set not to be primary.
    Secondary,
    Waiting {
        rules: Rules,
        /// Since when no primary is in view.
        quiet: Option<Instant>,
    },
    Claimed {
        rules: Rules,
        since: u64,
    },
}

/// How good the claim of a primary is; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Set,
    Elected(u64),
    /// It may become either of the others.
    Unexplained,
}

impl Election {
    pub(crate) fn new(own: Comet, stands: Stands, now: Now) -> Self {
        let phase = match stands {
            Stands::Primary => Phase::Primary,
            Stands::Secondary => Phase::Secondary,
            Stands::Candidate(rules) => Phase::Waiting { rules, quiet: None },
        };
        let mut election = Self {
            own,
            start: now.instant,
            phase,
            view: View::new(),
            unexplained: BTreeMap::new(),
            primary: None,
            deadline: None,
        };
        election.look(View::new(), now);
        election
    }

    /// Looks at what the other nodes say now, and returns what becomes of this one.
    pub(crate) fn look(&mut self, view: View, now: Now) -> Option<Change> {
        self.view = view;
        self.note_unexplained(now.instant);
        let change = self.step(now);
        self.primary = self.best(now.instant);
        self.deadline = self.next(now.instant);
        change
    }

    /// Returns the primary.
    pub(crate) fn primary(&self) -> Option<&Comet> {
        self.primary.as_ref()
    }

    /// Returns whether this node is primary: it may be so, and another one be [the primary](Self::primary), if
    /// several are set to be.
    pub(crate) fn is_primary(&self) -> bool {
        matches!(self.phase, Phase::Primary | Phase::Claimed { .. })
    }

    /// Returns what this node says as a candidate.
    pub(crate) fn candidacy(&self) -> Candidacy {
        match self.phase {
            Phase::Primary | Phase::Secondary => Candidacy::default(),
            Phase::Waiting { .. } => Candidacy { is_candidate: true, since: None },
            Phase::Claimed { since, .. } => Candidacy { is_candidate: true, since: Some(since) },
        }
    }

    /// Returns when to [look](Self::look) again even if nobody says anything, if ever.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Ends this node's part in it: it is not primary any more.
    pub(crate) fn withdraw(&mut self, now: Now) {
        self.phase = Phase::Secondary;
        self.look(self.view.clone(), now);
    }

    fn step(&mut self, now: Now) -> Option<Change> {
        let best = self.best(now.instant);
        match self.phase {
            Phase::Primary | Phase::Secondary => None,
            Phase::Waiting { rules, quiet } => {
                let quiet = best.is_none().then(|| quiet.unwrap_or(now.instant));
                self.phase = Phase::Waiting { rules, quiet };
                self.due().filter(|due| *due <= now.instant)?;
                self.phase = Phase::Claimed { rules, since: now.wall };
                Some(Change::Became)
            }
            Phase::Claimed { rules, .. } => {
                if best.as_ref() == Some(&self.own) && self.candidates() >= rules.quorum {
                    return None;
                }
                self.phase = Phase::Waiting { rules, quiet: None };
                Some(Change::Ceased)
            }
        }
    }

    /// When this node may make its claim, as things are.
    fn due(&self) -> Option<Instant> {
        let Phase::Waiting { rules, quiet } = self.phase else { return None };
        let quiet = quiet.filter(|_| self.candidates() >= rules.quorum)?;
        let others = self.view.iter().filter(|(_, said)| said.is_candidate());
        let before = others.filter(|(comet, _)| **comet < self.own).count();
        let before = u32::try_from(before).unwrap_or(u32::MAX);
        let from = quiet.max(after(self.start, rules.patience));
        Some(after(from, rules.patience.saturating_mul(before)))
    }

    fn next(&self, now: Instant) -> Option<Instant> {
        let patience = self.patience();
        let explained = self.unexplained.values().map(|since| after(*since, patience));
        explained.filter(|at| *at > now).chain(self.due()).min()
    }

    /// The node with the best claim. That of one in whose claim nobody knows what to see is the last.
    fn best(&self, now: Instant) -> Option<Comet> {
        let own = match self.phase {
            Phase::Primary => Some(Claim::Set),
            Phase::Claimed { since, .. } => Some(Claim::Elected(since)),
            Phase::Secondary | Phase::Waiting { .. } => None,
        };
        let own = own.map(|claim| (claim, &self.own));
        let others = self.view.iter();
        let others =
            others.filter_map(|(comet, said)| Some((self.claim(comet, *said, now)?, comet)));
        own.into_iter().chain(others).min().map(|(_, comet)| comet.clone())
    }

    fn claim(&self, comet: &Comet, said: Said, now: Instant) -> Option<Claim> {
        if let Some(candidacy) = said.candidacy {
            return candidacy.since.map(Claim::Elected);
        }
        let since = self.unexplained.get(comet)?;
        Some(if now < after(*since, self.patience()) { Claim::Unexplained } else { Claim::Set })
    }

    fn note_unexplained(&mut self, now: Instant) {
        let view = &self.view;
        let is_unexplained =
            |comet: &Comet| view.get(comet).is_some_and(|said| said.is_unexplained());
        self.unexplained.retain(|comet, _| is_unexplained(comet));
        for (comet, _) in view.iter().filter(|(_, said)| said.is_unexplained()) {
            self.unexplained.entry(comet.clone()).or_insert(now);
        }
    }

    /// How many candidates are in view, this one too.
    fn candidates(&self) -> usize {
        1 + self.view.values().filter(|said| said.is_candidate()).count()
    }

    /// Nodes that are no candidates hear of no candidacy.
    fn patience(&self) -> Duration {
        match self.phase {
            Phase::Primary | Phase::Secondary => Duration::ZERO,
            Phase::Waiting { rules, .. } | Phase::Claimed { rules, .. } => rules.patience,
        }
    }
}

impl Said {
    fn is_candidate(&self) -> bool {
        self.candidacy.is_some_and(|candidacy| candidacy.is_candidate)
    }

    fn is_unexplained(&self) -> bool {
        self.is_primary && self.candidacy.is_none()
    }
}

#[cfg(test)]
mod tests;
