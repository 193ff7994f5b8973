//! This node is asked, by another one or by itself.

use std::sync::Arc;

use async_trait::async_trait;
use bayeux_api::{ChannelId, Json, Message, implement::lock};
use serde_json::value::RawValue;
use tokio::time::timeout;

use crate::{
    Comet, Participant, Sending,
    proto::request::Answered,
    service::{
        Answer, Request, ServiceError,
        answer::Kind,
        core::{Core, tell},
        handler::Handler,
        wire::{self, Question, Told},
    },
};

/// Who asks, and how it is answered.
#[derive(Debug)]
pub(super) enum Asker {
    /// The own node, whose request has this id.
    Own(u64),
    /// Another one, which gets back what it gave as the id.
    Other(Comet, Box<RawValue>),
}

/// Hears what other nodes send to a service.
#[derive(Debug)]
pub(super) struct Ear(pub(super) Arc<Core>);

#[async_trait]
impl Participant for Ear {
    fn joined(&self, comet: &Comet) {
        self.0.joined(comet);
    }

    fn left(&self, comet: &Comet) {
        self.0.left(comet);
    }

    async fn received(&self, from: &Comet, message: Message) {
        let Self(core) = self;
        let Ok(channel) = ChannelId::new(message.channel()) else { return };
        let data = message.data.as_ref();
        let is_read = if channel == core.channels.result {
            let told = Told::read(from, data);
            told.map(|told| core.told(from, told.id, told.result)).is_some()
        } else {
            let is_broadcast = channel == core.channels.all;
            let question = Question::read(from, data).map(|question| {
                let asker = Asker::Other(from.clone(), question.id);
                core.handle(asker, question.parameter, is_broadcast);
            });
            question.is_some()
        };
        if !is_read {
            tracing::debug!(service = core.name, ?from, channel = channel.as_str(), "malformed");
            core.counters.malformed.add(&core.name, "a message that is not as it has to be");
        }
    }
}

impl Core {
    /// Has the application handle a request, beside everything else.
    pub(super) fn handle(self: &Arc<Self>, asker: Asker, parameter: Json, is_broadcast: bool) {
        let Some(handler) = lock(&self.handler).clone() else { return };
        let (from, is_local) = match &asker {
            Asker::Own(_) => (self.oort.own().clone(), true),
            Asker::Other(comet, _) => (comet.clone(), false),
        };
        let Some(place) = Place::take(self, &from) else {
            let refusal = Answer(Kind::Error("the node handles too many requests".to_owned()));
            // Handed over, and not waited for: there may be any number of these.
            drop(self.answer(&asker, refusal.told(is_broadcast)));
            return;
        };
        let request = Request { parameter, from, is_local, is_broadcast };
        tokio::spawn(async move {
            let core = &place.core;
            let answer = core.answer_of(&handler, request).await;
            if let Some(sending) = core.answer(&asker, answer.told(is_broadcast))
                && let Ok(Err(error)) = timeout(core.config.timeout, sending).await
            {
                tracing::debug!(service = core.name, ?asker, %error, "a result goes nowhere");
            }
        });
    }

    async fn answer_of(&self, handler: &Handler, request: Request) -> Answer {
        self.counters.handled.count();
        let handled = timeout(self.config.handler_timeout, handler.call(&self.name, request));
        handled.await.unwrap_or_else(|_| {
            tracing::warn!(service = self.name, "a request takes its handler too long");
            Answer(Kind::Error("the request takes the node too long".to_owned()))
        })
    }

    /// Brings what became of a request to who asked, if anything is to be told.
    fn answer(&self, asker: &Asker, told: Option<Result<Json, Json>>) -> Option<Sending> {
        match (asker, told) {
            (Asker::Own(id), Some(result)) => {
                self.told(self.oort.own(), *id, result);
                None
            }
            (Asker::Own(id), None) => {
                let alone = lock(&self.requests).ignored(*id);
                tell(alone, Err(ServiceError::Nobody));
                None
            }
            (Asker::Other(comet, id), Some(result)) => {
                let data = wire::result(self.oort.own(), id, &result).ok()?;
                let message = Message::with_data(self.channels.result.as_str(), data);
                Some(self.oort.send(comet, message))
            }
            (Asker::Other(..), None) => None,
        }
    }

    /// A node told what became of a request of this one.
    fn told(&self, from: &Comet, id: u64, result: Result<Json, Json>) {
        let answered = lock(&self.requests).answer(from, id);
        match answered {
            Answered::To(waiter) => tell(Some(waiter), result.map_err(ServiceError::Failure)),
            Answered::Late => self.counters.late.count(),
            Answered::Forged => {
                tracing::debug!(service = self.name, ?from, id, "it was not asked, and answers");
                self.counters.forged.add(&self.name, "an answer, though it was not asked");
            }
        }
    }
}

/// A place among the requests that are handled at once.
struct Place {
    core: Arc<Core>,
    comet: Comet,
}

impl Place {
    fn take(core: &Arc<Core>, comet: &Comet) -> Option<Self> {
        if lock(&core.shares).take(comet) {
            return Some(Self { core: core.clone(), comet: comet.clone() });
        }
        tracing::debug!(service = core.name, ?comet, "too many requests are handled");
        match comet == core.oort.own() {
            // It has made them itself, and each of these fails.
            true => core.counters.overloads.count(),
            false => core.counters.overloads.add(&core.name, "a request: too many are handled"),
        }
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.core.shares).give_back(&self.comet);
    }
}
