//! A Seti takes part in the cloud.

use std::{fmt, sync::Arc, time::Instant};

use async_trait::async_trait;
use bayeux_api::{ChannelId, Message};
use bayeux_oort::{Comet, Participant};

use crate::{
    SetiStatistics,
    engine::{Inner, SLICE},
    proto::{
        id::ALL,
        presence::Presence,
        wire::{Received, Refused, Said, read},
    },
    session::Local,
    stream::LARGE,
};

/// What the cloud has of a Seti: no handle, so that it ends with those.
#[derive(Debug)]
pub(crate) struct Ear(pub(crate) Arc<Inner>);

#[async_trait]
impl Participant for Ear {
    fn joined(&self, comet: &Comet) {
        // A former life of it may be put aside by that.
        let joined = self.0.parting(|presence, _| presence.joined(comet));
        if let Err(collision) = joined {
            tracing::error!(
                url = comet.url(),
                other = collision.url,
                seti_id = collision.seti_id,
                "a node is refused: another one has the same Seti id, and one of them needs another URL"
            );
        }
    }

    fn left(&self, comet: &Comet) {
        self.0.parting(|presence, now| presence.left(comet, now));
    }

    fn observed(&self, comet: &Comet, channel: &ChannelId) {
        if channel.as_str() == ALL {
            self.0.advance(|presence, now| presence.observed(comet, now));
        }
    }

    async fn received(&self, from: &Comet, message: Message) {
        let inner = &self.0;
        if inner.stopped.is_cancelled() {
            return;
        }
        match inner.read(from, message).await {
            Ok(Received::Presence(said)) => inner.heard(from, said).await,
            Ok(Received::Message(message)) => {
                if inner.presence(|presence| presence.takes(from)) {
                    inner.deliver_soon(from, message);
                }
            }
            Err(why) => inner.refuse(from, why, |all| &mut all.refused),
        }
    }
}

impl Inner {
    /// Does what may leave users of a node that are to be forgotten: a few are at once, and the others after that.
    fn parting<R>(&self, act: impl FnOnce(&mut Presence<Local>, Instant) -> R) -> R {
        let (result, is_more) =
            self.advance(|presence, now| (act(presence, now), presence.sweep(SLICE)));
        if is_more {
            self.to_sweep.notify_one();
        }
        result
    }

    /// Reads a message. A large one is read elsewhere; what the same node sent next waits for it.
    async fn read(&self, from: &Comet, message: Message) -> Result<Received, Refused> {
        let data = message.data.ok_or(Refused::NoObject)?;
        let longest = self.config.max_user_id;
        if data.text().len() < LARGE {
            return read(&data.text(), from.url(), longest);
        }
        let from = from.clone();
        let reading = tokio::task::spawn_blocking(move || read(&data.text(), from.url(), longest));
        reading.await.unwrap_or(Err(Refused::NoObject))
    }

    async fn heard(&self, from: &Comet, said: Said) {
        // Of each user it is told in turn who came and went: what is left of a former life of the node, which left or
        // was put aside, before what it says now.
        if self.presence(|presence| presence.has_leaving()) {
            self.sweep().await;
        }
        let hearing = self.advance(|presence, now| presence.said(from, said, now));
        let Some(mut hearing) = hearing else { return };
        loop {
            self.advance(|presence, _| presence.hear_more(&mut hearing, SLICE));
            if hearing.is_done() {
                break;
            }
            tokio::task::yield_now().await;
        }
        if hearing.users.len() > SLICE {
            self.discard(hearing);
        }
    }

    /// Counts a message of a node that is not taken, and logs it at times: who sends nonsense does not fill the log.
    pub(crate) fn refuse(
        &self,
        from: &Comet,
        why: impl fmt::Display,
        number: impl FnOnce(&mut SetiStatistics) -> &mut u64,
    ) {
        let count = self.presence(|presence| {
            let number = number(&mut presence.statistics);
            *number += 1;
            *number
        });
        if count.is_power_of_two() {
            tracing::warn!(?from, count, %why, "a message about users is not taken");
        }
    }
}
