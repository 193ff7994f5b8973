//! What the listeners hear of channels: of those of one name one thing after the other, in the order in which
//! it happened.
//!
//! Whoever adds or removes a channel notes that while it has the register's lock, and tells of it after that,
//! unless somebody tells of that name already, who then comes to it in his turn. So a listener may remove the
//! channel that it hears of, and the next one hears of both, in order.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use bayeux_api::implement::lock;

use crate::channel::Channel;

/// What happened to a channel.
#[derive(Debug)]
pub(super) enum Event {
    Added(Arc<Channel>),
    Removed(Arc<Channel>),
}

/// What the listeners have not heard yet, by name. Of the names that are here somebody tells.
#[derive(Debug, Default)]
pub(super) struct Tellings(Mutex<HashMap<Arc<str>, VecDeque<Event>>>);

/// Whether whoever noted something is to tell of it, since nobody else does.
#[derive(Debug)]
#[must_use = "the listeners are to be told"]
pub(super) struct IsTeller(pub(super) bool);

/// When so many wait, because a listener does not return, a channel that came and went is not told of.
const MOST: usize = 1000;

impl Tellings {
    pub(super) fn note(&self, event: Event) -> IsTeller {
        let mut names = lock(&self.0);
        let Some(waiting) = names.get_mut(event.name()) else {
            names.insert(event.name().clone(), VecDeque::from([event]));
            return IsTeller(true);
        };
        let is_undone =
            waiting.len() >= MOST && waiting.back().is_some_and(|last| last.is_undone_by(&event));
        if is_undone {
            waiting.pop_back();
        } else {
            waiting.push_back(event);
        }
        IsTeller(false)
    }

    /// Returns what is told next of the channels of a name; none when somebody else may begin to tell.
    pub(super) fn next(&self, name: &str) -> Option<Event> {
        let mut names = lock(&self.0);
        let next = names.get_mut(name)?.pop_front();
        if next.is_none() {
            names.remove(name);
        }
        next
    }
}

impl Event {
    fn name(&self) -> &Arc<str> {
        match self {
            Self::Added(channel) | Self::Removed(channel) => channel.id.name(),
        }
    }

    fn is_undone_by(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Added(one), Self::Removed(other)) | (Self::Removed(one), Self::Added(other)) => {
                Arc::ptr_eq(one, other)
            }
            (Self::Added(_) | Self::Removed(_), _) => false,
        }
    }
}
