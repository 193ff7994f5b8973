//! A set of shared things in the order in which they came, such as the subscribers of a channel.

use std::{hash, mem, ptr, sync::Arc};

use indexmap::{Equivalent, IndexSet};

/// Things, each told by its identity. Most sets are small, and walked through more often than changed:
/// these are one slice that is copied when it changes. A large one is found and changed in constant time,
/// and its copy is made when it is first asked for.
#[derive(Debug)]
pub(crate) enum Group<T> {
    Few(Arc<[Arc<T>]>),
    Many(Box<Many<T>>),
}

#[derive(Debug)]
pub(crate) struct Many<T> {
    set: IndexSet<ByAddress<T>>,
    copy: Option<Arc<[Arc<T>]>>,
}

/// So many are few.
const FEW: usize = 16;

/// Many become few again when no more are left, so that a set that wavers is not copied each time.
const FEW_AGAIN: usize = FEW / 2;

impl<T> Group<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(members) => members.len(),
            Self::Many(many) => many.set.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains(&self, one: &T) -> bool {
        match self {
            Self::Few(members) => members.iter().any(|member| ptr::eq(&**member, one)),
            Self::Many(many) => many.set.contains(&Address(one)),
        }
    }

    /// Adds a member at the end; false when it is there.
    pub(crate) fn insert(&mut self, one: Arc<T>) -> bool {
        if self.contains(&one) {
            return false;
        }
        match self {
            Self::Few(members) if members.len() < FEW => {
                *members = members.iter().cloned().chain([one]).collect();
            }
            Self::Few(members) => {
                let set = members.iter().cloned().chain([one]).map(ByAddress).collect();
                *self = Self::Many(Box::new(Many { set, copy: None }));
            }
            Self::Many(many) => {
                many.set.insert(ByAddress(one));
                many.copy = None;
            }
        }
        true
    }

    /// Removes a member; false when it is not there. In a large set the last takes its place.
    pub(crate) fn remove(&mut self, one: &T) -> bool {
        if !self.contains(one) {
            return false;
        }
        match self {
            Self::Few(members) => {
                let others = members.iter().filter(|member| !ptr::eq(&***member, one));
                *members = others.cloned().collect();
            }
            Self::Many(many) => {
                many.set.swap_remove(&Address(one));
                many.copy = None;
                if many.set.len() <= FEW_AGAIN {
                    *self = Self::Few(many.all());
                }
            }
        }
        true
    }

    /// Returns the members of now, without copying them again while they do not change.
    pub(crate) fn snapshot(&mut self) -> Arc<[Arc<T>]> {
        match self {
            Self::Few(members) => members.clone(),
            Self::Many(many) => many.copy.get_or_insert_with(|| copy(&many.set)).clone(),
        }
    }

    /// Takes all members out.
    pub(crate) fn take(&mut self) -> Arc<[Arc<T>]> {
        mem::take(self).snapshot()
    }
}

impl<T> Many<T> {
    fn all(&self) -> Arc<[Arc<T>]> {
        copy(&self.set)
    }
}

fn copy<T>(set: &IndexSet<ByAddress<T>>) -> Arc<[Arc<T>]> {
    set.iter().map(|member| member.0.clone()).collect()
}

impl<T> FromIterator<Arc<T>> for Group<T> {
    fn from_iter<I: IntoIterator<Item = Arc<T>>>(members: I) -> Self {
        let mut group = Self::default();
        for member in members {
            group.insert(member);
        }
        group
    }
}

impl<T> Default for Group<T> {
    fn default() -> Self {
        Self::Few(Arc::default())
    }
}

#[derive(Debug)]
struct ByAddress<T>(Arc<T>);

impl<T> hash::Hash for ByAddress<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        Address(&*self.0).hash(state);
    }
}

impl<T> PartialEq for ByAddress<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for ByAddress<T> {}

/// What a member is looked for by.
struct Address<'a, T>(&'a T);

impl<T> hash::Hash for Address<'_, T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        ptr::hash(self.0, state);
    }
}

impl<T> Equivalent<ByAddress<T>> for Address<'_, T> {
    fn equivalent(&self, member: &ByAddress<T>) -> bool {
        ptr::eq(self.0, &*member.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_is_what_a_list_would_be(
            steps in prop::collection::vec((any::<bool>(), 0..40_usize), 0..200),
        ) {
            let things: Vec<_> = (0..40).map(Arc::new).collect();
            let (mut members, mut model) = (Group::default(), std::collections::BTreeSet::new());
            for (adds, which) in steps {
                let thing = &things[which];
                if adds {
                    prop_assert_eq!(members.insert(thing.clone()), model.insert(which));
                } else {
                    prop_assert_eq!(members.remove(thing), model.remove(&which));
                }
                prop_assert_eq!(members.contains(thing), adds);
                prop_assert_eq!(members.len(), model.len());
                let mut found: Vec<_> = members.snapshot().iter().map(|thing| **thing).collect();
                found.sort_unstable();
                prop_assert!(found.iter().eq(&model));
            }
        }
    }

    #[test]
    fn they_are_in_the_order_in_which_they_came() {
        let things: Vec<_> = (0..100).map(Arc::new).collect();
        let mut members = Group::default();
        for (count, thing) in things.iter().enumerate() {
            assert!(members.insert(thing.clone()));
            assert!(!members.insert(thing.clone()));
            assert!(members.snapshot().iter().map(|thing| **thing).eq(0..=count));
        }
        assert!(members.take().iter().map(|thing| **thing).eq(0..100));
        assert!(members.is_empty());
        assert!(things.iter().all(|thing| Arc::strong_count(thing) == 1));
    }

    #[test]
    fn few_that_were_many_have_no_table() {
        let things: Vec<_> = (0..100).map(Arc::new).collect();
        let mut members = Group::default();
        things.iter().for_each(|thing| assert!(members.insert(thing.clone())));
        things[1..].iter().for_each(|thing| assert!(members.remove(thing)));
        assert!(matches!(members, Group::Few(_)));
        assert!(members.contains(&things[0]) && !members.contains(&things[1]));
    }
}
