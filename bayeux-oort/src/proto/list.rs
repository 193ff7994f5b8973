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

    /// Removes all that are equal to one of `elements`.
    fn remove(&mut self, elements: &[E]) -> bool {
        if !self.iter().any(|one| elements.contains(one)) {
            return false;
        }
        *self = self.iter().filter(|one| !elements.contains(one)).cloned().collect();
        true
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
    Remove(Vec<E>),
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
        let list = Arc::make_mut(object);
        let (what, elements, is_change) = match change {
            Change::Add(elements) => {
                let is_change = list.add(&elements);
                (What::Added, elements, is_change)
            }
            Change::Remove(elements) => {
                let is_change = list.remove(&elements);
                (What::Removed, elements, is_change)
            }
        };
        Effect { what, elements: elements.into(), is_change }
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
        assert!(!List::apply(&mut list, Change::Remove(vec!["c"])).is_change);
        assert!(List::apply(&mut list, Change::Remove(vec!["a", "c"])).is_change);
        assert_eq!(list.to_vec(), ["b"]);
    }
}
