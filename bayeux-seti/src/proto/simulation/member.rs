//! A simulated node: its presence, and the model of a mesh that joins it to the others.

mod mesh;
mod speech;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bayeux_oort::Comet;
use bayeux_sim::{Context, Input, Node, Place, Random, StreamId};

use super::{wire::Packet, witness::Witness};
use crate::proto::{id::seti_id, presence::Presence, users::UserId, wire::Said};
use mesh::SILENCE;

/// So that few users are too many for one message.
const MUCH: usize = 12;

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
    /// The parts of a list are all of when it began, whatever is announced between them.
    StaleParts,
    /// Each part of a list takes the place of all that was known.
    PartsReplace,
    /// Of all lists to a node only the first takes the place of what was known.
    ReplacesOnce,
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
    /// Former lives of nodes of which it is told late that they have left.
    late: Vec<(Instant, Comet)>,
    /// For [`Mistake::Race`].
    overtaken: Option<Said>,
    /// For [`Mistake::StaleParts`].
    stale: BTreeMap<Comet, Vec<UserId>>,
    /// For [`Mistake::ReplacesOnce`].
    replaced: BTreeSet<Comet>,
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
        // CometD's nodes send their lists whole.
        let much = if settings.is_cometds { usize::MAX } else { MUCH };
        let mut presence = Presence::new(own, seti_id, 1000, much);
        presence.tellings.set_audience([1].into_iter().collect());
        let others = settings.others.iter().map(|place| (*place, Other::default())).collect();
        Self {
            settings,
            presence,
            others,
            send_at: None,
            late: Vec::new(),
            overtaken: None,
            stale: BTreeMap::new(),
            replaced: BTreeSet::new(),
            witness: Witness::default(),
        }
    }

    pub(super) fn comet(&self) -> &Comet {
        &self.settings.comet
    }

    pub(super) fn presence(&self) -> &Presence<u32> {
        &self.presence
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
        let late = self.late.iter().map(|(at, _)| *at);
        self.others.values().filter_map(of).chain(self.send_at).chain(late).min()
    }

    fn check(&self) -> Result<(), String> {
        self.witness.wrong.clone().map_or(Ok(()), Err)
    }
}

fn delay(random: &mut Random) -> Duration {
    random.between(Duration::ZERO, Duration::from_millis(200))
}
