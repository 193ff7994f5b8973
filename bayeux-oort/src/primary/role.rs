//! How a node comes to be primary.

use std::time::Duration;

use crate::proto::primary::{Rules, Stands};

/// How a node comes to be the primary of an [`OortPrimaryService`](crate::OortPrimaryService).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Role {
    /// Its operator wants it to be: there should be no other.
    Primary,
    /// Its operator wants another one to be.
    Secondary,
    /// The nodes elect one among those that have this role.
    Candidate(ElectionConfig),
}

impl Role {
    /// Makes the role of a candidate, with an election as it is by default.
    pub fn candidate() -> Self {
        Self::Candidate(ElectionConfig::default())
    }

    pub(crate) fn stands(&self) -> Stands {
        match self {
            Self::Primary => Stands::Primary,
            Self::Secondary => Stands::Secondary,
            Self::Candidate(ElectionConfig { patience, quorum }) => {
                Stands::Candidate(Rules { patience: *patience, quorum: *quorum })
            }
        }
    }
}

/// How a primary is elected. All candidates should have the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ElectionConfig {
    /// For how long a node looks for a primary after its start before it becomes one; 2 s by default. So long,
    /// too, the next candidate waits for one that should become primary and does not, and a node that says to be
    /// primary is given to say that it is a candidate. Less than it takes nodes to join each other makes several
    /// of them primary at their start, one of which stays.
    pub patience: Duration,
    /// How many candidates have to see each other, the primary included, for one of them to be primary; 1 by
    /// default. With more than half of all, a node that is cut off from most others is not primary, and not for
    /// long if it was. What raising it costs: with fewer nodes than these there is none.
    pub quorum: usize,
}

impl Default for ElectionConfig {
    fn default() -> Self {
        Self { patience: Duration::from_secs(2), quorum: 1 }
    }
}
