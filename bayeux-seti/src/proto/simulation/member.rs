//! A simulated node: its presence, and the model of a mesh that joins it to the others.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bayeux_oort::Comet;
use bayeux_sim::{Context, Input, Node, Place, Random, StreamId};

use super::{
    wire::{Packet, Said},
    witness::Witness,
};
use crate::proto::{
    announcements::Change,
    id::seti_id,
    presence::{Output, Presence},
    users::UserId,
};

/// How often a node says that it is there, after how long of silence a connection is given up, when it is dialled
/// again, and for how long one may be gone before it has left.
const PING: Duration = Duration::from_secs(3);
const SILENCE: Duration = Duration::from_secs(8);
const RETRY: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(4);

/// What a node does wrong, so that it is seen that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    /// What is missed is never looked for.
    NoCheck,
    /// Whoever observes gets no list.
    NoList,
    /// A list takes nobody away.
    NoReplacement,
    /// The users of a node that left stay.
    NoLeave,
    /// What a node says is told before it is told that those of its former life are gone.
    NoSweep,
    /// Whether a user came or went is announced as it happens, and another time than it is counted: as CometD does.
    Race,
    /// A node that lost another does not ask it.
    NoAsk,
}

#[derive(Clone, Debug)]
pub(super) enum Command {
    Associate(u8, u32),
    Disassociate(u8, u32),
    DisassociateUser(u8),
    EndSession(u32),
    /// Nothing is lost any more.
    LoseNothing,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) comet: Comet,
    pub(super) others: Vec<Place>,
    pub(super) is_cometds: bool,
    /// Which of the others are CometD's, which nobody tells what they have missed.
    pub(super) cometds: Vec<Place>,
    /// How much of what is broadcast between ours is lost, of a thousand.
    pub(super) loss: u64,
    pub(super) mistake: Mistake,
}

pub(super) struct Member {
    settings: Settings,
    presence: Presence<u32>,
    others: BTreeMap<Place, Other>,
    /// What is on the way between the machine and the others.
    send_at: Option<Instant>,
    /// For [`Mistake::Race`].
    overtaken: Option<Said>,
    pub(super) witness: Witness,
}

/// Another node.
#[derive(Debug, Default)]
struct Other {
    /// The connection that was dialled to it.
    link: Option<Connection>,
    retry_at: Option<Instant>,
    /// The connection that it has dialled, by which it hears what is broadcast here.
    session: Option<Connection>,
    /// Since when there is none, of one that has joined.
    gone_at: Option<Instant>,
    joined: Option<Comet>,
    /// What it said and was not handed over.
    early: VecDeque<(Comet, Said)>,
}

#[derive(Debug)]
struct Connection {
    stream: StreamId,
    comet: Option<Comet>,
    heard: Instant,
    ping_at: Option<Instant>,
}

impl Connection {
    fn new(stream: StreamId, now: Instant) -> Self {
        Self { stream, comet: None, heard: now, ping_at: None }
    }
}

type World<'a, 'b> = &'a mut Context<'b, Packet>;

impl Member {
    pub(super) fn new(settings: Settings) -> Self {
        let own = settings.comet.clone();
        let seti_id = seti_id(own.url());
        let mut presence = Presence::new(own, seti_id, 1000);
        presence.tellings.is_heard = true;
        let others = settings.others.iter().map(|place| (*place, Other::default())).collect();
        Self {
            settings,
            presence,
            others,
            send_at: None,
            overtaken: None,
            witness: Witness::default(),
        }
    }

    pub(super) fn comet(&self) -> &Comet {
        &self.settings.comet
    }

    pub(super) fn presence(&self) -> &Presence<u32> {
        &self.presence
    }

    fn dial(&mut self, place: Place, world: World<'_, '_>) {
        let link = Connection::new(world.dial(place), world.now());
        let other = self.others.get_mut(&place).expect("it is one");
        (other.link, other.retry_at) = (Some(link), None);
    }

    fn ask(&mut self, command: &Command) {
        let user = |user: u8| format!("u{user}");
        let presence = &mut self.presence;
        match *command {
            Command::Associate(one, session) => {
                presence.associate(&user(one), session);
            }
            Command::Disassociate(one, session) => {
                presence.disassociate(&user(one), &session);
            }
            Command::DisassociateUser(one) => drop(presence.disassociate_user(&user(one))),
            Command::EndSession(session) => presence.session_ended(&session),
            Command::LoseNothing => self.settings.loss = 0,
        }
    }

    fn place_of(&self, stream: StreamId) -> Option<Place> {
        let has = |connection: &Option<Connection>| {
            connection.as_ref().is_some_and(|connection| connection.stream == stream)
        };
        let mut all = self.others.iter();
        all.find(|(_, other)| has(&other.link) || has(&other.session)).map(|(place, _)| *place)
    }

    fn accepted(&mut self, stream: StreamId, place: Place, world: World<'_, '_>) {
        let other = self.others.get_mut(&place).expect("it is one");
        let session = Connection::new(stream, world.now());
        if let Some(former) = other.session.replace(session) {
            world.close(former.stream);
        }
        world.send(stream, Packet::Hello(self.settings.comet.clone()));
    }

    fn received(&mut self, stream: StreamId, packet: Packet, world: World<'_, '_>) {
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
                self.look(place, !is_link, world.now());
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
    fn look(&mut self, place: Place, observes: bool, now: Instant) {
        let other = self.others.get_mut(&place).expect("it is one");
        let of = |connection: &Option<Connection>| connection.as_ref()?.comet.clone();
        let (link, session) = (of(&other.link), of(&other.session));
        if let (Some(joined), Some(session)) = (&other.joined, &session)
            && joined != session
        {
            self.leave(place, now);
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

    fn hand_over(&mut self, place: Place, now: Instant) {
        let other = self.others.get_mut(&place).expect("it is one");
        let Some(joined) = other.joined.clone() else { return };
        // What another life of it said is over.
        let said: Vec<_> = other.early.drain(..).filter(|(from, _)| *from == joined).collect();
        for (_, said) in said {
            self.hear(&joined, said, now);
        }
    }

    fn hear(&mut self, from: &Comet, said: Said, now: Instant) {
        if self.settings.mistake != Mistake::NoSweep {
            while self.presence.sweep(2) {}
        }
        if said.asks {
            self.presence.asked(from, now);
        }
        if let Some(digest) = said.digest {
            if !said.replaces && self.settings.is_cometds {
                self.witness.complain(format!("{from:?} sent a check to one of CometD's"));
            } else if !said.replaces {
                return self.presence.checked(from, digest, now);
            } else if !self.settings.is_cometds {
                self.presence.is_ours(from, now);
            }
        }
        let replaces = said.replaces && self.settings.mistake != Mistake::NoReplacement;
        let hearing = self.presence.hear(from, said.users, said.change, replaces, now);
        let Some(mut hearing) = hearing else { return };
        while !hearing.is_done() {
            self.presence.hear_more(&mut hearing, 2);
        }
    }

    /// Sends one thing, if there is any.
    fn send(&mut self, world: World<'_, '_>) {
        self.send_at = None;
        let Some(output) = self.presence.next(world.now()) else {
            let overtaken = self.overtaken.take();
            return self.broadcast(overtaken, world);
        };
        self.send_at = Some(world.now() + world.random().between(Duration::ZERO, PING / 10));
        let said =
            |users, change| Said { users, change, replaces: false, asks: false, digest: None };
        match output {
            Output::Announce(one) => {
                let said = said(one.users.into_iter().collect(), one.change);
                if self.settings.mistake == Mistake::Race && world.random().happens(200) {
                    let before = self.overtaken.replace(said);
                    return self.broadcast(before, world);
                }
                self.broadcast(Some(said), world);
                let overtaken = self.overtaken.take();
                self.broadcast(overtaken, world);
            }
            Output::List { to, digest } => {
                let is_cometds = self.settings.is_cometds;
                let digest = (!is_cometds).then_some(digest);
                let asks = is_cometds && self.settings.mistake != Mistake::NoAsk;
                let all = Said { replaces: true, asks, digest, ..said(self.list(), Change::Added) };
                self.send_to(&to, &all, world);
            }
            Output::Check { to, digest } => {
                let is_made = !matches!(self.settings.mistake, Mistake::NoCheck | Mistake::Race);
                let check = Said { digest: Some(digest), ..said(Vec::new(), Change::Added) };
                if is_made {
                    self.send_to(&to, &check, world);
                }
            }
            Output::Ask(to) => {
                let ask = Said { asks: true, ..said(Vec::new(), Change::Added) };
                if self.settings.mistake != Mistake::NoAsk {
                    self.send_to(&to, &ask, world);
                }
            }
        }
    }

    fn list(&self) -> Vec<UserId> {
        let (mut users, mut after) = (Vec::new(), None);
        while let Some(slice) = self.presence.announced(after.as_deref(), 3) {
            users.extend(slice.users);
            after = Some(slice.last);
        }
        users
    }

    fn broadcast(&mut self, said: Option<Said>, world: World<'_, '_>) {
        let Some(said) = said else { return };
        let all: Vec<_> = self
            .others
            .values()
            .filter_map(|other| other.session.as_ref()?.comet.clone())
            .collect();
        all.iter().for_each(|to| self.send_to(to, &said, world));
    }

    fn send_to(&self, to: &Comet, said: &Said, world: World<'_, '_>) {
        for (place, other) in &self.others {
            let Some(session) = &other.session else { continue };
            let is_ours = !self.settings.is_cometds && !self.settings.cometds.contains(place);
            let loss = if is_ours { self.settings.loss } else { 0 };
            if session.comet.as_ref() == Some(to) && !world.random().happens(loss) {
                world.send(session.stream, Packet::Said(said.clone()));
            }
        }
    }

    fn closed(&mut self, stream: StreamId, now: Instant) {
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

    fn tick(&mut self, world: World<'_, '_>) {
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
        self.presence.sweep(1);
        if self.send_at.is_some_and(|at| at <= now) {
            self.send(world);
        }
    }

    fn tell(&mut self) {
        while let Some(event) = self.presence.next_event() {
            self.witness.told(&event);
        }
    }
}

impl Node for Member {
    type Packet = Packet;
    type Command = Command;

    fn handle(&mut self, input: Input<Packet, Command>, world: &mut Context<'_, Packet>) {
        let now = world.now();
        match input {
            Input::Start => {
                for place in self.settings.others.clone() {
                    self.dial(place, world);
                }
            }
            Input::Stop => {
                for other in self.others.values() {
                    let both = [&other.link, &other.session];
                    both.into_iter().flatten().for_each(|one| world.close(one.stream));
                }
            }
            Input::Tick => self.tick(world),
            Input::Ask(command) => self.ask(&command),
            Input::Accepted(stream, place) => self.accepted(stream, place, world),
            Input::Opened(stream) => world.send(stream, Packet::Hello(self.settings.comet.clone())),
            Input::Refused(stream) | Input::Closed(stream) => self.closed(stream, now),
            Input::Received(stream, packet) => self.received(stream, packet, world),
            Input::Datagram(..) => {}
        }
        if self.presence.take_wakes() {
            self.send_at = Some(now + delay(world.random()));
        }
        self.tell();
        // What is due by time is looked for now and then.
        if self.send_at.is_none() {
            self.send_at = self.presence.deadline();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let of = |other: &Other| {
            let link = other.link.as_ref();
            let ping = link.and_then(|link| link.ping_at);
            let silent = [link, other.session.as_ref()].into_iter().flatten();
            let silent = silent.map(|one| one.heard + SILENCE).min();
            [ping, silent, other.retry_at, other.gone_at].into_iter().flatten().min()
        };
        self.others.values().filter_map(of).chain(self.send_at).min()
    }

    fn check(&self) -> Result<(), String> {
        self.witness.wrong.clone().map_or(Ok(()), Err)
    }
}

fn delay(random: &mut Random) -> Duration {
    random.between(Duration::ZERO, Duration::from_millis(200))
}
