//! What kinds of objects there are: what a part is, and how it is changed by less than a whole.

use std::{convert::Infallible, fmt, marker::PhantomData, sync::Arc};

/// What each node's part of an object is.
pub(crate) trait Kind: 'static {
    /// The part as a whole. It is shared with whoever looks at it, so that a change must be cheap for one that
    /// is looked at.
    type Object: Send + Sync + 'static;
    /// Some less than a whole.
    type Change: Send + Sync + 'static;
    /// What a change did.
    type Effect: Clone + Send + Sync + 'static;

    /// Changes `object`.
    fn apply(object: &mut Arc<Self::Object>, change: Self::Change) -> Self::Effect;

    /// Returns how much work is left to do when `object` is changed, in values that are looked at; none if it is
    /// little however large the part and the change are.
    fn cost(_object: &Arc<Self::Object>, _change: &Self::Change) -> usize {
        0
    }

    /// Does most of the work of a change before it is made. That is of use as long as `object` is the part.
    fn prepare(_object: &Arc<Self::Object>, _change: &mut Self::Change) {}

    /// Returns whether a change made the part anew, so that it has little in common with what it was.
    fn is_anew(_effect: &Self::Effect) -> bool {
        false
    }

    /// Returns of how many values `object` consists, about.
    fn count(object: &Self::Object) -> usize;
}

/// From which cost on a change is prepared where it holds up nobody, or not made.
pub(crate) const COSTLY: usize = 256 * 1024;

/// A part that is one value, and only ever replaced.
pub(crate) struct Plain<T>(PhantomData<fn() -> T>);

impl<T: Send + Sync + 'static> Kind for Plain<T> {
    type Object = T;
    type Change = Infallible;
    type Effect = Infallible;

    fn apply(_: &mut Arc<T>, change: Infallible) -> Infallible {
        match change {}
    }

    fn count(_: &T) -> usize {
        1
    }
}

impl<T> fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}
