//! A part that is a map, and the changes of its entries.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use rpds::RedBlackTreeMapSync;

use crate::proto::kind::Kind;

/// One node's part of an [`OortMap`](crate::OortMap), in the order of the keys. Cheap to clone, and never
/// changes.
pub struct Entries<K: Ord, V>(RedBlackTreeMapSync<K, V>);

impl<K: Ord, V> Entries<K, V> {
    /// Returns the value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Returns whether `key` has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Goes through the entries in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter()
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.0.size()
    }

    /// Returns whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord + Clone, V: Clone> Entries<K, V> {
    /// Copies the entries.
    pub fn to_map(&self) -> BTreeMap<K, V> {
        self.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn change(&mut self, change: Change<K, V>) -> Effect<K, V> {
        match change {
            Change::Put(key, new) => {
                let old = self.0.get(&key).cloned();
                self.0.insert_mut(key.clone(), new.clone());
                Effect::Put(Arc::new(Entry { key, old, new: Some(new) }))
            }
            Change::PutAbsent(key, new) => match self.0.get(&key).cloned() {
                Some(old) => Effect::None(Some(old)),
                None => self.change(Change::Put(key, new)),
            },
            Change::Remove(key) => {
                let old = self.0.get(&key).cloned();
                if old.is_some() {
                    self.0.remove_mut(&key);
                }
                Effect::Removed(Arc::new(Entry { key, old, new: None }))
            }
        }
    }
}

impl<K: Ord, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl<K: Ord, V> Clone for Entries<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Entries<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = RedBlackTreeMapSync::new_sync();
        entries.into_iter().for_each(|(key, value)| map.insert_mut(key, value));
        Self(map)
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Entries<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Entries<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A change of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<K, V> {
    /// The key.
    pub key: K,
    /// The value that it had, if it had one.
    pub old: Option<V>,
    /// The value that it has now, if it has one.
    pub new: Option<V>,
}

impl<K, V> Entry<K, V> {
    pub(crate) fn new(key: K, old: Option<V>, new: Option<V>) -> Self {
        Self { key, old, new }
    }
}

/// Maps.
pub(crate) struct Map<K, V>(PhantomData<fn() -> (K, V)>);

/// What changes an entry.
#[derive(Clone, Debug)]
pub(crate) enum Change<K, V> {
    Put(K, V),
    PutAbsent(K, V),
    Remove(K),
}

/// What became of an entry.
#[derive(Clone, Debug)]
pub(crate) enum Effect<K, V> {
    Put(Arc<Entry<K, V>>),
    /// Perhaps there was none.
    Removed(Arc<Entry<K, V>>),
    /// It was there, and stays as it is.
    None(Option<V>),
}

impl<K, V> Kind for Map<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Object = Entries<K, V>;
    type Change = Change<K, V>;
    type Effect = Effect<K, V>;

    fn apply(object: &mut Arc<Entries<K, V>>, change: Change<K, V>) -> Effect<K, V> {
        Arc::make_mut(object).change(change)
    }

    fn count(object: &Entries<K, V>) -> usize {
        object.len()
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Map")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(entries: &mut Arc<Entries<String, i64>>, change: Change<String, i64>) -> Option<i64> {
        match Map::apply(entries, change) {
            Effect::Put(entry) | Effect::Removed(entry) => entry.old,
            Effect::None(old) => old,
        }
    }

    #[test]
    fn changes_do_what_they_say_and_give_the_old_value() {
        let mut entries = Arc::default();
        let key = || "a".to_owned();
        assert_eq!(apply(&mut entries, Change::Put(key(), 1)), None);
        assert_eq!(apply(&mut entries, Change::Put(key(), 2)), Some(1));
        assert_eq!(apply(&mut entries, Change::PutAbsent(key(), 3)), Some(2));
        assert_eq!(entries.get("a"), Some(&2));
        assert_eq!(apply(&mut entries, Change::Remove(key())), Some(2));
        assert_eq!(apply(&mut entries, Change::Remove(key())), None);
        assert_eq!(apply(&mut entries, Change::PutAbsent(key(), 4)), None);
        assert_eq!(entries.get("a"), Some(&4));
    }

    #[test]
    fn what_somebody_looks_at_does_not_change() {
        let mut entries: Arc<Entries<_, _>> = Arc::new((0..100).map(|n| (n, n)).collect());
        let before = entries.clone();
        Map::apply(&mut entries, Change::Remove(50));
        assert_eq!((before.len(), entries.len()), (100, 99));
        assert!(entries.iter().map(|(key, _)| *key).is_sorted());
    }
}
