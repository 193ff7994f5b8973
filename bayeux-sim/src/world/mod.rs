//! A world: nodes, the network between them, and what happens to both.

mod faults;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::{Duration, Instant},
};

use crate::{
    Clock, Conditions, Context, Input, Node, Place, Random, Schedule, Step, Trace, Truth,
    events::Events,
    network::{Event, Network},
};

/// What is to happen.
#[derive(Debug)]
pub(crate) enum Happening<P, C> {
    Network(Event<P>),
    Step(Step<C>),
    /// A node of this incarnation goes on after a pause.
    Resume(Place, u32),
}

/// Makes the node of a place at a start, which has a number among those at that place.
type Make<N> = Box<dyn FnMut(Place, u32, &mut Random) -> N>;

/// Nodes, the network between them, and what happens to both. Nobody is there at the beginning: nodes
/// [start](crate::Fault::Start) by the schedule.
pub struct World<N: Node> {
    clock: Clock,
    random: Random,
    network: Network<N::Packet>,
    truth: Truth<N::Command>,
    events: Events<Happening<N::Packet, N::Command>>,
    sites: BTreeMap<Place, Site<N>>,
    make: Make<N>,
    trace: Trace,
    streams: u64,
    pace: (u64, u64),
}

struct Site<N: Node> {
    node: N,
    random: Random,
    deadline: Option<Instant>,
    /// When the node is woken for its deadline.
    wake: Option<Instant>,
    paused_until: Option<Instant>,
    /// What came while it was paused.
    inbox: VecDeque<Input<N::Packet, N::Command>>,
}

/// More than so many events in one second are a storm.
const STORM: u64 = 200_000;

impl<N: Node> World<N> {
    /// Makes a world in which nothing has happened yet.
    pub fn new(
        seed: u64,
        conditions: Conditions,
        schedule: Schedule<N::Command>,
        trace: Trace,
        make: impl FnMut(Place, u32, &mut Random) -> N + 'static,
    ) -> Self {
        let mut random = Random::new(seed);
        let clock = Clock::new();
        let mut events = Events::new();
        for (at, step) in schedule.steps {
            events.add(clock.at(at), Happening::Step(step));
        }
        Self {
            network: Network::new(conditions, random.fork()),
            truth: Truth::new(),
            sites: BTreeMap::new(),
            make: Box::new(make),
            streams: 0,
            pace: (0, 0),
            clock,
            random,
            events,
            trace,
        }
    }

    /// Returns what really is.
    pub fn truth(&self) -> &Truth<N::Command> {
        &self.truth
    }

    /// Returns what time it is.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Returns the nodes that are alive.
    pub fn nodes(&self) -> impl Iterator<Item = (Place, &N)> {
        self.sites.iter().map(|(place, site)| (*place, &site.node))
    }

    /// Returns the node at a place, if it is alive.
    pub fn node(&self, place: Place) -> Option<&N> {
        self.sites.get(&place).map(|site| &site.node)
    }

    /// Lets time pass until so long after the beginning.
    ///
    /// # Errors
    ///
    /// What a node's [check](Node::check) found, or that the nodes never come to rest.
    pub fn run(&mut self, until: Duration) -> Result<(), String> {
        let until = self.clock.at(until);
        while let Some(at) = self.next_at().filter(|at| *at <= until) {
            self.clock.advance(at);
            self.keep_pace()?;
            if self.events.next_at().is_some_and(|first| first <= self.clock.now()) {
                self.happen()?;
            } else {
                self.wake()?;
            }
        }
        self.clock.advance(until);
        Ok(())
    }

    fn next_at(&self) -> Option<Instant> {
        self.events.next_at().into_iter().chain(self.next_wake().map(|(at, _)| at)).min()
    }

    fn next_wake(&self) -> Option<(Instant, Place)> {
        let sites = self.sites.iter().filter(|(_, site)| site.paused_until.is_none());
        sites.filter_map(|(place, site)| Some((site.wake?, *place))).min()
    }

    fn keep_pace(&mut self) -> Result<(), String> {
        let second = self.clock.elapsed().as_secs();
        let so_far = if self.pace.0 == second { self.pace.1 + 1 } else { 1 };
        self.pace = (second, so_far);
        let waiting = u64::try_from(self.events.len()).unwrap_or(u64::MAX);
        match so_far.max(waiting) > STORM {
            true => Err(format!("a storm in second {second}: {so_far} events, {waiting} wait")),
            false => Ok(()),
        }
    }

    fn wake(&mut self) -> Result<(), String> {
        match self.next_wake() {
            Some((_, place)) => self.input(place, Input::Tick),
            None => Ok(()),
        }
    }

    fn happen(&mut self) -> Result<(), String> {
        let now = self.clock.now();
        match self.events.pop() {
            Some(Happening::Network(event)) => {
                let reached = self.network.happen(event, &self.truth, now, &mut self.events);
                reached.map_or(Ok(()), |(place, input)| self.reach(place, input))
            }
            Some(Happening::Step(Step::Ask(place, command))) => {
                self.truth.asked(place, command.clone());
                self.note(format_args!("{place} is asked {command:?}"));
                self.reach(place, Input::Ask(command))
            }
            Some(Happening::Step(Step::Fault(fault))) => self.fault(fault),
            Some(Happening::Resume(place, incarnation)) => self.resume(place, incarnation),
            None => Ok(()),
        }
    }

    /// Something comes to a node, which may be paused.
    fn reach(&mut self, place: Place, input: Input<N::Packet, N::Command>) -> Result<(), String> {
        match self.sites.get_mut(&place) {
            Some(site) if site.paused_until.is_some() => {
                site.inbox.push_back(input);
                Ok(())
            }
            Some(_) => self.input(place, input),
            None => Ok(()),
        }
    }

    fn input(&mut self, place: Place, input: Input<N::Packet, N::Command>) -> Result<(), String> {
        let Some(site) = self.sites.get_mut(&place) else { return Ok(()) };
        let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
        let is_tick = matches!(input, Input::Tick);
        if !matches!(input, Input::Tick | Input::Ask(_)) {
            self.trace.note(elapsed, format_args!("{place} {input:?}"));
        }
        let mut orders = Vec::new();
        let (trace, streams) = (&self.trace, &mut self.streams);
        let random = &mut site.random;
        let orders_out = &mut orders;
        site.node.handle(
            input,
            &mut Context { own: place, now, elapsed, random, trace, streams, orders: orders_out },
        );
        let deadline = site.node.deadline();
        if is_tick || deadline != site.deadline {
            let lateness = self.network.conditions().lateness;
            let late = site.random.between(Duration::ZERO, lateness);
            site.deadline = deadline;
            site.wake = deadline.map(|deadline| deadline.max(now) + late);
        }
        let checked = site.node.check();
        for order in orders {
            self.network.order(place, order, now, &mut self.events);
        }
        checked.map_err(|error| format!("{place} at {elapsed:?}: {error}"))
    }

    fn resume(&mut self, place: Place, incarnation: u32) -> Result<(), String> {
        let now = self.clock.now();
        if self.truth.life(place).is_none_or(|life| life.incarnation != incarnation) {
            return Ok(());
        }
        let Some(site) = self.sites.get_mut(&place) else { return Ok(()) };
        if site.paused_until.is_none_or(|until| until > now) {
            return Ok(());
        }
        site.paused_until = None;
        let inbox = std::mem::take(&mut site.inbox);
        self.note(format_args!("-- {place} goes on"));
        inbox.into_iter().try_for_each(|input| self.input(place, input))
    }

    fn note(&self, line: fmt::Arguments<'_>) {
        self.trace.note(self.clock.elapsed(), line);
    }
}

impl<N: Node> fmt::Debug for World<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<_> = self.sites.keys().collect();
        f.debug_struct("World").field("clock", &self.clock).field("nodes", &places).finish()
    }
}
