//! Users of a node whose ids another one does not take: of each it keeps what that comes to, so as to compare all.

use std::collections::BTreeSet;

use crate::proto::digest::{Digest, hash};

/// A set of such users. Each is in it once, however often its node says that it is there: in the midst of a list it may
/// announce somebody who is in the next part, too, or who was in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Misfits {
    users: BTreeSet<u64>,
    /// What they come to.
    digest: Digest,
}

impl Misfits {
    pub(crate) fn add(&mut self, user: &str) {
        self.insert(hash(user));
    }

    fn insert(&mut self, user: u64) {
        if self.users.insert(user) {
            self.digest = self.digest.plus(Digest::of_hash(user));
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Some came: no more are kept than so many.
    pub(crate) fn came(&mut self, others: &Self, most: usize) {
        for user in &others.users {
            if self.users.len() < most {
                self.insert(*user);
            }
        }
    }

    /// Some went.
    pub(crate) fn went(&mut self, others: &Self) {
        for user in &others.users {
            if self.users.remove(user) {
                self.digest = self.digest.minus(Digest::of_hash(*user));
            }
        }
    }

    /// Returns how many there are.
    pub(crate) fn count(&self) -> u64 {
        self.users.len() as u64
    }

    /// Returns what they come to.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }
}

#[cfg(test)]
impl Misfits {
    /// Makes a set of users.
    pub(crate) fn of(users: &[&str]) -> Self {
        let mut misfits = Self::default();
        users.iter().for_each(|user| misfits.add(user));
        misfits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_there_once_and_no_more_than_so_many() {
        let mut misfits = Misfits::default();
        misfits.came(&Misfits::of(&["a", "b"]), 3);
        misfits.came(&Misfits::of(&["b", "c"]), 3);
        misfits.went(&Misfits::of(&["a", "x"]));
        assert_eq!(misfits.digest(), Digest::of(&["b", "c"]));
        misfits.came(&Misfits::of(&["d", "e", "f"]), 3);
        assert_eq!(misfits.count(), 3);
    }
}
