//! What a set of users comes to in a few bytes, so that two nodes can tell whether they have the same.

use std::{fmt, hash::Hasher as _, str::FromStr};

/// The sum of a set of users, in whichever order they came and went. Two sets with the same sum are the same but for
/// one chance in 2^64, and for who looks for such sets: that one misleads others about its own users alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    count: u64,
    sum: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, user: &str) {
        *self = self.plus(Self::of_hash(hash(user)));
    }

    /// Returns what one user comes to.
    pub(crate) fn of_hash(hash: u64) -> Self {
        Self { count: 1, sum: hash }
    }

    /// Returns how many users there are.
    pub(crate) fn count(self) -> u64 {
        self.count
    }

    pub(crate) fn remove(&mut self, user: &str) {
        *self = self.minus(Self::of_hash(hash(user)));
    }

    /// Returns what this set comes to with other users.
    pub(crate) fn plus(self, others: Self) -> Self {
        let count = self.count.wrapping_add(others.count);
        Self { count, sum: self.sum.wrapping_add(others.sum) }
    }

    /// Returns what this set comes to without some of its users.
    pub(crate) fn minus(self, some: Self) -> Self {
        let count = self.count.wrapping_sub(some.count);
        Self { count, sum: self.sum.wrapping_sub(some.sum) }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.count, self.sum)
    }
}

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (count, sum) = text.split_once(':').ok_or(())?;
        let sum = u64::from_str_radix(sum, 16).map_err(|_| ())?;
        Ok(Self { count: count.parse().map_err(|_| ())?, sum })
    }
}

/// FNV-1a, whose bits are mixed so that sums of similar ids differ; the same on all nodes of all versions.
pub(crate) fn hash(user: &str) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(user.as_bytes());
    let mut hash = hasher.finish();
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        hash = (hash ^ (hash >> 30)).wrapping_mul(factor);
    }
    hash ^ (hash >> 31)
}

#[cfg(test)]
impl Digest {
    /// Returns what users come to.
    pub(crate) fn of(users: &[&str]) -> Self {
        let mut digest = Self::default();
        users.iter().for_each(|user| digest.add(user));
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(users: &[&str]) -> Digest {
        Digest::of(users)
    }

    #[test]
    fn it_is_of_who_is_there_and_not_of_the_order() {
        assert_eq!(of(&["a", "b"]), of(&["b", "a"]));
        let mut digest = of(&["a", "b", "c"]);
        digest.remove("b");
        assert_eq!(digest, of(&["a", "c"]));
        assert_ne!(of(&["a1", "b2"]), of(&["a2", "b1"]));
        assert_ne!(of(&["a"]), of(&[]));
        assert_eq!(of(&["a"]).plus(of(&["b", "c"])), of(&["a", "b", "c"]));
        assert_eq!(of(&["a", "b", "c"]).minus(of(&["b", "c"])), of(&["a"]));
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        for digest in [of(&[]), of(&["a"]), of(&["a", "b"])] {
            assert_eq!(digest.to_string().parse(), Ok(digest));
        }
        for text in ["", "1", "1:", ":1", "1:g", "-1:0", "1:10000000000000000"] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }

    #[test]
    fn all_nodes_have_the_same_sums_in_whatever_version() {
        assert_eq!(of(&["user"]).to_string(), "1:e64c96e41e381dae");
    }
}
