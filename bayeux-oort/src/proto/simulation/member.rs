//! A simulated node: the machines of a real one, between a modelled server and modelled clients.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bayeux_sim::{Context, Input, Node, Place, StreamId};

use super::{
    client::{Client, Event},
    inbox::Inbox,
    sessions::{Responses, Sessions},
    shared::{Act, Shared},
    wire::{COUNTS, Data, OBJECT, Packet, Published, Request, Response},
    witness::Witness,
};
use crate::{
    Comet,
    proto::{
        cloud::{Ending, LinkId, Machine, Output, Rules},
        introduction::Introduction,
        list::Change,
    },
};

type World<'a, 'b> = &'a mut Context<'b, Packet>;

/// What is particular to a node.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) comet: Comet,
    pub(super) seeds: Vec<String>,
    /// How long it may take until what the machine wants is done.
    pub(super) delay: Duration,
    /// The version with which the object begins.
    pub(super) version: u64,
    pub(super) mistake: Mistake,
    pub(super) seed: u64,
}

/// A rule that is left out, to see that this is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    /// A node that starts again has the id that it had.
    SameId,
    /// A join that was not taken is not sent again.
    NoReopening,
    /// That a session has expired is not noticed.
    NoExpiry,
    /// What nodes tell of others is not heard.
    NoNames,
}

/// What an application does on a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Command {
    /// Broadcasts the next number.
    Count,
    /// Dials the node of a place for ever.
    Observe(Place),
    /// Leaves the node of a place.
    Deobserve(Place),
    /// Begins to share the object, if it does not yet.
    Share,
    /// Changes the own part of the object, which begins to be shared.
    Add(u32),
    Remove(u32),
    Replace(u32),
}

#[derive(Debug)]
pub(super) struct Member {
    settings: Settings,
    machine: Machine,
    clients: BTreeMap<LinkId, Client>,
    sessions: Sessions,
    /// The streams that others have opened.
    accepted: BTreeSet<StreamId>,
    /// What is still to be done, and when.
    outputs: VecDeque<Output>,
    outputs_at: Option<Instant>,
    inboxes: BTreeMap<String, Inbox>,
    shared: Option<Shared>,
    /// When the object needs to be looked at.
    shared_at: Option<Instant>,
    count: u64,
    is_stopped: bool,
    pub(super) witness: Witness,
}

impl Member {
    pub(super) fn new(settings: Settings) -> Self {
        let second = Duration::from_secs(1);
        let rules = Rules {
            backoff: (second, 30 * second),
            give_up: 90 * second,
            reopen: second,
            advertise: 20 * second,
            max_comets: 20,
        };
        Self {
            machine: Machine::new(settings.comet.clone(), BTreeSet::new(), rules, settings.seed),
            clients: BTreeMap::new(),
            sessions: Sessions::new(settings.comet.id()),
            accepted: BTreeSet::new(),
            outputs: VecDeque::new(),
            outputs_at: None,
            inboxes: BTreeMap::new(),
            shared: None,
            shared_at: None,
            count: 0,
            is_stopped: false,
            witness: Witness::default(),
            settings,
        }
    }

    pub(super) fn comet(&self) -> &Comet {
        &self.settings.comet
    }

    pub(super) fn seeds(&self) -> impl Iterator<Item = &String> {
        self.settings.seeds.iter()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Comet> {
        self.machine.members()
    }

    pub(super) fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn session_count(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    fn tick(&mut self, world: World<'_, '_>) {
        let now = world.now();
        let (responses, expired) = self.sessions.tick(now);
        respond(responses, world);
        if self.settings.mistake != Mistake::NoExpiry {
            expired.iter().for_each(|session| self.machine.ended(session, Ending::Lost, now));
        }
        for link in self.clients.keys().copied().collect::<Vec<_>>() {
            let Some(client) = self.clients.get_mut(&link) else { continue };
            let events = client.tick(world);
            self.happened(link, events, world);
        }
        if self.machine.deadline().is_some_and(|at| at <= now) {
            self.machine.tick(now);
        }
        if self.shared_at.is_some_and(|at| at <= now) {
            self.share(|shared| shared.tick(now), world);
        }
    }

    /// Does something with the object, and what follows from that.
    fn share(&mut self, act: impl FnOnce(&mut Shared) -> Vec<Act>, world: World<'_, '_>) {
        let acts = self.shared.as_mut().map(act).unwrap_or_default();
        self.act(acts, world);
    }

    fn act(&mut self, acts: Vec<Act>, world: World<'_, '_>) {
        for act in acts {
            match act {
                Act::Broadcast(data) => self.broadcast(&data, world),
                Act::Send { to, data, push } => {
                    world.note(format_args!("  to {}: {data:?}", to.id()));
                    let push = push.map(|number| (to.clone(), number));
                    let mut clients = self.clients.iter_mut();
                    if let Some((link, client)) = clients.find(|(_, it)| it.is_to(&to)) {
                        let link = *link;
                        let events = client.publish(data, push, world);
                        self.happened(link, events, world);
                    } else if let Some((comet, number)) = push {
                        let (now, shared) = (world.now(), self.shared.as_mut());
                        let acts = shared.map(|it| it.pushed(&comet, number, false, now));
                        self.act(acts.unwrap_or_default(), world);
                    }
                }
            }
        }
    }

    fn begin_to_share(&mut self, world: World<'_, '_>) {
        if self.shared.is_some() {
            return;
        }
        let (own, now) = (&self.settings.comet, world.now());
        self.shared = Some(Shared::new(own, self.settings.version, self.settings.seed, now));
        for comet in self.witness.members().cloned().collect::<Vec<_>>() {
            self.share(|shared| shared.joined(&comet, now), world);
        }
        self.sync(world);
    }

    fn observed(&self) -> Vec<String> {
        let object = self.shared.is_some().then(|| OBJECT.to_owned());
        [COUNTS.to_owned()].into_iter().chain(object).collect()
    }

    fn sync(&mut self, world: World<'_, '_>) {
        let observed = self.observed();
        for link in self.clients.keys().copied().collect::<Vec<_>>() {
            let Some(client) = self.clients.get_mut(&link) else { continue };
            let events = client.sync(&observed, world);
            self.happened(link, events, world);
        }
    }

    fn ask(&mut self, command: Command, world: World<'_, '_>) {
        match command {
            Command::Count => {
                self.count += 1;
                let data = Data::Count(self.settings.comet.clone(), self.count);
                self.broadcast(&data, world);
            }
            Command::Observe(place) => {
                let url = url_of(place, false);
                let observed = self.machine.observe(&url, world.now());
                observed.expect("it is the URL of another");
                self.settings.seeds.push(url);
            }
            Command::Deobserve(place) => {
                self.machine.deobserve(&url_of(place, false));
            }
            Command::Share => self.begin_to_share(world),
            Command::Add(number) => self.change(Change::Add(vec![number]), world),
            Command::Remove(number) => self.change(Change::Remove(vec![number]), world),
            Command::Replace(number) => {
                self.begin_to_share(world);
                let now = world.now();
                self.share(|shared| shared.replace(&[number], now), world);
            }
        }
    }

    fn change(&mut self, change: Change<u32>, world: World<'_, '_>) {
        self.begin_to_share(world);
        let now = world.now();
        self.share(|shared| shared.change(change, now), world);
    }

    fn broadcast(&mut self, data: &Data, world: World<'_, '_>) {
        let (responses, overflowed) = self.sessions.publish(data, world.now());
        respond(responses, world);
        overflowed.iter().for_each(|session| self.end_session(session, world));
    }

    fn end_session(&mut self, session: &str, world: World<'_, '_>) {
        if let Some(stream) = self.sessions.remove(session) {
            world.send(stream, Packet::Response(Response::Disconnected));
            self.machine.ended(session, Ending::Lost, world.now());
        }
    }

    fn stream_of_client(&mut self, stream: StreamId) -> Option<(LinkId, &mut Client)> {
        let mut clients = self.clients.iter_mut();
        clients.find(|(_, client)| client.has(stream)).map(|(link, client)| (*link, client))
    }

    fn received(&mut self, stream: StreamId, packet: Packet, world: World<'_, '_>) {
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
    fn happened(&mut self, link: LinkId, events: Vec<Event>, world: World<'_, '_>) {
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
    fn arrived(&mut self, from: &Comet, data: Data, world: World<'_, '_>) {
        let inbox = self.inboxes.entry(from.id().to_owned()).or_default();
        if let Some(data) = inbox.take(data) {
            self.hand_over(from, data, world);
        }
    }

    fn hand_over(&mut self, from: &Comet, data: Data, world: World<'_, '_>) {
        match data {
            Data::Count(publisher, _) if publisher != *from => {
                self.witness.complain(format!("{publisher:?} counts, and {from:?} says so"));
            }
            Data::Count(_, number) => self.witness.counted(from, number),
            Data::Object(said) => {
                let now = world.now();
                self.share(|shared| shared.heard(from, said, now), world);
            }
        }
    }
}

/// What comes to the server.
impl Member {
    fn requested(&mut self, stream: StreamId, request: Request, world: World<'_, '_>) -> Responses {
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

    fn named(&mut self, session: &str, known: &[String], now: Instant) {
        if self.settings.mistake != Mistake::NoNames {
            let _ = self.machine.named(session, known.iter().map(String::as_str), now);
        }
    }

    fn handshaken(
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

/// What the machine wants.
impl Member {
    fn pump(&mut self, world: World<'_, '_>) {
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

    fn perform(&mut self, output: Output, world: World<'_, '_>) {
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

    fn joined(&mut self, comet: &Comet, world: World<'_, '_>) {
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

impl Node for Member {
    type Packet = Packet;
    type Command = Command;

    fn handle(&mut self, input: Input<Packet, Command>, world: &mut Context<'_, Packet>) {
        let now = world.now();
        match input {
            Input::Start => {
                for seed in self.settings.seeds.clone() {
                    let observed = self.machine.observe(&seed, now);
                    observed.expect("seeds are URLs of others");
                }
            }
            Input::Stop => {
                self.machine.stop();
                self.is_stopped = true;
                self.settings.delay = Duration::ZERO;
                self.outputs_at = Some(now);
            }
            Input::Tick => self.tick(world),
            Input::Ask(command) => self.ask(command, world),
            Input::Accepted(stream, _) => {
                self.accepted.insert(stream);
            }
            Input::Opened(stream) => {
                if let Some((_, client)) = self.stream_of_client(stream) {
                    client.connected(world);
                }
            }
            Input::Received(stream, packet) => self.received(stream, packet, world),
            Input::Refused(stream) | Input::Closed(stream) => {
                if self.accepted.remove(&stream) {
                    self.sessions.closed(stream, now);
                } else if let Some((link, client)) = self.stream_of_client(stream) {
                    let events = client.lost(world);
                    self.happened(link, events, world);
                }
            }
            Input::Datagram(..) => {}
        }
        self.pump(world);
        self.shared_at = self.shared.as_ref().and_then(|shared| shared.deadline(now));
    }

    fn deadline(&self) -> Option<Instant> {
        let clients = self.clients.values().filter_map(Client::deadline);
        let others =
            [self.shared_at, self.machine.deadline(), self.sessions.deadline(), self.outputs_at];
        clients.chain(others.into_iter().flatten()).min()
    }

    fn check(&self) -> Result<(), String> {
        if let Some(wrong) = &self.witness.wrong {
            return Err(wrong.clone());
        }
        if self.outputs.len() > 200 || self.clients.len() > 20 || self.sessions.len() > 50 {
            return Err(format!(
                "{} outputs, {} clients, {} sessions",
                self.outputs.len(),
                self.clients.len(),
                self.sessions.len()
            ));
        }
        if self.outputs.is_empty() && !self.is_stopped {
            let told: BTreeSet<_> = self.witness.members().collect();
            let are: BTreeSet<_> = self.machine.members().collect();
            if told != are {
                return Err(format!("{told:?} are told, and {are:?} are members"));
            }
        }
        Ok(())
    }
}

fn respond(responses: Responses, world: World<'_, '_>) {
    for (stream, response) in responses {
        world.send(stream, Packet::Response(response));
    }
}

/// Returns the URL of a place: the one that its node says, or another one that leads there too.
pub(super) fn url_of(place: Place, is_alias: bool) -> String {
    let name = place.to_string().to_lowercase();
    if is_alias { format!("http://{name}.alias/cometd") } else { format!("http://{name}/cometd") }
}

fn place_of(url: &str) -> Option<Place> {
    let name = *url.strip_prefix("http://")?.as_bytes().first()?;
    name.checked_sub(b'a').map(Place)
}
