//! What an application hears of an object.

use std::fmt;

use async_trait::async_trait;

use crate::{Comet, object::Info};

/// Hears of parts that are replaced or go, from when it was added. One thing is told after the other, in order for each
/// part.
///
/// A listener may wait. It holds up neither other nodes nor who shares, but only what is still to be told of
/// this object; when that becomes too much, the changes of each node are summed up, as if they had been made
/// at once.
///
/// One that is removed while it waits is let go of: what it is at ends at its next `await`, which also holds for one
/// that removes itself.
#[async_trait]
#[doc(alias = "OortObject.Listener")]
pub trait OortObjectListener<T>: Send + Sync + fmt::Debug {
    /// A node's part is known for the first time, or was replaced. Not told of changes of single entries or
    /// elements.
    #[doc(alias = "onUpdated")]
    async fn updated(&self, _old: Option<&Info<T>>, _new: &Info<T>)
    where
        T: Send + Sync,
    {
    }

    /// A node has left, and its part with it; or it stays, and has ended the object.
    #[doc(alias = "onRemoved")]
    async fn removed(&self, _info: &Info<T>)
    where
        T: Send + Sync,
    {
    }

    /// A node sent values that are not of the object's type. Everything else of that part is as it should be.
    async fn malformed(&self, _comet: &Comet, _malformed: &Malformed) {}
}

/// Values that are not of the type that they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Malformed {
    /// How many there are.
    pub count: usize,
    /// Which is the first: the key of an entry, the index of an element, or nothing if it is the whole.
    pub first: String,
    /// What is wrong with the first.
    pub error: String,
}

impl Malformed {
    pub(crate) fn note(
        malformed: &mut Option<Self>,
        first: impl FnOnce() -> String,
        error: &dyn fmt::Display,
    ) {
        let start = || Self { count: 0, first: first(), error: error.to_string() };
        malformed.get_or_insert_with(start).count += 1;
    }
}
