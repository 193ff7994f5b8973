//! The listeners are told, one thing after the other.

use std::sync::Arc;

use bayeux_api::{Registration, implement::Hook};
use tokio_util::sync::CancellationToken;

use crate::{
    Presence, PresenceListener,
    engine::Inner,
    proto::{announcements::Change, tellings::Event},
};

/// A listener, as it is told.
#[derive(Debug)]
pub(crate) struct Told {
    listener: Arc<dyn PresenceListener>,
    /// What it still does is waited for no longer.
    removed: CancellationToken,
}

impl Inner {
    pub(crate) fn add_listener(
        self: &Arc<Self>,
        listener: Arc<dyn PresenceListener>,
    ) -> Registration {
        let told = Arc::new(Told { listener, removed: CancellationToken::new() });
        self.listeners.add(told.clone()).keep();
        let (seti, told) = (Arc::downgrade(self), Arc::downgrade(&told));
        Registration::new(move || {
            let (Some(seti), Some(told)) = (seti.upgrade(), told.upgrade()) else { return };
            seti.listeners.retain(|one| !std::ptr::eq(one, &raw const *told));
            told.removed.cancel();
        })
    }

    pub(crate) async fn tell(self: Arc<Self>) {
        loop {
            let Some(event) = self.presence(|presence| presence.next_event()) else {
                self.to_tell.notified().await;
                continue;
            };
            self.tell_event(event).await;
        }
    }

    async fn tell_event(&self, Event { user, comet, change }: Event) {
        let is_local = comet == *self.own();
        let presence = Presence { user, comet, is_local };
        let hook = Hook("PresenceListener", presence.user_id());
        for listener in self.listeners.members().iter() {
            listener
                .wait(hook, |told| told.removed.run_until_cancelled(told.hears(&presence, change)))
                .await;
        }
    }
}

impl Told {
    async fn hears(&self, presence: &Presence, change: Change) {
        match change {
            Change::Added => self.listener.added(presence).await,
            Change::Removed => self.listener.removed(presence).await,
        }
    }
}
