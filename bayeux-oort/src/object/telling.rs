//! The listeners of an object are told, one thing after the other.

use std::sync::Arc;

use bayeux_api::implement::Hook;

use crate::{
    object::{
        Info, OortObjectListener,
        engine::Inner,
        shape::Shape,
        tellings::{Sum, Telling},
    },
    proto::object::Event,
};

/// A listener of an object. All are in one list, since all are told in one order.
pub(crate) enum Ear<S: Shape> {
    /// It hears of whole parts.
    Parts(Arc<dyn OortObjectListener<S::Object>>),
    /// It hears of changes of less than a whole.
    Items(Arc<S::Listener>),
}

impl<S: Shape> Inner<S> {
    pub(crate) async fn tell(self: Arc<Self>) {
        loop {
            let Some((telling, hearers)) = self.tellings(|tellings| tellings.next()) else {
                self.to_tell.notified().await;
                continue;
            };
            let hook = Hook(hook_of(&telling), &self.name);
            for listener in self.listeners.members().who_hear(hearers) {
                listener.hear(hook, |it| it.hear(&telling)).await;
            }
            let parts = telling.into_unused();
            self.discard(parts.into_iter().map(Info::into_shared).collect());
        }
    }
}

fn hook_of<S: Shape>(telling: &Telling<S>) -> &'static str {
    match telling {
        Telling::Event(_) | Telling::Sum(_) => "OortObjectListener",
        Telling::Malformed(..) => "OortObjectListener::malformed",
    }
}

impl<S: Shape> Ear<S> {
    async fn hear(&self, telling: &Telling<S>) {
        match self {
            Self::Parts(listener) => hear_part(&**listener, telling).await,
            Self::Items(listener) => hear_item(&**listener, telling).await,
        }
    }
}

async fn hear_part<S: Shape>(listener: &dyn OortObjectListener<S::Object>, telling: &Telling<S>) {
    match telling {
        Telling::Event(Event::Updated { old, new }) => listener.updated(old.as_ref(), new).await,
        Telling::Event(Event::Removed(info)) => listener.removed(info).await,
        Telling::Event(Event::Changed { .. }) => {}
        Telling::Sum(Sum { old, new: None, .. }) => listener.removed(old).await,
        Telling::Sum(Sum { old, new: Some(new), has_whole: true }) => {
            listener.updated(Some(old), new).await;
        }
        Telling::Sum(Sum { new: Some(_), has_whole: false, .. }) => {}
        Telling::Malformed(comet, malformed) => listener.malformed(comet, malformed).await,
    }
}

async fn hear_item<S: Shape>(listener: &S::Listener, telling: &Telling<S>) {
    match telling {
        Telling::Event(Event::Changed { info, effect }) => S::tell(listener, info, effect).await,
        Telling::Sum(Sum { old, new: Some(new), has_whole: false }) => {
            S::tell_difference(listener, old, new).await;
        }
        Telling::Event(Event::Updated { .. } | Event::Removed(_))
        | Telling::Sum(Sum { new: None, .. } | Sum { has_whole: true, .. })
        | Telling::Malformed(..) => {}
    }
}
