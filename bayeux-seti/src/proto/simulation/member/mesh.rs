//! The model of a mesh: who is connected, has joined, and is gone.

use std::time::{Duration, Instant};

use bayeux_oort::Comet;
use bayeux_sim::{Place, StreamId};

use super::{Connection, Member, Mistake, World};
use crate::proto::simulation::wire::Packet;

/// How often a node says that it is there, after how long of silence a connection is given up, when it is dialled
/// again, and for how long one may be gone before it has left.
pub(super) const PING: Duration = Duration::from_secs(3);
pub(super) const SILENCE: Duration = Duration::from_secs(8);
const RETRY: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(4);

impl Member {
    pub(super) fn dial(&mut self, place: Place, world: World<'_, '_>) {
        let link = Connection::new(world.dial(place), world.now());
        let other = self.others.get_mut(&place).expect("it is one");
        (other.link, other.retry_at) = (Some(link), None);
    }

    fn place_of(&self, stream: StreamId) -> Option<Place> {
        let has = |connection: &Option<Connection>| {
            connection.as_ref().is_some_and(|connection| connection.stream == stream)
        };
        let mut all = self.others.iter();
        all.find(|(_, other)| has(&other.link) || has(&other.session)).map(|(place, _)| *place)
    }

    pub(super) fn accepted(&mut self, stream: StreamId, place: Place, world: World<'_, '_>) {
        let other = self.others.get_mut(&place).expect("it is one");
        let session = Connection::new(stream, world.now());
        if let Some(former) = other.session.replace(session) {
            world.close(former.stream);
        }
        world.send(stream, Packet::Hello(self.settings.comet.clone()));
    }

    pub(super) fn received(&mut self, stream: StreamId, packet: Packet, world: World<'_, '_>) {
        let Some(place) = self.place_of(stream) else { return };
        let other = self.others.get_mut(&place).expect("it is one");
        let is_link = other.link.as_ref().is_some_and(|link| link.stream == stream);
        let connection = if is_link { &mut other.link } else { &mut other.session };
        let connection = connection.as_mut().expect("it has it");
        connection.heard = world.now();
        match packet {
            Packet::Hello(comet) => {
                connection.comet = Some(comet);
                connection.ping_at = is_link.then_some(world.now() + PING);
                self.look(place, !is_link, world);
            }
            // Who is asked whether it is there says so.
            Packet::Ping if !is_link => world.send(stream, Packet::Ping),
            Packet::Ping => {}
            Packet::Said(said) => {
                if let Some(comet) = connection.comet.clone() {
                    other.early.push_back((comet, said));
                }
                self.hand_over(place, world.now());
            }
        }
    }

    /// Looks whether a node has joined, or left for another life of it.
    fn look(&mut self, place: Place, observes: bool, world: World<'_, '_>) {
        let now = world.now();
        let other = self.others.get_mut(&place).expect("it is one");
        let of = |connection: &Option<Connection>| connection.as_ref()?.comet.clone();
        let (link, session) = (of(&other.link), of(&other.session));
        if let (Some(joined), Some(session)) = (&other.joined, &session)
            && joined != session
        {
            // What is told of two lives comes by two ways: the second may join first.
            match world.random().happens(500) && self.settings.mistake != Mistake::NoLeave {
                true => {
                    let late = now + world.random().between(Duration::ZERO, PING);
                    self.late.extend(other.joined.take().map(|former| (late, former)));
                }
                false => self.leave(place, now),
            }
        }
        let other = self.others.get_mut(&place).expect("it is one");
        if session.is_some() {
            other.gone_at = None;
        }
        match (&other.joined, session) {
            (Some(joined), Some(session)) if observes && *joined == session => {
                self.observed(&session, now);
            }
            (None, Some(session)) if link.as_ref() == Some(&session) => {
                other.joined = Some(session.clone());
                // Joined and left of one life alternate.
                self.late_leave(|_, former| *former == session, now);
                if let Err(collision) = self.presence.joined(&session) {
                    self.witness.complain(format!("{session:?} joined: {collision:?}"));
                }
                self.observed(&session, now);
                self.hand_over(place, now);
            }
            _ => {}
        }
    }

    fn observed(&mut self, comet: &Comet, now: Instant) {
        if self.settings.mistake != Mistake::NoList {
            self.presence.observed(comet, now);
        }
    }

    fn leave(&mut self, place: Place, now: Instant) {
        let other = self.others.get_mut(&place).expect("it is one");
        other.gone_at = None;
        let Some(comet) = other.joined.take() else { return };
        if self.settings.mistake != Mistake::NoLeave {
            self.presence.left(&comet, now);
            // The rest takes a while.
            self.presence.sweep(1);
        }
    }

    /// Has those former lives leave that have not done it yet.
    fn late_leave(&mut self, is_due: impl Fn(Instant, &Comet) -> bool, now: Instant) {
        let due = self.late.extract_if(.., |(at, former)| is_due(*at, former));
        for (_, former) in due.collect::<Vec<_>>() {
            self.presence.left(&former, now);
        }
    }

    pub(super) fn closed(&mut self, stream: StreamId, now: Instant) {
        let Some(place) = self.place_of(stream) else { return };
        let other = self.others.get_mut(&place).expect("it is one");
        if other.link.as_ref().is_some_and(|link| link.stream == stream) {
            other.link = None;
            other.retry_at = Some(now + RETRY);
        } else {
            other.session = None;
            other.gone_at = other.joined.as_ref().map(|_| now + GRACE);
        }
    }

    pub(super) fn tick(&mut self, world: World<'_, '_>) {
        let now = world.now();
        for place in self.settings.others.clone() {
            let other = &self.others[&place];
            let is_silent = |one: &&Connection| now >= one.heard + SILENCE;
            let silent: Vec<_> = [&other.link, &other.session]
                .into_iter()
                .flatten()
                .filter(is_silent)
                .map(|one| one.stream)
                .collect();
            for stream in silent {
                world.close(stream);
                self.closed(stream, now);
            }
            let other = &self.others[&place];
            if other.retry_at.is_some_and(|at| at <= now) {
                self.dial(place, world);
            }
            if self.others[&place].gone_at.is_some_and(|at| at <= now) {
                self.leave(place, now);
            }
            let link = self.others.get_mut(&place).and_then(|other| other.link.as_mut());
            if let Some(link) = link.filter(|link| link.ping_at.is_some_and(|at| at <= now)) {
                link.ping_at = Some(now + PING);
                world.send(link.stream, Packet::Ping);
            }
        }
        self.late_leave(|at, _| at <= now, now);
        self.presence.sweep(1);
        if self.send_at.is_some_and(|at| at <= now) {
            self.send(world);
        }
    }
}
