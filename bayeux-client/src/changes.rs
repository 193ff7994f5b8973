//! The state of a client, as it changes.

use tokio::sync::watch;

use crate::State;

/// Tells of each change of a client's state, of which some may be passed over when they follow each
/// other faster than they are asked for. It does not keep the client alive.
#[derive(Clone, Debug)]
pub struct StateChanges(watch::Receiver<State>);

impl StateChanges {
    pub(crate) fn new(states: watch::Receiver<State>) -> Self {
        Self(states)
    }

    /// Returns the state as it is, also when the client is gone.
    pub fn current(&self) -> State {
        *self.0.borrow()
    }

    /// Returns whether the state has changed since it was last [told](Self::changed), or the client is gone.
    pub fn has_changed(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Returns whether the client is gone, so that nothing will change any more.
    pub fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }

    /// Takes the state as it is for told.
    pub fn mark_unchanged(&mut self) {
        self.0.mark_unchanged();
    }

    /// Waits for a change and returns the new state; none when the client is gone.
    ///
    /// # Cancel safety
    ///
    /// No change is passed over when the future is dropped.
    pub async fn changed(&mut self) -> Option<State> {
        self.0.changed().await.ok()?;
        Some(*self.0.borrow_and_update())
    }

    /// Waits until the state is one that is wanted and returns it, at once if it is; none when the client
    /// is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for(&mut self, is_wanted: impl FnMut(&State) -> bool) -> Option<State> {
        self.0.wait_for(is_wanted).await.ok().map(|state| *state)
    }
}
