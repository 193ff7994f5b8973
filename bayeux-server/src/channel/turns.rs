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
    time::{Duration, Instant},
};

use bayeux_api::implement::lock;
use tokio::sync::Notify;

use crate::{channel::Channel, clock};

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
        let mut until = None;
        loop {
            match self.take(channel) {
                Ok(turn) => return Admission::Turn(turn),
                Err(other) if IN_TURN.get() || !self.is_over(channel, patience(&mut until)) => {
                    return without(other);
                }
                Err(_) => {}
            }
        }
    }

    /// Waits as a task for the turn for the name of `channel`.
    pub(super) async fn waited(&self, channel: &Arc<Channel>) -> Admission<'_> {
        let mut until = None;
        loop {
            match self.take(channel) {
                Ok(turn) => return Admission::Turn(turn),
                Err(other)
                    if IN_TURN.get()
                        || !self.is_over_for_task(channel, patience(&mut until)).await =>
                {
                    return without(other);
                }
                Err(_) => {}
            }
        }
    }

    fn is_over(&self, channel: &Channel, until: Instant) -> bool {
        let is_taken = |taken: &mut HashMap<_, _>| taken.contains_key(channel.id.as_str());
        let left = until.saturating_duration_since(clock::now());
        let waited = self.over.wait_timeout_while(lock(&self.taken), left, is_taken);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits until a turn is over, be it that for another name.
    async fn is_over_for_task(&self, channel: &Channel, until: Instant) -> bool {
        let over = self.over_for_tasks.notified();
        if !lock(&self.taken).contains_key(channel.id.as_str()) {
            return true;
        }
        tokio::time::timeout_at(until.into(), over).await.is_ok()
    }
}

/// Until when somebody waits who began to at the first call, whoever else has turns meanwhile.
fn patience(until: &mut Option<Instant>) -> Instant {
    *until.get_or_insert_with(|| clock::now() + PATIENCE)
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

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use bayeux_api::ChannelId;
    use tokio::time::{sleep, timeout};

    use super::*;

    fn channel(name: &str) -> Arc<Channel> {
        Channel::new(ChannelId::new(name).unwrap(), Weak::new())
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_does_so_for_no_longer_when_others_have_their_turns() {
        let turns = Turns::default();
        let _turn = turns.take(&channel("/slow")).unwrap();
        let others = async {
            loop {
                drop(turns.take(&channel("/other")).unwrap());
                sleep(PATIENCE / 5).await;
            }
        };
        let began = clock::now();
        let slow = channel("/slow");
        let admission = tokio::select! {
            admission = timeout(2 * PATIENCE, turns.waited(&slow)) => admission,
            () = others => unreachable!("they go on"),
        };
        assert!(matches!(admission, Ok(Admission::HalfMade(_))), "{admission:?}");
        assert_eq!(clock::now() - began, PATIENCE);
    }
}
