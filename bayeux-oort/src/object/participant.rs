//! An object takes part in the cloud.

use async_trait::async_trait;
use bayeux_api::{ChannelId, Message};

use crate::{
    Comet, Participant,
    object::{
        Malformed,
        encoding::{LARGE, off_the_runtime, prepared},
        engine::Inner,
        reading::{Read, read},
        shape::Shape,
    },
    proto::{
        object::{Heard, Input},
        wire::Refused,
    },
};

#[async_trait]
impl<S: Shape> Participant for Inner<S> {
    fn joined(&self, comet: &Comet) {
        self.handle(Input::Joined(comet.clone()));
    }

    fn left(&self, comet: &Comet) {
        self.handle(Input::Left(comet.clone()));
        self.forget(comet);
    }

    fn observed(&self, comet: &Comet, _channel: &ChannelId) {
        self.handle(Input::Observed(comet.clone()));
    }

    async fn received(&self, from: &Comet, message: Message) {
        match self.read(from, message).await {
            Ok(Read { mut heard, malformed }) => {
                self.prepare(from, &mut heard).await;
                self.handle(Input::Heard(from.clone(), heard));
                if let Some(malformed) = malformed {
                    self.malformed(from, malformed);
                }
            }
            Err(why) => {
                if self.count(from, |statistics| statistics.refused += 1) {
                    tracing::warn!(object = &*self.name, ?from, %why, "a message is refused");
                }
            }
        }
    }
}

impl<S: Shape> Inner<S> {
    /// Reads a message. A large one is read elsewhere; what the same node sent next waits for it.
    async fn read(&self, from: &Comet, message: Message) -> Result<Read<S>, Refused> {
        let data = message.data.ok_or(Refused::NoObject)?;
        let own = self.own().url();
        let text = data.text();
        if text.len() < LARGE {
            return read(&text, from.url(), &self.name, own);
        }
        let text = text.into_owned();
        let (from, name, own) = (from.clone(), self.name.clone(), self.own().clone());
        let work = move || read(&text, from.url(), &name, own.url());
        off_the_runtime(true, &self.name, work).await.unwrap_or(Err(Refused::NoObject))
    }

    /// Does most of the work of a change before it is made.
    async fn prepare(&self, from: &Comet, heard: &mut Heard<S>) {
        if let Heard::Item { version, change, .. } = heard
            && let Some(object) = self.part_before(from, *version)
            && let Some(known) = change.take()
        {
            *change = prepared::<S>(&self.name, object, known).await;
        }
    }

    fn malformed(&self, from: &Comet, malformed: Malformed) {
        let count = u64::try_from(malformed.count).unwrap_or(u64::MAX);
        if self.count(from, |statistics| statistics.malformed += count) {
            tracing::warn!(object = &*self.name, ?from, ?malformed, "values cannot be read");
        }
        if !self.listeners.is_empty() {
            self.tellings(|tellings| {
                tellings.malformed(from, malformed, self.listeners.audience().hearers());
            });
            self.to_tell.notify_one();
        }
    }
}
