//! Makes one of the parts of an object.

use std::collections::BTreeMap;

use crate::object::{Elements, Entries, Info};

/// What makes one of all parts; a closure does.
#[doc(alias = "OortObject.Merger")]
pub trait Merger<T, R> {
    /// Makes one of all parts, which are in the order of their nodes' ids.
    fn merge(self, infos: &[Info<T>]) -> R;
}

impl<T, R, F: FnOnce(&[Info<T>]) -> R> Merger<T, R> for F {
    fn merge(self, infos: &[Info<T>]) -> R {
        self(infos)
    }
}

/// Returns the sum of all numbers, which begins again at the lowest when it is too high.
#[doc(alias = "longSum")]
pub fn long_sum(infos: &[Info<i64>]) -> i64 {
    infos.iter().fold(0, |sum, info| sum.wrapping_add(*info.object()))
}

/// Returns the entries of all maps; of several of one key that of the last.
#[doc(alias("mapUnion", "concurrentMapUnion"))]
pub fn map_union<K: Ord + Clone, V: Clone>(infos: &[Info<Entries<K, V>>]) -> BTreeMap<K, V> {
    let entries = infos.iter().flat_map(|info| info.object().iter());
    entries.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns the elements of all lists, one after the other.
#[doc(alias = "listUnion")]
pub fn list_union<E: Clone>(infos: &[Info<Elements<E>>]) -> Vec<E> {
    infos.iter().flat_map(|info| info.object().iter()).cloned().collect()
}
