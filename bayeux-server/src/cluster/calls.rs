//! The calls of a backplane: each has a deadline, and fails when the backplane panics.

use std::{future::Future, sync::Arc, time::Duration};

use bayeux_api::{
    ChannelId, Frozen,
    implement::Hook,
    server::{Backplane, Inlet, Passage, ServerSession, Unavailable},
};

/// A backplane, and how long it may take.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    backplane: Arc<dyn Backplane>,
    timeout: Duration,
}

/// How long one may take that does not know itself.
const PATIENCE: Duration = Duration::from_secs(10);

impl Calls {
    pub(super) fn new(backplane: Arc<dyn Backplane>) -> Self {
        let asked = Hook("Backplane::timeout", "").ask(|| backplane.timeout());
        Self { backplane, timeout: asked.unwrap_or(PATIENCE) }
    }

    pub(super) fn start(&self, inlet: Inlet) {
        Hook("Backplane::start", "").ask(|| self.backplane.start(inlet));
    }

    /// None when the message could not be passed on.
    pub(super) async fn publish(
        &self,
        from: Option<&Arc<dyn ServerSession>>,
        id: &ChannelId,
        message: &Arc<Frozen>,
    ) -> Option<Passage> {
        let hook = Hook("Backplane::publish", id.as_str());
        self.call(hook, || self.backplane.publish(from, id, message)).await
    }

    pub(super) async fn join(&self, id: &ChannelId) -> bool {
        let hook = Hook("Backplane::join", id.as_str());
        self.call(hook, || self.backplane.join(id)).await.is_some()
    }

    pub(super) async fn leave(&self, id: &ChannelId) {
        let hook = Hook("Backplane::leave", id.as_str());
        let leave = async || {
            self.backplane.leave(id).await;
            Ok(())
        };
        self.call(hook, leave).await;
    }

    async fn call<T, F>(&self, hook: Hook<'_>, call: impl FnOnce() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Unavailable>>,
    {
        let Hook(name, channel) = hook;
        match tokio::time::timeout(self.timeout, hook.wait(call)).await {
            Ok(Some(Ok(done))) => Some(done),
            Ok(Some(Err(error))) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(name, channel, cause, "the backplane is unavailable");
                None
            }
            // It panicked, which is logged.
            Ok(None) => None,
            Err(_) => {
                tracing::warn!(name, channel, timeout = ?self.timeout, "the backplane is too slow");
                None
            }
        }
    }
}
