//! What comes to a simulated node's server.

use std::time::Instant;

use bayeux_sim::StreamId;

use super::{Member, Mistake, World};
use crate::proto::{
    cloud::Ending,
    introduction::Introduction,
    simulation::{
        sessions::Responses,
        wire::{Published, Request, Response},
    },
};

impl Member {
    pub(super) fn requested(
        &mut self,
        stream: StreamId,
        request: Request,
        world: World<'_, '_>,
    ) -> Responses {
        let now = world.now();
        match request {
            Request::Handshake(introduction) => self.handshaken(stream, &introduction, now),
            Request::Connect { session, ack, is_first } => {
                self.sessions.connect(&session, ack, is_first, stream, now)
            }
            Request::Open { id, session, channels, known, join } => {
                let is_good = self.sessions.has(&session);
                self.sessions.subscribe(&session, &channels);
                channels.iter().for_each(|channel| self.machine.subscribed(&session, channel));
                // As the server does: what has no effect is answered as if it had.
                self.named(&session, &known, now);
                let _ = self.machine.joined(&session, &join);
                vec![(stream, Response::Answered { id, is_good })]
            }
            Request::Subscribe { id, session, channel } => {
                let is_good = self.sessions.has(&session);
                self.sessions.subscribe(&session, std::slice::from_ref(&channel));
                self.machine.subscribed(&session, &channel);
                vec![(stream, Response::Answered { id, is_good })]
            }
            Request::Publish { id, session, published } => {
                let is_good = self.sessions.has(&session);
                match published {
                    Published::Known(known) => self.named(&session, &known, now),
                    Published::Service(data) => {
                        if let Some(comet) = self.machine.comet_of_session(&session).cloned() {
                            self.arrived(&comet, data, world);
                        }
                    }
                }
                vec![(stream, Response::Answered { id, is_good })]
            }
            Request::Disconnect { session } => {
                if self.sessions.remove(&session).is_some() {
                    self.machine.ended(&session, Ending::Disconnected, now);
                }
                Vec::new()
            }
        }
    }

    pub(super) fn named(&mut self, session: &str, known: &[String], now: Instant) {
        if self.settings.mistake != Mistake::NoNames {
            let _ = self.machine.named(session, known.iter().map(String::as_str), now);
        }
    }

    pub(super) fn handshaken(
        &mut self,
        stream: StreamId,
        introduction: &Introduction,
        now: Instant,
    ) -> Responses {
        let comet = self.settings.comet.clone();
        if introduction.comet == comet {
            return vec![(stream, Response::Handshaken { session: None, comet })];
        }
        let session = self.sessions.create(stream, now);
        let came = self.machine.came(&session, introduction, true, now);
        let mut responses = Vec::new();
        if came.is_err() {
            self.sessions.remove(&session);
            responses.push((stream, Response::Disconnected));
        }
        responses.insert(0, (stream, Response::Handshaken { session: Some(session), comet }));
        responses
    }
}
