//! What a connection needs only while it has something to do. One that waits has none of it: it leaves it to
//! the next connection of its thread that is busy, which need not make it.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use bayeux_api::Frozen;

use crate::{
    exchange::{Answer, Receipt},
    transport::websocket::{outbox::Outbox, reading::Inbox, working::Work},
};

/// What a connection is busy with, if it is.
#[derive(Debug, Default)]
pub(super) struct Busy(Option<Box<Parts>>);

#[derive(Debug)]
pub(super) struct Parts {
    /// What was read and waits to be worked on.
    pub(super) inbox: Inbox,
    /// On the messages of a frame.
    pub(super) working: Work,
    /// On the reply to a connect.
    pub(super) answering: Work,
    pub(super) outbox: Outbox,
    /// The answer to a ping, which waits until less is to be written.
    pub(super) pong: Option<Vec<u8>>,
    /// Of the handshakes and connects whose replies are in the outbox.
    pub(super) receipts: Vec<Receipt>,
}

static NOTHING: Parts = Parts::new();

thread_local! {
    static SPARE: Cell<Option<Box<Parts>>> = const { Cell::new(None) };
}

impl Parts {
    const fn new() -> Self {
        Self {
            inbox: Inbox::new(),
            working: Work::None,
            answering: Work::None,
            outbox: Outbox::new(),
            pong: None,
            receipts: Vec::new(),
        }
    }

    fn is_done(&self) -> bool {
        self.inbox.is_empty()
            && !self.inbox.has_end()
            && self.working.is_none()
            && self.answering.is_none()
            && self.outbox.is_empty()
            && self.pong.is_none()
            && self.receipts.is_empty()
    }
}

impl Busy {
    /// Gives back the memory that is not needed for now: all of it when there is nothing to do.
    pub(super) fn rest(&mut self) {
        let Some(parts) = &mut self.0 else { return };
        parts.inbox.trim();
        parts.outbox.trim();
        if parts.is_done() {
            SPARE.set(self.0.take());
        }
    }
}

impl Busy {
    /// Takes up what was worked on, if it is done.
    pub(super) fn take_worked(&mut self) -> Option<Box<Answer>> {
        self.0.as_mut()?.working.take()
    }

    /// Takes up the answer to a connect, if that is done.
    pub(super) fn take_answered(&mut self) -> Option<Box<Answer>> {
        self.0.as_mut()?.answering.take()
    }

    /// Notes that all has left that is in the outbox.
    pub(super) fn forget_receipts(&mut self) {
        if let Some(parts) = &mut self.0 {
            parts.receipts.clear();
        }
    }

    /// Takes the messages that were not written whole, and forgets all else that was to be.
    pub(super) fn take_unwritten(&mut self) -> Vec<Arc<Frozen>> {
        let Some(parts) = &mut self.0 else { return Vec::new() };
        let messages = parts.outbox.take_messages();
        parts.receipts.clear();
        messages
    }
}

impl Deref for Busy {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for Busy {
    fn deref_mut(&mut self) -> &mut Parts {
        self.0.get_or_insert_with(|| SPARE.take().unwrap_or_else(|| Box::new(Parts::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_rests_has_nothing_and_the_next_gets_what_it_had() {
        let (mut one, mut next) = (Busy::default(), Busy::default());
        one.outbox.append(|open| open.push(1));
        one.rest();
        assert!(one.0.is_some(), "it is not written");
        one.outbox.advance(1);
        let place: *const Parts = &*one;
        one.rest();
        assert!(one.0.is_none() && one.outbox.is_empty());
        assert!(std::ptr::eq(&*next.deref_mut(), place));
        assert!(next.outbox.is_empty());
    }
}
