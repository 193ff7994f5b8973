//! Who is inside a server: the messages that are worked on, of which those that came before a drain are
//! waited for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;

/// Counts the messages that are worked on, until it is closed. All threads count here, and nothing else is in
/// the memory that they hand to each other for that.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Doors {
    is_closed: AtomicBool,
    is_over: AtomicBool,
    inside: AtomicUsize,
    left: Notify,
}

/// A message that is worked on, and was taken before the doors were closed.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Doors);

impl Doors {
    /// Lets a message in; none when it comes too late to be waited for.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        // Counted before it looks, so that who closes the doors sees it, or is seen.
        self.inside.fetch_add(1, SeqCst);
        let inside = Inside(self);
        (!self.are_closed()).then_some(inside)
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
    }

    pub(crate) fn are_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }

    /// Says that those inside are waited for no more.
    pub(crate) fn end(&self) {
        self.is_over.store(true, SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(SeqCst)
    }

    /// Waits until nobody is inside who came before the doors were closed.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            if self.inside.load(SeqCst) == 0 {
                return;
            }
            left.await;
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, SeqCst) == 1 && self.0.are_closed() {
            self.0.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn who_came_before_is_waited_for_and_who_comes_later_is_not() {
        let doors = Doors::default();
        let before = doors.enter();
        assert!(before.is_some());
        doors.close();
        assert!(doors.enter().is_none());
        let mut empty = Box::pin(doors.empty());
        assert_eq!(empty.as_mut().now_or_never(), None);
        drop(before);
        assert_eq!(empty.now_or_never(), Some(()));
    }
}
