//! The listeners of an object are told, one thing after the other.

use std::sync::Arc;

use bayeux_api::implement::Hook;

use crate::{
    Comet,
    object::{
        Info, Malformed,
        engine::Inner,
        shape::Shape,
        tellings::{Sum, Telling},
    },
    proto::object::Event,
};

impl<S: Shape> Inner<S> {
    pub(crate) async fn tell(self: Arc<Self>) {
        loop {
            let Some(telling) = self.tellings(|tellings| tellings.next()) else {
                self.to_tell.notified().await;
                continue;
            };
            match &telling {
                Telling::Event(event) => self.tell_event(event).await,
                Telling::Sum(sum) => self.tell_sum(sum).await,
                Telling::Malformed(comet, malformed) => self.tell_malformed(comet, malformed).await,
            }
            let parts = telling.into_unused();
            self.discard(parts.into_iter().map(Info::into_shared).collect());
        }
    }

    async fn tell_event(&self, event: &Event<S>) {
        let hook = Hook("OortObjectListener", &self.name);
        match event {
            Event::Updated { old, new } => {
                for listener in self.listeners.members().iter() {
                    listener.hear(hook, |it| it.updated(old.as_ref(), new)).await;
                }
            }
            Event::Removed(info) => {
                for listener in self.listeners.members().iter() {
                    listener.hear(hook, |it| it.removed(info)).await;
                }
            }
            Event::Changed { info, effect } => {
                for listener in self.item_listeners.members().iter() {
                    listener.hear(hook, |it| S::tell(it, info, effect)).await;
                }
            }
        }
    }

    async fn tell_sum(&self, Sum { old, new, has_whole }: &Sum<S>) {
        let hook = Hook("OortObjectListener", &self.name);
        match new {
            Some(new) if *has_whole => {
                for listener in self.listeners.members().iter() {
                    listener.hear(hook, |it| it.updated(Some(old), new)).await;
                }
            }
            Some(new) => {
                for listener in self.item_listeners.members().iter() {
                    listener.hear(hook, |it| S::tell_difference(it, old, new)).await;
                }
            }
            None => {
                for listener in self.listeners.members().iter() {
                    listener.hear(hook, |it| it.removed(old)).await;
                }
            }
        }
    }

    async fn tell_malformed(&self, comet: &Comet, malformed: &Malformed) {
        let hook = Hook("OortObjectListener::malformed", &self.name);
        for listener in self.listeners.members().iter() {
            listener.hear(hook, |it| it.malformed(comet, malformed)).await;
        }
    }
}
