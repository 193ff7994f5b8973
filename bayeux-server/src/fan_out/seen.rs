//! What the application added to a session, as a delivery meets it.

use std::sync::Arc;

use bayeux_api::{
    Flow, Frozen,
    implement::{Hook, Members},
    server::{Overflow, ServerSession, ServerSessionListener},
};

use crate::session::{Hooks, Session};

/// A session that is delivered to, as its hooks see it.
pub(super) struct Seen<'a> {
    session: Arc<dyn ServerSession>,
    hooks: &'a Hooks,
    listeners: Members<dyn ServerSessionListener>,
}

/// What the hooks make of a message.
pub(super) enum Shown {
    /// It passes as it is.
    Passes,
    /// It passes as this one.
    Changed(Arc<Frozen>),
    /// One of them drops it, or panicked.
    Dropped,
}

impl<'a> Seen<'a> {
    pub(super) fn new(session: &Arc<Session>, hooks: &'a Hooks) -> Self {
        Self { session: session.as_dyn(), hooks, listeners: hooks.listeners.members() }
    }

    /// Shows a message to the session's extensions and listeners.
    pub(super) async fn show(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
    ) -> Shown {
        let mut changed = None;
        if !self.hooks.extensions.is_empty() {
            changed = self.extend(sender, message.clone()).await;
            if changed.is_none() {
                return Shown::Dropped;
            }
        }
        let message = changed.as_ref().unwrap_or(message);
        let hook = self.hook("ServerSessionListener::on_message");
        for listener in self.listeners.iter() {
            let shown = listener.wait(hook, |it| it.on_message(&self.session, sender, message));
            if shown.await != Some(Flow::Continue) {
                return Shown::Dropped;
            }
        }
        changed.map_or(Shown::Passes, Shown::Changed)
    }

    async fn extend(
        &self,
        sender: Option<&Arc<dyn ServerSession>>,
        mut message: Arc<Frozen>,
    ) -> Option<Arc<Frozen>> {
        let hook = self.hook("SessionExtension::outgoing");
        for extension in self.hooks.extensions.members().iter().rev() {
            let shown = extension.wait(hook, |it| it.outgoing(sender, &self.session, message));
            message = shown.await.flatten()?;
        }
        Some(message)
    }

    /// Tells the listeners that a message was queued.
    pub(super) fn queued(&self, message: &Frozen) {
        let hook = self.hook("ServerSessionListener::queued");
        for listener in self.listeners.iter() {
            listener.tell(hook, |it| it.queued(&self.session, message));
        }
    }

    /// Asks the listeners what happens to a message for which the queue has no place.
    pub(super) fn overflow(&self, message: &Frozen) -> Option<Overflow> {
        let (hook, depth) =
            (self.hook("ServerSessionListener::queue_maxed"), self.session.queue_depth());
        let ask = |it: &dyn ServerSessionListener| it.queue_maxed(&self.session, depth, message);
        self.listeners.iter().find_map(|listener| listener.ask(hook, ask).flatten())
    }

    fn hook(&self, name: &'static str) -> Hook<'_> {
        Hook(name, self.session.id())
    }
}
