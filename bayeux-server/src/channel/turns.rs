//! One at a time makes or removes the channel of a name.
//!
//! What an application does meanwhile, to set a channel up or because it was told of one, is neither
//! under a lock nor bounded. So others who want to make or remove the channel of this name wait for their
//! turn. Nobody waits for ever: who waited for [`PATIENCE`], and who would wait for himself, since what the
//! application does makes or removes channels in its turn, goes on without.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use bayeux_api::implement::lock;
use tokio::sync::Notify;

use crate::channel::Channel;

/// Who has which name.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashMap<Arc<str>, Arc<Channel>>>,
    over: Condvar,
    over_for_tasks: Notify,
}

/// The right to make or remove the channel of a name, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    channel: Arc<Channel>,
}

/// How somebody goes on who asked for a turn.
#[derive(Debug)]
pub(super) enum Admission<'a> {
    Turn(Turn<'a>),
    /// Beside the one whose turn it is, who tells of the removal of the channel before.
    Without,
    /// With the channel that is being set up.
    HalfMade(Arc<Channel>),
}

/// For so long one waits for another who sets a channel up, as in CometD.
const PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    /// Whether this thread runs an application's code in a turn.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

impl Turns {
    /// Takes the turn for the name of `channel`; in vain when another has it, with that one's channel.
    pub(super) fn take(&self, channel: &Arc<Channel>) -> Result<Turn<'_>, Arc<Channel>> {
        let mut taken = lock(&self.taken);
        match taken.get(channel.id.as_str()) {
            Some(other) => Err(other.clone()),
            None => {
                taken.insert(channel.id.name().clone(), channel.clone());
                Ok(Turn { turns: self, channel: channel.clone() })
            }
        }
    }

    /// Waits in this thread for the turn for the name of `channel`.
    pub(super) fn wait(&self, channel: &Arc<Channel>) -> Admission<'_> {
        loop {
            match self.take(channel) {
                Ok(turn) => return Admission::Turn(turn),
                Err(other) if IN_TURN.get() || !self.is_over(channel) => return without(other),
                Err(_) => {}
            }
        }
    }

    /// Waits as a task for the turn for the name of `channel`.
    pub(super) async fn waited(&self, channel: &Arc<Channel>) -> Admission<'_> {
        loop {
            match self.take(channel) {
                Ok(turn) => return Admission::Turn(turn),
                Err(other) if IN_TURN.get() || !self.is_over_for_task(channel).await => {
                    return without(other);
                }
                Err(_) => {}
            }
        }
    }

    fn is_over(&self, channel: &Channel) -> bool {
        let is_taken = |taken: &mut HashMap<_, _>| taken.contains_key(channel.id.as_str());
        let waited = self.over.wait_timeout_while(lock(&self.taken), PATIENCE, is_taken);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    async fn is_over_for_task(&self, channel: &Channel) -> bool {
        let over = self.over_for_tasks.notified();
        if !lock(&self.taken).contains_key(channel.id.as_str()) {
            return true;
        }
        tokio::time::timeout(PATIENCE, over).await.is_ok()
    }
}

fn without(other: Arc<Channel>) -> Admission<'static> {
    tracing::debug!(channel = %other.id, "goes on without its turn");
    if other.is_new() { Admission::HalfMade(other) } else { Admission::Without }
}

/// Runs an application's code in a turn.
pub(super) fn in_turn<T>(call: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            IN_TURN.set(self.0);
        }
    }
    let _restore = Restore(IN_TURN.replace(true));
    call()
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Setting it up failed.
        self.channel.give_up();
        let gone = lock(&self.turns.taken).remove(self.channel.id.as_str());
        drop(gone);
        self.turns.over.notify_all();
        self.turns.over_for_tasks.notify_waiters();
    }
}
