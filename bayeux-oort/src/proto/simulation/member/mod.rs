//! A simulated node: the machines of a real one, between a modelled server and modelled clients.

mod gate;
mod outputs;
mod sharing;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bayeux_sim::{Context, Input, Node, Place, StreamId};

use super::{
    client::Client,
    inbox::Inbox,
    sessions::{Responses, Sessions},
    shared::Shared,
    wire::Packet,
    witness::Witness,
};
use crate::{
    Comet,
    proto::cloud::{Ending, LinkId, Machine, Output, Rules},
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
    /// How many in a thousand of the messages about the object are lost, until [`Command::Attend`].
    pub(super) loss: u64,
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
    /// A version that is not newer than what is here is taken as if it were.
    NoVersion,
    /// A pull that has brought nothing is not sent again.
    NoPullRetry,
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
    /// Loses no message from now on.
    Attend,
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
            names_vouch: true,
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
