//! Tells the application's listeners who joined and left, one after the other.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
};

use bayeux_api::implement::{Audience, Hearers, Hook, lock};

use crate::{Comet, oort::Inner};

/// What the listeners are still to be told. Bounded by the number of nodes, and of listeners: of a node that joined and
/// left before the first was told nothing is left, unless somebody has begun to listen between the two, who knows of the
/// first and has to hear of the second.
#[derive(Debug, Default)]
pub(super) struct Tellings(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<(Event, Hearers)>,
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
        waiting.note(event, &oort.listeners.audience());
        if !waiting.is_told && !waiting.events.is_empty() {
            waiting.is_told = true;
            drop(waiting);
            tokio::spawn(tell(Arc::downgrade(oort)));
        }
    }

    fn next(&self) -> Option<(Event, Hearers)> {
        let mut waiting = lock(&self.0);
        let next = waiting.events.pop_front();
        waiting.is_told = next.is_some();
        next
    }
}

impl Waiting {
    /// Notes an event for those who listen. The last two of a node that say that it joined and left, and are for the same
    /// listeners, are none: of more than there are listeners, two are.
    fn note(&mut self, event: Event, audience: &Audience) {
        let comet = event.comet().clone();
        self.events.push_back((event, audience.hearers()));
        let of_node = (0..self.events.len()).filter(|at| *self.events[*at].0.comet() == comet);
        let of_node: Vec<_> = of_node.collect();
        let undone = of_node.windows(2).rev().find(|pair| {
            let [(joined, of_joined), (left, of_left)] =
                [pair[0], pair[1]].map(|at| &self.events[at]);
            matches!((joined, left), (Event::Joined(_), Event::Left(_)))
                && audience.hears_alike(*of_joined, *of_left)
        });
        if let Some(pair) = undone {
            self.events.remove(pair[1]);
            self.events.remove(pair[0]);
        }
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
    while let Some(((event, hearers), listeners)) = next() {
        let hook = Hook("CometListener", event.comet().url());
        for listener in listeners.who_hear(hearers) {
            match &event {
                Event::Joined(comet) => listener.hear(hook, |it| it.comet_joined(comet)).await,
                Event::Left(comet) => listener.hear(hook, |it| it.comet_left(comet)).await,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_listeners_come_and_go_no_more_waits_than_there_are() {
        let mut waiting = Waiting::default();
        let comet = Comet::new("a", "http://a");
        for number in 0..1000 {
            // Each of them for some of the others' time; the first stays.
            let audience = [0].into_iter().chain(number..number + 4).collect();
            let event = if number % 2 == 0 { Event::Joined } else { Event::Left };
            waiting.note(event(comet.clone()), &audience);
            assert!(waiting.events.len() <= 12, "{}", waiting.events.len());
        }
        for (number, (event, _)) in waiting.events.iter().enumerate() {
            assert_eq!(matches!(event, Event::Joined(_)), number % 2 == 0, "in turn");
        }
        assert_eq!(waiting.events.len() % 2, 0);
    }

    #[test]
    fn a_node_that_left_and_joined_again_is_told() {
        let (mut waiting, audience) = (Waiting::default(), [1].into_iter().collect());
        let comet = Comet::new("a", "http://a");
        for _ in 0..10 {
            waiting.note(Event::Left(comet.clone()), &audience);
            waiting.note(Event::Joined(comet.clone()), &audience);
        }
        let events: Vec<_> = waiting.events.iter().map(|(event, _)| event).collect();
        assert!(matches!(events[..], [Event::Left(_), Event::Joined(_)]), "{events:?}");
    }
}
