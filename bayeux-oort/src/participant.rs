//! What takes part in a cloud: an object, a service, or something of an application's own that every node has.

use std::{collections::BTreeSet, fmt, sync::Arc};

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
/// not `async` must not wait.
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
    places: Vec<Place>,
    comets: BTreeSet<Comet>,
}

/// A participant and its channels.
#[derive(Clone, Debug)]
struct Place {
    channels: Vec<ChannelId>,
    participant: Arc<dyn Participant>,
}

/// Another participant of this node has one of the channels, and gets what comes on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "something else takes part in the cloud on channel {0}, such as an object or service of the same name"
)]
pub struct ChannelTaken(pub ChannelId);

impl Participants {
    /// Adds a participant, which is told who has joined.
    pub(crate) fn add(
        &mut self,
        channels: &[ChannelId],
        participant: Arc<dyn Participant>,
    ) -> Result<(), ChannelTaken> {
        if let Some(taken) = channels.iter().find(|channel| self.on(channel).is_some()) {
            return Err(ChannelTaken(taken.clone()));
        }
        self.comets.iter().for_each(|comet| joined(&*participant, comet));
        self.places.push(Place { channels: channels.to_vec(), participant });
        Ok(())
    }

    pub(crate) fn remove(&mut self, participant: &Arc<dyn Participant>) {
        self.places.retain(|place| !Arc::ptr_eq(&place.participant, participant));
    }

    /// Returns the participant that has a channel.
    pub(crate) fn on(&self, channel: &ChannelId) -> Option<&Arc<dyn Participant>> {
        let place = self.places.iter().find(|place| place.channels.contains(channel));
        place.map(|place| &place.participant)
    }

    pub(crate) fn joined(&mut self, comet: &Comet) {
        if self.comets.insert(comet.clone()) {
            self.places.iter().for_each(|place| joined(&*place.participant, comet));
        }
    }

    pub(crate) fn left(&mut self, comet: &Comet) {
        if self.comets.remove(comet) {
            for place in &self.places {
                let hook = Hook("Participant::left", comet.url());
                Member::of(&*place.participant).tell(hook, |it| it.left(comet));
            }
        }
    }

    /// This node has left: to it all others have.
    pub(crate) fn end(&mut self) {
        for comet in self.comets.clone() {
            self.left(&comet);
        }
    }
}

fn joined(participant: &dyn Participant, comet: &Comet) {
    let hook = Hook("Participant::joined", comet.url());
    Member::of(participant).tell(hook, |it| it.joined(comet));
}
