//! How many requests a node works on at once: together, and for each node that asks, so that none of them
//! takes the place of all others.

use std::collections::BTreeMap;

use crate::Comet;

/// The requests that are worked on.
#[derive(Debug)]
pub(crate) struct Shares {
    limit: usize,
    limit_of_each: usize,
    total: usize,
    of: BTreeMap<Comet, usize>,
}

impl Shares {
    pub(crate) fn new(limit: usize, limit_of_each: usize) -> Self {
        Self { limit, limit_of_each, total: 0, of: BTreeMap::new() }
    }

    /// Takes a place for a request of `comet`, if there is one.
    pub(crate) fn take(&mut self, comet: &Comet) -> bool {
        let taken = self.of.get(comet).copied().unwrap_or_default();
        if self.total >= self.limit || taken >= self.limit_of_each {
            return false;
        }
        self.total += 1;
        self.of.insert(comet.clone(), taken + 1);
        true
    }

    /// Gives back what was [taken](Self::take).
    pub(crate) fn give_back(&mut self, comet: &Comet) {
        let Some(taken) = self.of.get_mut(comet) else { return };
        self.total -= 1;
        *taken -= 1;
        if *taken == 0 {
            self.of.remove(comet);
        }
    }

    /// Returns how many are worked on.
    pub(crate) fn total(&self) -> usize {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comet(id: &str) -> Comet {
        Comet::new(id, format!("http://{id}"))
    }

    #[test]
    fn no_node_takes_more_than_its_share_nor_all_more_than_there_is() {
        let mut shares = Shares::new(3, 2);
        assert!(shares.take(&comet("a")) && shares.take(&comet("a")));
        assert!(!shares.take(&comet("a")));
        assert!(shares.take(&comet("b")));
        assert!(!shares.take(&comet("b")));
        shares.give_back(&comet("a"));
        assert!(shares.take(&comet("b")));
        assert_eq!(shares.total(), 3);
    }

    #[test]
    fn nothing_is_kept_of_a_node_that_asks_nothing() {
        let mut shares = Shares::new(3, 2);
        assert!(shares.take(&comet("a")));
        shares.give_back(&comet("a"));
        shares.give_back(&comet("a"));
        assert_eq!(shares.total(), 0);
        assert!(shares.of.is_empty());
    }
}
