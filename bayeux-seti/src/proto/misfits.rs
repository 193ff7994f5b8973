//! Users of a node whose ids another one does not take: of each it keeps what that comes to, so as to compare all.

use std::collections::BTreeSet;

use crate::proto::digest::{Digest, hash};

/// A set of such users. Each is in it once, however often its node says that it is there: in the midst of a list it may
/// announce somebody who is in the next part, too, or who was in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Misfits(BTreeSet<u64>);

impl Misfits {
    pub(crate) fn add(&mut self, user: &str) {
        self.0.insert(hash(user));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Some came: no more are kept than so many.
    pub(crate) fn came(&mut self, others: &Self, most: usize) {
        for user in &others.0 {
            if self.0.len() < most {
                self.0.insert(*user);
            }
        }
    }

    /// Some went.
    pub(crate) fn went(&mut self, others: &Self) {
        for user in &others.0 {
            self.0.remove(user);
        }
    }

    /// Returns how many there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns what they come to.
    pub(crate) fn digest(&self) -> Digest {
        self.0.iter().fold(Digest::default(), |digest, user| digest.plus(Digest::of_hash(*user)))
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
