//! What is on its way: requests that were sent together, and what each of them is for.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use bayeux_api::{ConnectionType, Subscription};

use super::{LONGEST, Machine, Output, reading::Reading, request::Request};

#[derive(Debug)]
pub(super) struct Pending<T> {
    pub(super) exchange: u64,
    pub(super) size: usize,
    pub(super) channel: String,
    pub(super) subscription: Option<Subscription>,
    pub(super) what: What<T>,
}

/// What a request is for.
#[derive(Debug)]
pub(super) enum What<T> {
    Handshake,
    Connect,
    Subscribe(String),
    /// An unsubscribe, a publish or a disconnect: somebody waits for the reply, or nobody.
    Plain(Option<T>),
    Call,
    Disconnect(T),
}

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) transport: ConnectionType,
    /// The requests without a reply.
    pub(super) left: BTreeSet<u64>,
    pub(super) sent: Instant,
    pub(super) deadline: Instant,
    /// About how many bytes were sent, and in how many messages.
    pub(super) size: usize,
    pub(super) count: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Handshake,
    Connect,
    Plain,
    /// As [`Plain`](Self::Plain), of a session that is over: it may still be answered, and holds up nothing.
    Former,
}

impl Kind {
    /// Whether it has what the application asked for, and not a handshake or connect.
    pub(super) fn is_request(self) -> bool {
        match self {
            Self::Plain | Self::Former => true,
            Self::Handshake | Self::Connect => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Exchange(u64),
    Call(u64),
}

impl<T> Machine<T> {
    /// Sends requests together, and expects their replies after `held` at the most, and the delay of
    /// the network.
    pub(super) fn send(
        &mut self,
        requests: Vec<Request<T>>,
        kind: Kind,
        held: Duration,
        now: Instant,
    ) {
        let exchange = self.next_id();
        let transport = self.negotiation.current();
        let deadline = now + held.min(LONGEST) + self.config.network_delay(transport).min(LONGEST);
        let (size, count) = (requests.iter().map(Request::bulk).sum(), requests.len());
        let mut left = BTreeSet::new();
        let mut messages = Vec::with_capacity(requests.len());
        for Request { id, mut message, what, size } in requests {
            message.id = Some(id.to_string());
            if kind != Kind::Handshake {
                message.client_id.clone_from(&self.client_id);
            }
            let channel = message.channel().to_owned();
            let subscription = message.subscription.clone();
            self.pending.insert(id, Pending { exchange, size, channel, subscription, what });
            left.insert(id);
            messages.push(message);
        }
        if kind.is_request() || self.reading == Reading::GoesOn {
            self.timers.insert((deadline, Timer::Exchange(exchange)));
        }
        let sent = Exchange { transport, left, sent: now, deadline, size, count, kind };
        self.exchanges.insert(exchange, sent);
        let url = self.servers.current().clone();
        self.outputs.push(Output::Send { exchange, transport, url, messages });
    }

    /// Forgets a request, since it is answered or failed.
    pub(super) fn settle(&mut self, id: u64) -> Option<Pending<T>> {
        let pending = self.pending.remove(&id)?;
        if !matches!(pending.what, What::Handshake | What::Connect) {
            self.waiting.0 -= 1;
            self.waiting.1 -= pending.size;
        }
        if let Some(exchange) = self.exchanges.get_mut(&pending.exchange) {
            exchange.left.remove(&id);
            if exchange.left.is_empty() {
                self.forget(pending.exchange);
            }
        }
        Some(pending)
    }

    pub(crate) fn transport_of(&self, exchange: u64) -> Option<ConnectionType> {
        self.exchanges.get(&exchange).map(|one| one.transport)
    }

    pub(super) fn forget(&mut self, exchange: u64) -> Option<Exchange> {
        let gone = self.exchanges.remove(&exchange)?;
        self.timers.remove(&(gone.deadline, Timer::Exchange(exchange)));
        Some(gone)
    }
}
