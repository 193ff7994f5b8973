//! Listeners that are told one thing after the other, so that each waits for those before it. What waits to be told is
//! for those who listened when it happened: whoever is added later finds it in the state already.

use std::{fmt, future::Future, sync::Arc};

use tokio_util::sync::CancellationToken;

/// A listener that holds up others while it waits, and is let go of when it is removed: what it was at ends then.
pub struct Told<T: ?Sized> {
    number: u64,
    removed: CancellationToken,
    listener: Arc<T>,
}

/// Who listens at some time: the numbers of the listeners, of which one that is added later has a greater one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience(Vec<u64>);

/// Who hears of something: those who listened when it happened, as far as they still do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hearers {
    last: u64,
}

impl<T: ?Sized> Told<T> {
    pub(super) fn new(number: u64, listener: Arc<T>) -> Self {
        Self { number, removed: CancellationToken::new(), listener }
    }

    /// Has the listener hear something, until it is removed.
    pub(super) fn hear<'a, F: Future + 'a>(
        &'a self,
        hears: impl FnOnce(&'a T) -> F,
    ) -> impl Future<Output = Option<F::Output>> {
        self.removed.run_until_cancelled(hears(&self.listener))
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Returns what is cancelled when it is removed.
    pub(super) fn removed(&self) -> CancellationToken {
        self.removed.clone()
    }
}

impl Audience {
    /// Returns whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns who hears of what happens now.
    pub fn hearers(&self) -> Hearers {
        Hearers { last: self.0.last().copied().unwrap_or_default() }
    }

    /// Returns whether those who listen hear both of two things, or neither: what waits of these may become one.
    pub fn hears_alike(&self, one: Hearers, other: Hearers) -> bool {
        self.0.iter().all(|number| one.has(*number) == other.has(*number))
    }
}

/// Those with these numbers, in order.
impl FromIterator<u64> for Audience {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl Hearers {
    pub(super) fn has(self, number: u64) -> bool {
        number <= self.last
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Told<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listener.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(numbers: &[u64]) -> Audience {
        numbers.iter().copied().collect()
    }

    #[test]
    fn things_are_heard_alike_unless_somebody_who_listens_came_between() {
        let (before, after) = (audience(&[1, 2]).hearers(), audience(&[1, 2, 3]).hearers());
        assert!(!audience(&[1, 2, 3]).hears_alike(before, after));
        assert!(!audience(&[3, 4]).hears_alike(before, after));
        // Who came between is gone again, or came later.
        assert!(audience(&[1, 2]).hears_alike(before, after));
        assert!(audience(&[4]).hears_alike(before, after));
        assert!(audience(&[]).hears_alike(before, after));
    }
}
