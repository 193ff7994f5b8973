//! What the cloud tells is handed to the participants, the listeners and the subscribers here.

use std::sync::{PoisonError, Weak};

use async_trait::async_trait;
use bayeux_api::{
    ChannelId, Message,
    implement::{Hook, Member, lock},
};

use crate::{CloudListener, Comet, oort::Inner};

/// Listens to the cloud for an [`Oort`](crate::Oort), which it does not keep.
#[derive(Debug)]
pub(super) struct Events(Weak<Inner>);

impl Events {
    pub(super) fn new(oort: Weak<Inner>) -> Self {
        Self(oort)
    }
}

#[async_trait]
impl CloudListener for Events {
    fn joined(&self, comet: &Comet) {
        let Some(oort) = self.0.upgrade() else { return };
        tracing::info!(?comet, "a node joined");
        oort.lane_is_gone(comet, false);
        if !lock(&oort.participants).joined(comet) {
            return;
        }
        oort.tellings.joined(&oort, comet);
    }

    fn left(&self, comet: &Comet) {
        let Some(oort) = self.0.upgrade() else { return };
        tracing::info!(?comet, "a node left");
        oort.lane_is_gone(comet, true);
        if !lock(&oort.participants).left(comet) {
            return;
        }
        oort.tellings.left(&oort, comet);
    }

    fn observed(&self, comet: &Comet, channel: &ChannelId) {
        let Some(oort) = self.0.upgrade() else { return };
        if let Some(participant) = lock(&oort.participants).on(channel) {
            let hook = Hook("Participant::observed", channel.as_str());
            Member::of(&**participant).tell(hook, |it| it.observed(comet, channel));
        }
    }

    async fn received(&self, from: &Comet, message: Message) {
        let Some(oort) = self.0.upgrade() else { return };
        let Ok(channel) = ChannelId::new(message.channel()) else { return };
        let participant = lock(&oort.participants).on(&channel).cloned();
        match participant {
            Some(participant) => {
                drop(oort);
                let hook = Hook("Participant::received", channel.as_str());
                Member::of(&*participant).wait(hook, |it| it.received(from, message)).await;
            }
            None if message.data.is_some() && oort.is_observed(&channel) => {
                let late = oort.publish_soon(from, channel, message);
                drop(oort);
                if let Some(late) = late {
                    late.join().await;
                }
            }
            None => {}
        }
    }
}

impl Inner {
    fn is_observed(&self, channel: &ChannelId) -> bool {
        let observed = self.observed.read().unwrap_or_else(PoisonError::into_inner);
        observed.iter().any(|own| own.matches(channel))
    }
}
