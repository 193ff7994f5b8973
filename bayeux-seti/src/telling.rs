//! The listeners are told, one thing after the other.

use std::sync::Arc;

use bayeux_api::implement::Hook;

use crate::{
    Presence,
    engine::Inner,
    proto::{announcements::Change, tellings::Event},
};

impl Inner {
    pub(crate) async fn tell(self: Arc<Self>) {
        loop {
            let Some(event) = self.presence(|presence| presence.next_event()) else {
                self.to_tell.notified().await;
                continue;
            };
            self.tell_event(event).await;
        }
    }

    async fn tell_event(&self, Event { user, comet, change, hearers }: Event) {
        let is_local = comet == *self.own();
        let presence = Presence { user, comet, is_local };
        let hook = Hook("PresenceListener", presence.user_id());
        for listener in self.listeners.members().who_hear(hearers) {
            let heard = listener.hear(hook, |it| match change {
                Change::Added => it.added(&presence),
                Change::Removed => it.removed(&presence),
            });
            heard.await;
        }
    }
}
