//! What is to happen, in the order of its time.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    time::Instant,
};

/// A queue of events. Those of one instant come in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Events<E> {
    waiting: BinaryHeap<Reverse<Waiting<E>>>,
    last: u64,
}

#[derive(Debug)]
struct Waiting<E> {
    due: (Instant, u64),
    event: E,
}

impl<E> Events<E> {
    pub(crate) fn new() -> Self {
        Self { waiting: BinaryHeap::new(), last: 0 }
    }

    pub(crate) fn add(&mut self, at: Instant, event: E) {
        self.last += 1;
        self.waiting.push(Reverse(Waiting { due: (at, self.last), event }));
    }

    /// Returns when the next is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse(first)| first.due.0)
    }

    pub(crate) fn pop(&mut self) -> Option<E> {
        self.waiting.pop().map(|Reverse(first)| first.event)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl<E> Ord for Waiting<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl<E> PartialOrd for Waiting<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Waiting<E> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl<E> Eq for Waiting<E> {}
