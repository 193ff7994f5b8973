//! Tells the application's listeners who joined and left, one after the other.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
};

use bayeux_api::implement::{Hook, lock};

use crate::{Comet, oort::Inner};

/// What the listeners are still to be told. Bounded by the number of nodes: of a node that joined and left
/// before the first was told nothing is left.
#[derive(Debug, Default)]
pub(super) struct Tellings(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Event>,
    /// Whether somebody tells.
    is_told: bool,
}

#[derive(Clone, Debug)]
enum Event {
    Joined(Comet),
    Left(Comet),
}

impl Tellings {
    pub(super) fn joined(&self, oort: &Arc<Inner>, comet: &Comet) {
        self.note(oort, Event::Joined(comet.clone()));
    }

    pub(super) fn left(&self, oort: &Arc<Inner>, comet: &Comet) {
        self.note(oort, Event::Left(comet.clone()));
    }

    fn note(&self, oort: &Arc<Inner>, event: Event) {
        let mut waiting = lock(&self.0);
        let last = waiting.events.iter().rposition(|earlier| earlier.comet() == event.comet());
        match (last, &event) {
            (Some(index), Event::Left(_)) => drop(waiting.events.remove(index)),
            _ => waiting.events.push_back(event),
        }
        if !waiting.is_told && !waiting.events.is_empty() {
            waiting.is_told = true;
            drop(waiting);
            tokio::spawn(tell(Arc::downgrade(oort)));
        }
    }

    fn next(&self) -> Option<Event> {
        let mut waiting = lock(&self.0);
        let next = waiting.events.pop_front();
        waiting.is_told = next.is_some();
        next
    }
}

impl Event {
    fn comet(&self) -> &Comet {
        match self {
            Self::Joined(comet) | Self::Left(comet) => comet,
        }
    }
}

/// Does not keep the node while a listener waits.
async fn tell(oort: Weak<Inner>) {
    let next = || {
        let oort = oort.upgrade()?;
        Some((oort.tellings.next()?, oort.listeners.members()))
    };
    while let Some((event, listeners)) = next() {
        let hook = Hook("CometListener", event.comet().url());
        for listener in listeners.iter() {
            match &event {
                Event::Joined(comet) => listener.hear(hook, |it| it.comet_joined(comet)).await,
                Event::Left(comet) => listener.hear(hook, |it| it.comet_left(comet)).await,
            };
        }
    }
}
