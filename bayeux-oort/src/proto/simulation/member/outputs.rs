//! What a simulated node's machine wants, and what its clients have done.

use std::time::Duration;

use bayeux_sim::StreamId;

use super::{Member, Mistake, World, place_of, respond};
use crate::{
    Comet,
    proto::{
        cloud::{Ending, LinkId, Output},
        introduction::Introduction,
        simulation::{
            client::{Client, Event},
            wire::{Data, OBJECT, Packet, Response},
        },
    },
};

impl Member {
    pub(super) fn pump(&mut self, world: World<'_, '_>) {
        loop {
            let outputs = self.machine.take_outputs();
            if !outputs.is_empty() && self.outputs.is_empty() {
                let delay = world.random().between(Duration::ZERO, self.settings.delay);
                self.outputs_at = Some(world.now() + delay);
            }
            self.outputs.extend(outputs);
            if self.outputs_at.is_none_or(|at| at > world.now()) {
                return;
            }
            self.outputs_at = None;
            for output in std::mem::take(&mut self.outputs) {
                self.perform(output, world);
            }
        }
    }

    pub(super) fn perform(&mut self, output: Output, world: World<'_, '_>) {
        world.note(format_args!("  {output:?}"));
        let now = world.now();
        match output {
            Output::Dial { link, url, alias, .. } => {
                let introduction = Introduction {
                    comet: self.settings.comet.clone(),
                    comet_url: Some(url.clone()),
                    alias_url: alias,
                    proof: None,
                };
                let to = place_of(&url).expect("only such URLs are named");
                self.clients.insert(link, Client::new(to, introduction, world));
            }
            Output::Close { link, says_farewell } => {
                if let Some(mut client) = self.clients.remove(&link) {
                    let events = client.leave(says_farewell, world);
                    self.happened(link, events, world);
                }
            }
            Output::Open { link, known } => {
                let (channels, own) = (self.observed(), self.settings.comet.clone());
                if let Some(client) = self.clients.get_mut(&link) {
                    let events = client.open(channels, known, own, world);
                    self.happened(link, events, world);
                }
            }
            Output::Advertise { link, known } => {
                let observed = self.observed();
                if let Some(client) = self.clients.get_mut(&link) {
                    let mut events = client.sync(&observed, world);
                    events.extend(client.advertise(known, world));
                    self.happened(link, events, world);
                }
            }
            Output::EndSession { session } => self.end_session(&session, world),
            Output::Joined(comet) => self.joined(&comet, world),
            Output::Left(comet) => {
                self.witness.left(&comet);
                self.inboxes.entry(comet.id().to_owned()).or_default().left();
                self.share(|shared| shared.left(&comet, now), world);
            }
            Output::Observed { comet, channel } => {
                self.witness.observed(&comet);
                if channel == OBJECT {
                    self.share(|shared| shared.observed(&comet, now), world);
                }
            }
            Output::Forgotten(comet) => drop(self.inboxes.remove(comet.id())),
        }
    }

    pub(super) fn joined(&mut self, comet: &Comet, world: World<'_, '_>) {
        let now = world.now();
        self.witness.joined(comet);
        let is_linked = self.clients.values().any(|client| client.is_to(comet));
        if !is_linked && self.settings.delay.is_zero() {
            self.witness.complain(format!("{comet:?} joined and there is no link to it"));
        }
        self.share(|shared| shared.joined(comet, now), world);
        let early = self.inboxes.entry(comet.id().to_owned()).or_default().joined();
        early.into_iter().for_each(|data| self.hand_over(comet, data, world));
    }
}

impl Member {
    pub(super) fn end_session(&mut self, session: &str, world: World<'_, '_>) {
        if let Some(stream) = self.sessions.remove(session) {
            world.send(stream, Packet::Response(Response::Disconnected));
            self.machine.ended(session, Ending::Lost, world.now());
        }
    }

    pub(super) fn stream_of_client(&mut self, stream: StreamId) -> Option<(LinkId, &mut Client)> {
        let mut clients = self.clients.iter_mut();
        clients.find(|(_, client)| client.has(stream)).map(|(link, client)| (*link, client))
    }

    pub(super) fn received(&mut self, stream: StreamId, packet: Packet, world: World<'_, '_>) {
        match packet {
            Packet::Request(request) if self.accepted.contains(&stream) => {
                let responses = self.requested(stream, request, world);
                respond(responses, world);
            }
            Packet::Request(_) => {}
            Packet::Response(response) => {
                if let Some((link, client)) = self.stream_of_client(stream) {
                    let events = client.received(response, world);
                    self.happened(link, events, world);
                }
            }
        }
    }

    /// Takes what a client did.
    pub(super) fn happened(&mut self, link: LinkId, events: Vec<Event>, world: World<'_, '_>) {
        let now = world.now();
        for event in events {
            match event {
                Event::Answered { comet, is_successful } => {
                    self.machine.answered(link, Some(&comet), is_successful, now);
                }
                Event::Failing => self.machine.failing(link),
                Event::Opened { is_joined } => {
                    let is_joined = is_joined || self.settings.mistake == Mistake::NoReopening;
                    self.machine.opened(link, is_joined, now);
                }
                Event::Delivered { comet, session, data } => {
                    if let Data::Count(_, number) = &data {
                        self.witness.brought(&session, *number);
                    }
                    self.arrived(&comet, data, world);
                }
                Event::Pushed { comet, number, is_taken } => {
                    self.share(|it| it.pushed(&comet, number, is_taken, now), world);
                }
                Event::Ended => {
                    self.clients.remove(&link);
                    self.machine.closed(link, now);
                }
            }
        }
    }

    /// Something of a node came, by one way or the other.
    pub(super) fn arrived(&mut self, from: &Comet, data: Data, world: World<'_, '_>) {
        let inbox = self.inboxes.entry(from.id().to_owned()).or_default();
        if let Some(data) = inbox.take(data) {
            self.hand_over(from, data, world);
        }
    }

    pub(super) fn hand_over(&mut self, from: &Comet, data: Data, world: World<'_, '_>) {
        match data {
            Data::Count(publisher, _) if publisher != *from => {
                self.witness.complain(format!("{publisher:?} counts, and {from:?} says so"));
            }
            Data::Count(_, number) => self.witness.counted(from, number),
            // An extension may have deleted it, or nobody may have listened.
            Data::Object(_) if world.random().happens(self.settings.loss) => {}
            Data::Object(said) => {
                let now = world.now();
                self.share(|shared| shared.heard(from, said, now), world);
            }
        }
    }
}
