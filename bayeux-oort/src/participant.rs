//! What takes part in a cloud: an object, a service, or something of an application's own that every node has.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use bayeux_api::{
    ChannelId, Message,
    implement::{Hook, Member},
};

use crate::Comet;

/// Something that several nodes have under the same name, and whose messages are its own affair: not an
/// application's broadcast, which goes on to subscribers. Added by
/// [`Oort::add_participant`](crate::Oort::add_participant) with its channels.
///
/// Joined and left of a node are told in order, and so is what it sends between them. The methods that are
/// not `async` must not wait, nor add or remove participants: they are called under a lock of the cloud, without
/// which one that is added meanwhile could hear of a node twice, or never.
#[async_trait]
pub trait Participant: Send + Sync + fmt::Debug {
    /// A node joined. Also told, at once, of those that have joined when this is added.
    fn joined(&self, _comet: &Comet) {}

    /// A node left.
    fn left(&self, _comet: &Comet) {}

    /// A node that has joined observes `channel`, one of the participant's broadcast channels, from now on or
    /// once more: it has its own such participant, and knows nothing yet of this one, or may have missed
    /// something.
    fn observed(&self, _comet: &Comet, _channel: &ChannelId) {}

    /// A message from a node on one of the participant's channels. What the same node sent next waits until
    /// this returns.
    async fn received(&self, _from: &Comet, _message: Message) {}
}

/// The participants of a node, and the others that they were told of.
#[derive(Debug, Default)]
pub(crate) struct Participants {
    /// In the order in which they were added.
    all: Vec<Place>,
    by_channel: HashMap<ChannelId, Place>,
    /// How many were ever added.
    count: u64,
    comets: BTreeSet<Comet>,
    has_ended: bool,
}

/// A participant, as it was added once.
#[derive(Clone, Debug)]
struct Place {
    number: u64,
    participant: Arc<dyn Participant>,
}

/// Another participant of this node has one of the channels, and gets what comes on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "something else takes part in the cloud on channel {0}, such as an object or service of the same name"
)]
pub struct ChannelTaken(pub ChannelId);

impl Participants {
    /// Adds a participant, which is told who has joined; returns by which number it is removed.
    pub(crate) fn add(
        &mut self,
        channels: &[ChannelId],
        participant: Arc<dyn Participant>,
    ) -> Result<u64, ChannelTaken> {
        if let Some(taken) = channels.iter().find(|channel| self.on(channel).is_some()) {
            return Err(ChannelTaken(taken.clone()));
        }
        self.comets.iter().for_each(|comet| joined(&*participant, comet));
        self.count += 1;
        let place = Place { number: self.count, participant };
        self.by_channel.extend(channels.iter().map(|channel| (channel.clone(), place.clone())));
        self.all.push(place);
        Ok(self.count)
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.all.retain(|place| place.number != number);
        self.by_channel.retain(|_, place| place.number != number);
    }

    /// Returns the participant that has a channel.
    pub(crate) fn on(&self, channel: &ChannelId) -> Option<&Arc<dyn Participant>> {
        self.by_channel.get(channel).map(|place| &place.participant)
    }

    /// Returns whether that is news.
    pub(crate) fn joined(&mut self, comet: &Comet) -> bool {
        let is_news = !self.has_ended && self.comets.insert(comet.clone());
        if is_news {
            self.all.iter().for_each(|place| joined(&*place.participant, comet));
        }
        is_news
    }

    /// Returns whether that is news.
    pub(crate) fn left(&mut self, comet: &Comet) -> bool {
        let is_news = self.comets.remove(comet);
        if is_news {
            for place in &self.all {
                let hook = Hook("Participant::left", comet.url());
                Member::of(&*place.participant).tell(hook, |it| it.left(comet));
            }
        }
        is_news
    }

    /// This node has left: to it all others have.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        for comet in self.comets.clone() {
            self.left(&comet);
        }
    }
}

fn joined(participant: &dyn Participant, comet: &Comet) {
    let hook = Hook("Participant::joined", comet.url());
    Member::of(participant).tell(hook, |it| it.joined(comet));
}
