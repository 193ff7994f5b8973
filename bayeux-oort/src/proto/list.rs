//! A part that is a list, and the changes of its elements.

use std::{fmt, marker::PhantomData, sync::Arc};

use rpds::VectorSync;

use crate::proto::kind::Kind;

/// One node's part of an [`OortList`](crate::OortList). Cheap to clone, and never changes.
pub struct Elements<E>(VectorSync<E>);

impl<E> Elements<E> {
    /// Goes through the elements in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.0.iter()
    }

    /// Returns how many elements there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<E: PartialEq> Elements<E> {
    /// Returns whether an element is equal to `element`.
    pub fn contains(&self, element: &E) -> bool {
        self.iter().any(|one| one == element)
    }
}

impl<E: Clone> Elements<E> {
    /// Copies the elements.
    pub fn to_vec(&self) -> Vec<E> {
        self.iter().cloned().collect()
    }
}

impl<E: Clone + PartialEq> Elements<E> {
    fn add(&mut self, elements: &[E]) -> bool {
        elements.iter().for_each(|element| self.0.push_back_mut(element.clone()));
        !elements.is_empty()
    }

    /// Returns what remains without all that are equal to one of `elements`; none if there are no such.
    fn without(&self, elements: &[E]) -> Option<Self> {
        let remains = |one: &&E| !elements.contains(one);
        let first = self.iter().position(|one| !remains(&one))?;
        let before = self.iter().take(first);
        Some(before.chain(self.iter().skip(first + 1).filter(remains)).cloned().collect())
    }
}

impl<E> Default for Elements<E> {
    fn default() -> Self {
        Self(VectorSync::new_sync())
    }
}

impl<E> Clone for Elements<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Clone> FromIterator<E> for Elements<E> {
    fn from_iter<I: IntoIterator<Item = E>>(elements: I) -> Self {
        let mut list = VectorSync::new_sync();
        elements.into_iter().for_each(|element| list.push_back_mut(element));
        Self(list)
    }
}

impl<E: PartialEq> PartialEq for Elements<E> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<E: fmt::Debug> fmt::Debug for Elements<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Lists.
pub(crate) struct List<E>(PhantomData<fn() -> E>);

/// What changes a list.
#[derive(Clone, Debug)]
pub(crate) enum Change<E> {
    Add(Vec<E>),
    /// All that are equal to one of these; what remains may be known already.
    Remove(Vec<E>, Option<Remains<E>>),
}

/// What remains of a list; none if it is not changed.
#[derive(Clone, Debug)]
pub(crate) struct Remains<E> {
    of: Arc<Elements<E>>,
    list: Option<Elements<E>>,
}

impl<E> Change<E> {
    pub(crate) fn remove(elements: Vec<E>) -> Self {
        Self::Remove(elements, None)
    }
}

/// What was done to a list.
#[derive(Clone, Debug)]
pub(crate) struct Effect<E> {
    pub(crate) what: What,
    pub(crate) elements: Arc<[E]>,
    /// Whether that changed it.
    pub(crate) is_change: bool,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Added,
    Removed,
}

impl<E: Clone + PartialEq + Send + Sync + 'static> Kind for List<E> {
    type Object = Elements<E>;
    type Change = Change<E>;
    type Effect = Effect<E>;

    fn apply(object: &mut Arc<Elements<E>>, change: Change<E>) -> Effect<E> {
        let (what, elements, is_change) = match change {
            Change::Add(elements) => {
                let is_change = Arc::make_mut(object).add(&elements);
                (What::Added, elements, is_change)
            }
            Change::Remove(elements, remains) => {
                let known = remains.filter(|remains| Arc::ptr_eq(&remains.of, object));
                let list = known.map_or_else(|| object.without(&elements), |known| known.list);
                let is_change = list.is_some();
                if let Some(list) = list {
                    *object = Arc::new(list);
                }
                (What::Removed, elements, is_change)
            }
        };
        Effect { what, elements: elements.into(), is_change }
    }

    fn cost(object: &Arc<Elements<E>>, change: &Change<E>) -> usize {
        match change {
            Change::Remove(_, Some(remains)) if Arc::ptr_eq(&remains.of, object) => 0,
            Change::Remove(elements, _) => object.len().saturating_mul(elements.len()),
            Change::Add(_) => 0,
        }
    }

    fn prepare(object: &Arc<Elements<E>>, change: &mut Change<E>) {
        if let Change::Remove(elements, remains) = change {
            let list = object.without(elements);
            *remains = Some(Remains { of: object.clone(), list });
        }
    }

    fn is_anew(effect: &Effect<E>) -> bool {
        effect.what == What::Removed && effect.is_change
    }

    fn count(object: &Elements<E>) -> usize {
        object.len()
    }
}

impl<E> fmt::Debug for List<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_elements_are_kept_and_removed_together() {
        let mut list: Arc<Elements<&str>> = Arc::default();
        assert!(List::apply(&mut list, Change::Add(vec!["a", "b", "a"])).is_change);
        assert_eq!(list.to_vec(), ["a", "b", "a"]);
        assert!(!List::apply(&mut list, Change::remove(vec!["c"])).is_change);
        assert!(List::apply(&mut list, Change::remove(vec!["a", "c"])).is_change);
        assert_eq!(list.to_vec(), ["b"]);
    }

    #[test]
    fn what_remains_may_be_found_out_before_and_is_of_use_for_that_list_alone() {
        let mut list = Arc::new((0..1000).collect::<Elements<u32>>());
        let mut change = Change::remove((500..2000).collect());
        assert_eq!(List::cost(&list, &change), 1_500_000);
        List::prepare(&list, &mut change);
        assert_eq!(List::cost(&list, &change), 0);
        let mut other = Arc::new((400..600).collect());
        assert!(List::cost(&other, &change) > 0);
        assert!(List::apply(&mut other, change.clone()).is_change);
        assert_eq!(other.to_vec(), (400..500).collect::<Vec<_>>());
        assert!(List::apply(&mut list, change).is_change);
        assert_eq!(list.to_vec(), (0..500).collect::<Vec<_>>());
        let mut none = Change::remove(vec![7000]);
        List::prepare(&list, &mut none);
        assert!(!List::apply(&mut list, none).is_change);
        assert_eq!(list.len(), 500);
    }
}
