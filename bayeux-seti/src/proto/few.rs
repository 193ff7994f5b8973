//! A set that mostly has one member, and then takes no memory beside it.

use std::collections::BTreeSet;

/// Of a million users most have one session, and most sessions one user.
#[derive(Clone, Debug, Default)]
#[expect(clippy::box_collection, reason = "a set that is not boxed is as large as three pointers")]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    Many(Box<BTreeSet<T>>),
}

impl<T: Ord + Clone> Few<T> {
    /// Returns whether it is new.
    pub(crate) fn insert(&mut self, new: T) -> bool {
        match self {
            Self::None => *self = Self::One(new),
            Self::One(one) if *one == new => return false,
            Self::One(one) => *self = Self::Many(Box::new(BTreeSet::from([one.clone(), new]))),
            Self::Many(many) => return many.insert(new),
        }
        true
    }

    /// Returns whether it was there.
    pub(crate) fn remove(&mut self, old: &T) -> bool {
        match self {
            Self::None => false,
            Self::One(one) if one == old => {
                *self = Self::None;
                true
            }
            Self::One(_) => false,
            Self::Many(many) => {
                let was_there = many.remove(old);
                if let (1, Some(last)) = (many.len(), many.first()) {
                    *self = Self::One(last.clone());
                }
                was_there
            }
        }
    }
}

impl<T> Few<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(one) => (Some(one), None),
            Self::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|many| many.iter()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in proptest::collection::vec((any::<bool>(), 0u8..6), 0..40)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for (adds, one) in steps {
                match adds {
                    true => prop_assert_eq!(few.insert(one), set.insert(one)),
                    false => prop_assert_eq!(few.remove(&one), set.remove(&one)),
                }
                prop_assert_eq!((few.len(), few.is_empty()), (set.len(), set.is_empty()));
                prop_assert!(few.iter().eq(&set));
                prop_assert_eq!(matches!(few, Few::Many(_)), set.len() > 1);
            }
        }
    }
}
