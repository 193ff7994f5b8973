//! A simulated node's session at another one: what the Bayeux client does, as far as a node can tell.
//!
//! It dials, handshakes and connects again and again, after pauses that grow; it handshakes anew when its
//! session is not known any more; and it ends when it is refused, or when the server ends its session.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use bayeux_sim::{Context, Place, StreamId};

use super::wire::{Data, Packet, Published, Request, Response};
use crate::{Comet, proto::introduction::Introduction};

/// How long the client waits for an answer, beyond the time that a connect may be held.
const MAX_NETWORK_DELAY: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

type World<'a, 'b> = &'a mut Context<'b, Packet>;

#[derive(Debug)]
pub(super) struct Client {
    to: Place,
    introduction: Introduction,
    stream: Option<StreamId>,
    phase: Phase,
    /// The node that has answered, and what is subscribed to at it, or asked for.
    comet: Option<Comet>,
    subscribed: BTreeSet<String>,
    /// What came ahead of the reply that numbers it.
    held: Vec<Data>,
    pending: BTreeMap<u64, (Asked, Instant)>,
    last_id: u64,
    failures: u32,
    timer: Option<Timer>,
}

#[derive(Debug)]
enum Phase {
    Handshaking,
    Live { session: String, ack: u64 },
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Timer {
    Retry(Instant),
    /// The answer to the handshake or connect is overdue then.
    Overdue(Instant),
}

/// What the client was asked for and is not answered.
#[derive(Clone, Debug)]
enum Asked {
    Open,
    Subscribe(String),
    Publish,
    /// A push of the object.
    Push(Comet, u64),
}

/// What the client tells.
#[derive(Debug)]
pub(super) enum Event {
    Answered { comet: Comet, is_successful: bool },
    Failing,
    Opened { is_joined: bool },
    Delivered { comet: Comet, session: String, data: Data },
    Pushed { comet: Comet, number: u64, is_taken: bool },
    Ended,
}

impl Client {
    pub(super) fn new(to: Place, introduction: Introduction, world: World<'_, '_>) -> Self {
        let mut client = Self {
            to,
            introduction,
            stream: None,
            phase: Phase::Handshaking,
            comet: None,
            subscribed: BTreeSet::new(),
            held: Vec::new(),
            pending: BTreeMap::new(),
            last_id: 0,
            failures: 0,
            timer: None,
        };
        client.dial(world);
        client
    }

    pub(super) fn is_to(&self, comet: &Comet) -> bool {
        self.comet.as_ref() == Some(comet)
    }

    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.stream == Some(stream)
    }

    fn dial(&mut self, world: World<'_, '_>) {
        self.stream = Some(world.dial(self.to));
        // The system's patience with a dial is shorter.
        self.timer = Some(Timer::Overdue(world.now() + 2 * MAX_NETWORK_DELAY));
    }

    pub(super) fn connected(&mut self, world: World<'_, '_>) {
        match self.phase {
            Phase::Handshaking => self.handshake(world),
            Phase::Live { .. } => self.connect(true, world),
            Phase::Ended => {}
        }
    }

    fn handshake(&mut self, world: World<'_, '_>) {
        self.phase = Phase::Handshaking;
        self.held.clear();
        self.send(&Request::Handshake(self.introduction.clone()), world);
        self.timer = Some(Timer::Overdue(world.now() + MAX_NETWORK_DELAY));
    }

    fn connect(&mut self, is_first: bool, world: World<'_, '_>) {
        let Phase::Live { session, ack } = &self.phase else { return };
        let request = Request::Connect { session: session.clone(), ack: *ack, is_first };
        self.send(&request, world);
        self.timer = Some(Timer::Overdue(world.now() + TIMEOUT + MAX_NETWORK_DELAY));
    }

    fn send(&self, request: &Request, world: World<'_, '_>) {
        self.stream.into_iter().for_each(|it| world.send(it, Packet::Request(request.clone())));
    }

    /// Sends the batch that opens the link.
    pub(super) fn open(
        &mut self,
        channels: Vec<String>,
        known: Vec<String>,
        join: Comet,
        world: World<'_, '_>,
    ) -> Vec<Event> {
        self.subscribed = channels.iter().cloned().collect();
        let make = |id, session| Request::Open { id, session, channels, known, join };
        self.ask(Asked::Open, make, world)
    }

    /// Subscribes to what is observed, if the link is open.
    pub(super) fn sync(&mut self, observed: &[String], world: World<'_, '_>) -> Vec<Event> {
        if self.subscribed.is_empty() {
            return Vec::new();
        }
        let missing = observed.iter().filter(|channel| !self.subscribed.contains(*channel));
        let missing: Vec<_> = missing.cloned().collect();
        self.subscribed.extend(missing.iter().cloned());
        let mut events = Vec::new();
        for channel in missing {
            let name = channel.clone();
            let make = |id, session| Request::Subscribe { id, session, channel };
            events.extend(self.ask(Asked::Subscribe(name), make, world));
        }
        events
    }

    pub(super) fn advertise(&mut self, known: Vec<String>, world: World<'_, '_>) -> Vec<Event> {
        let published = Published::Known(known);
        let make = |id, session| Request::Publish { id, session, published };
        self.ask(Asked::Publish, make, world)
    }

    /// Sends something about the object; if it is a push, this is its number.
    pub(super) fn publish(
        &mut self,
        data: Data,
        push: Option<(Comet, u64)>,
        world: World<'_, '_>,
    ) -> Vec<Event> {
        let published = Published::Service(data);
        let make = |id, session| Request::Publish { id, session, published };
        let asked = push.map_or(Asked::Publish, |(comet, number)| Asked::Push(comet, number));
        self.ask(asked, make, world)
    }

    fn ask(
        &mut self,
        asked: Asked,
        make: impl FnOnce(u64, String) -> Request,
        world: World<'_, '_>,
    ) -> Vec<Event> {
        match &self.phase {
            Phase::Live { session, .. } if matches!(self.timer, Some(Timer::Overdue(_))) => {
                self.last_id += 1;
                let request = make(self.last_id, session.clone());
                self.send(&request, world);
                self.pending.insert(self.last_id, (asked, world.now() + MAX_NETWORK_DELAY));
                Vec::new()
            }
            // Without a connection it fails at once.
            Phase::Live { .. } | Phase::Handshaking | Phase::Ended => self.answered(asked, false),
        }
    }

    pub(super) fn received(&mut self, response: Response, world: World<'_, '_>) -> Vec<Event> {
        match response {
            Response::Handshaken { session, comet } => self.handshaken(session, comet, world),
            Response::Connected { ack } => self.connect_answered(ack, world),
            Response::Unknown => {
                if matches!(self.phase, Phase::Live { .. }) {
                    self.handshake(world);
                }
                Vec::new()
            }
            Response::Answered { id, is_good } => match self.pending.remove(&id) {
                Some((asked, _)) => self.answered(asked, is_good),
                None => Vec::new(),
            },
            Response::Message(data) => {
                self.held.push(data);
                Vec::new()
            }
            Response::Disconnected => match self.phase {
                Phase::Live { .. } => self.end(world),
                Phase::Handshaking | Phase::Ended => Vec::new(),
            },
        }
    }

    fn handshaken(
        &mut self,
        session: Option<String>,
        comet: Comet,
        world: World<'_, '_>,
    ) -> Vec<Event> {
        if !matches!(self.phase, Phase::Handshaking) {
            return Vec::new();
        }
        self.comet = Some(comet.clone());
        self.subscribed.clear();
        let answered = Event::Answered { comet, is_successful: session.is_some() };
        let Some(session) = session else {
            let mut events = vec![answered];
            events.extend(self.end(world));
            return events;
        };
        self.phase = Phase::Live { session, ack: 0 };
        self.failures = 0;
        self.connect(true, world);
        vec![answered]
    }

    fn connect_answered(&mut self, batch: u64, world: World<'_, '_>) -> Vec<Event> {
        let Phase::Live { session, ack } = &mut self.phase else { return Vec::new() };
        *ack = batch;
        self.failures = 0;
        let held = std::mem::take(&mut self.held).into_iter();
        let session = session.clone();
        let comet = self.comet.clone().expect("a session has been answered");
        let delivered =
            |data| Event::Delivered { comet: comet.clone(), session: session.clone(), data };
        let events = held.map(delivered).collect();
        self.connect(false, world);
        events
    }

    /// The connection is gone, or was never there.
    pub(super) fn lost(&mut self, world: World<'_, '_>) -> Vec<Event> {
        self.stream = None;
        // What is not numbered comes again.
        self.held.clear();
        self.failures += 1;
        let pause = (Duration::from_secs(1) * self.failures).min(LONGEST_BACKOFF);
        self.timer = Some(Timer::Retry(world.now() + pause));
        let mut events = self.fail_all();
        if matches!(self.phase, Phase::Handshaking) {
            events.push(Event::Failing);
        }
        events
    }

    fn fail_all(&mut self) -> Vec<Event> {
        let pending = std::mem::take(&mut self.pending);
        pending.into_values().flat_map(|(asked, _)| self.answered(asked, false)).collect()
    }

    fn end(&mut self, world: World<'_, '_>) -> Vec<Event> {
        let mut events = self.fail_all();
        self.close(world);
        events.push(Event::Ended);
        events
    }

    /// Ends the client from here, with a word to the server or without.
    pub(super) fn leave(&mut self, says_farewell: bool, world: World<'_, '_>) -> Vec<Event> {
        if let Phase::Live { session, .. } = &self.phase
            && says_farewell
        {
            self.send(&Request::Disconnect { session: session.clone() }, world);
        }
        self.close(world);
        self.fail_all()
    }

    fn close(&mut self, world: World<'_, '_>) {
        self.stream.take().into_iter().for_each(|stream| world.close(stream));
        self.phase = Phase::Ended;
        self.timer = None;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let timer = self.timer.map(|timer| match timer {
            Timer::Retry(at) | Timer::Overdue(at) => at,
        });
        timer.into_iter().chain(self.pending.values().map(|(_, overdue)| *overdue)).min()
    }

    pub(super) fn tick(&mut self, world: World<'_, '_>) -> Vec<Event> {
        let now = world.now();
        match self.timer {
            Some(Timer::Retry(at)) if at <= now => {
                self.dial(world);
                Vec::new()
            }
            Some(Timer::Overdue(at)) if at <= now => {
                self.stream.into_iter().for_each(|stream| world.close(stream));
                self.lost(world)
            }
            Some(_) | None => {
                let overdue = self.pending.iter().filter(|(_, (_, overdue))| *overdue <= now);
                let overdue: Vec<_> = overdue.map(|(id, _)| *id).collect();
                let mut events = Vec::new();
                for id in overdue {
                    let overdue = self.pending.remove(&id).map(|(asked, _)| asked);
                    events.extend(overdue.into_iter().flat_map(|it| self.answered(it, false)));
                }
                events
            }
        }
    }

    /// Something that was asked for was taken, or not.
    fn answered(&mut self, asked: Asked, is_good: bool) -> Vec<Event> {
        match asked {
            Asked::Open => vec![Event::Opened { is_joined: is_good }],
            Asked::Push(comet, number) => {
                vec![Event::Pushed { comet, number, is_taken: is_good }]
            }
            Asked::Subscribe(channel) if !is_good => {
                // It is asked for again when the nodes are told next.
                self.subscribed.remove(&channel);
                Vec::new()
            }
            Asked::Subscribe(_) | Asked::Publish => Vec::new(),
        }
    }
}
