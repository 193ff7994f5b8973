//! The sessions of other nodes at a simulated one: what the server does, as far as a node can tell.
//!
//! ```text
//!   handshake ──▶ Away ──connect──▶ Parked ──a message, or the timeout──▶ answered: Away
//!                  │ maxInterval      │ its stream is closed: Away
//!                  ▼                  │ a newer connect comes: it is overtaken
//!                 gone
//! ```
//!
//! With acknowledgements: what is delivered has the number of the batch, and comes again until a connect says
//! that number or a later one.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use bayeux_sim::StreamId;

use super::wire::{Data, Response};

/// How long a connect is held, and how long a session without one lives.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_INTERVAL: Duration = Duration::from_secs(10);

/// So much may wait for one session; if there is more, it ends.
const MOST: usize = 500;

/// What goes where.
pub(super) type Responses = Vec<(StreamId, Response)>;

#[derive(Debug)]
pub(super) struct Sessions {
    own: String,
    last: u64,
    all: BTreeMap<String, Session>,
}

#[derive(Debug)]
struct Session {
    channels: BTreeSet<String>,
    queue: VecDeque<Entry>,
    /// The batch to which what comes now belongs.
    batch: u64,
    /// Who sent the newest connect, or the handshake.
    stream: StreamId,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A connect is held until then.
    Parked(Instant),
    /// No connect is here; the session ends then.
    Away(Instant),
}

#[derive(Debug)]
struct Entry {
    batch: u64,
    data: Data,
    is_sent: bool,
}

impl Sessions {
    pub(super) fn new(own: &str) -> Self {
        Self { own: own.to_owned(), last: 0, all: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn has(&self, session: &str) -> bool {
        self.all.contains_key(session)
    }

    pub(super) fn create(&mut self, stream: StreamId, now: Instant) -> String {
        self.last += 1;
        let id = format!("{}/{}", self.own, self.last);
        let session = Session {
            channels: BTreeSet::new(),
            queue: VecDeque::new(),
            batch: 1,
            stream,
            state: State::Away(now + MAX_INTERVAL),
        };
        self.all.insert(id.clone(), session);
        id
    }

    /// Returns whether there was such a session, and its stream.
    pub(super) fn remove(&mut self, session: &str) -> Option<StreamId> {
        self.all.remove(session).map(|session| session.stream)
    }

    pub(super) fn subscribe(&mut self, session: &str, channels: &[String]) {
        if let Some(session) = self.all.get_mut(session) {
            session.channels.extend(channels.iter().cloned());
        }
    }

    pub(super) fn connect(
        &mut self,
        id: &str,
        ack: u64,
        is_first: bool,
        stream: StreamId,
        now: Instant,
    ) -> Responses {
        let Some(session) = self.all.get_mut(id) else { return vec![(stream, Response::Unknown)] };
        session.queue.retain(|entry| entry.batch > ack);
        session.queue.iter_mut().for_each(|entry| entry.is_sent = false);
        session.stream = stream;
        session.state = State::Parked(now + TIMEOUT);
        match is_first || !session.queue.is_empty() {
            true => session.answer(now),
            false => Vec::new(),
        }
    }

    /// Queues a message for whoever is subscribed to its channel. Returns what is sent of it at once, and
    /// which sessions end since they have too much.
    pub(super) fn publish(&mut self, data: &Data, now: Instant) -> (Responses, Vec<String>) {
        let (mut responses, mut overflowed) = (Vec::new(), Vec::new());
        for (id, session) in &mut self.all {
            if !session.channels.contains(data.channel()) {
                continue;
            }
            if session.queue.len() >= MOST {
                overflowed.push(id.clone());
                continue;
            }
            let batch = session.batch;
            session.queue.push_back(Entry { batch, data: data.clone(), is_sent: false });
            if matches!(session.state, State::Parked(_)) {
                responses.extend(session.answer(now));
            }
        }
        (responses, overflowed)
    }

    /// A stream is closed: a session whose connect it held lives for a while.
    pub(super) fn closed(&mut self, stream: StreamId, now: Instant) {
        for session in self.all.values_mut() {
            if session.stream == stream && matches!(session.state, State::Parked(_)) {
                session.state = State::Away(now + MAX_INTERVAL);
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.all.values().map(|session| session.deadline()).min()
    }

    /// Answers connects whose time is over, and ends sessions whose time is. Returns those.
    pub(super) fn tick(&mut self, now: Instant) -> (Responses, Vec<String>) {
        let mut responses = Vec::new();
        let due = self.all.iter_mut().filter(|(_, session)| session.deadline() <= now);
        let mut expired = Vec::new();
        for (id, session) in due {
            match session.state {
                State::Parked(_) => responses.extend(session.answer(now)),
                State::Away(_) => expired.push(id.clone()),
            }
        }
        expired.iter().for_each(|id| drop(self.all.remove(id)));
        (responses, expired)
    }
}

impl Session {
    fn deadline(&self) -> Instant {
        match self.state {
            State::Parked(until) | State::Away(until) => until,
        }
    }

    /// Answers the connect that is held, with all that waits.
    fn answer(&mut self, now: Instant) -> Responses {
        let mut responses = Vec::new();
        for entry in self.queue.iter_mut().filter(|entry| !entry.is_sent) {
            entry.is_sent = true;
            responses.push((self.stream, Response::Message(entry.data.clone())));
        }
        responses.push((self.stream, Response::Connected { ack: self.batch }));
        self.batch += 1;
        self.state = State::Away(now + MAX_INTERVAL);
        responses
    }
}
