//! What arrives at a local session: it is taken out of the session's queue by one task, which answers
//! remote calls, and shown to the listeners by another, so that a listener may wait for an answer.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak, atomic::Ordering::Relaxed},
    time::Instant,
};

use bayeux_api::{
    ChannelId, Flow, Frozen, Message,
    client::ClientSession as _,
    implement::{Hook, lock},
    server::{QueueBounds, Removal},
};
use tokio::sync::Notify;

use super::Local;
use crate::{carrier::Carrier, clock, session::Session};

/// What was taken out of the session's queue and waits for the listeners. Nothing more is taken out
/// before they have got it, so that the queue's bounds hold; but while calls wait for their answers,
/// which may be behind all that, there is room for as much again.
#[derive(Debug, Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// With what each weighed when it came.
    messages: VecDeque<(usize, Arrived)>,
    bytes: usize,
    is_closed: bool,
}

#[derive(Debug)]
enum Arrived {
    Frozen(Arc<Frozen>),
    /// The extensions have seen it already.
    Answer(Box<Message>, usize),
}

impl Arrived {
    fn weight(&self) -> usize {
        match self {
            Self::Frozen(message) => message.weight(),
            Self::Answer(_, weight) => *weight,
        }
    }
}

impl Inbox {
    fn has_room(&self, bounds: impl FnOnce() -> Option<QueueBounds>) -> bool {
        let (messages, bytes) = {
            let waiting = lock(&self.waiting);
            (waiting.messages.len(), waiting.bytes)
        };
        messages == 0 || bounds().is_some_and(|most| messages < most.messages && bytes < most.bytes)
    }

    fn push(&self, arrived: Arrived) {
        let (mut waiting, weight) = (lock(&self.waiting), arrived.weight());
        waiting.bytes += weight;
        waiting.messages.push_back((weight, arrived));
        drop(waiting);
        self.arrived.notify_one();
    }

    fn close(&self) {
        lock(&self.waiting).is_closed = true;
        self.arrived.notify_one();
    }

    /// Waits for the next message; none when there will be no more. The carrier is told when all
    /// before were seen.
    async fn next(&self, carrier: &Carrier) -> Option<Arrived> {
        loop {
            {
                let mut waiting = lock(&self.waiting);
                if let Some((weight, arrived)) = waiting.messages.pop_front() {
                    waiting.bytes -= weight;
                    return Some(arrived);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            carrier.wake();
            self.arrived.notified().await;
        }
    }
}

impl Local {
    /// Starts to take what is delivered to the session.
    pub(super) fn receive_from(&self, session: &Arc<Session>, carrier: Arc<Carrier>) {
        let inbox = Arc::new(Inbox::default());
        tokio::spawn(listen(self.me.clone(), carrier.clone(), inbox.clone()));
        tokio::spawn(take(self.me.clone(), session.clone(), carrier, inbox));
    }

    /// Takes what is due, and tells when to look again.
    async fn take(
        &self,
        session: &Session,
        carrier: &Arc<Carrier>,
        inbox: &Inbox,
    ) -> Option<Instant> {
        let has_room = inbox.has_room(|| self.calls.are_waiting().then(|| session.queue_bounds()));
        if !has_room && session.removal().is_none() {
            session.cannot_be_looked_at();
            return None;
        }
        let (due, again) = session.push(carrier, clock::now());
        self.count_missed();
        for message in due.into_iter().flat_map(|due| due.messages) {
            if let Some(arrived) = self.arrived(message).await {
                inbox.push(arrived);
            }
        }
        again
    }

    /// Answers the call that a message is the answer to.
    async fn arrived(&self, message: Arc<Frozen>) -> Option<Arrived> {
        if !self.calls.are_waiting() || !is_service(message.channel()) {
            return Some(Arrived::Frozen(message));
        }
        let weight = message.weight();
        let answer = message.to_message();
        let Some(id) = answer.id.clone().filter(|id| self.calls.are_waiting_for(id)) else {
            return Some(Arrived::Frozen(message));
        };
        let answer = self.extend_incoming(answer).await?;
        self.calls.answer(&id, answer.clone());
        Some(Arrived::Answer(Box::new(answer), weight))
    }

    async fn extend_incoming(&self, mut message: Message) -> Option<Message> {
        let session = self.id().unwrap_or_default();
        let hook = Hook("ClientExtension::incoming", &session);
        for extension in self.extensions.members().iter() {
            let shown = extension.wait(hook, |it| it.incoming(&mut message)).await;
            if shown != Some(Flow::Continue) {
                return None;
            }
        }
        Some(message)
    }

    /// Shows what arrived to the extensions and the listeners; none when an extension drops it.
    pub(super) async fn receive(&self, message: Message) -> Option<Message> {
        let message = self.extend_incoming(message).await?;
        self.show(&message).await;
        Some(message)
    }

    async fn show(&self, message: &Message) {
        let Ok(id) = ChannelId::new(message.channel()) else { return };
        let is_published = !id.is_meta() && message.data.is_some();
        let (mut wilds, mut own) = (id.wilds(), Some(id.as_str()));
        while let Some(name) = own.take().or_else(|| wilds.next_id()) {
            let channel = lock(&self.channels).get(name).cloned();
            if let Some(channel) = channel {
                channel.show(message, is_published).await;
            }
        }
    }

    async fn hear(&self, arrived: Arrived) {
        if let Ok(server) = self.server() {
            server.0.counters.messages_sent.increment();
        }
        match arrived {
            Arrived::Frozen(message) => drop(self.receive(message.to_message()).await),
            Arrived::Answer(message, _) => self.show(&message).await,
        }
    }

    /// Notes that messages were dropped because the listeners are behind.
    fn missed(&self, count: usize) {
        if self.missed.fetch_add(count, Relaxed) == 0 {
            tracing::warn!(session = ?self, "the listeners of a local session are behind, messages are dropped");
        }
    }

    fn count_missed(&self) {
        let missed = self.missed.swap(0, Relaxed);
        if missed > 0 {
            tracing::warn!(session = ?self, missed, "messages for a local session were dropped");
        }
    }
}

impl Session {
    /// Notes that messages for this session were dropped, which nobody would know of a local one.
    pub(crate) fn missed(&self, count: usize) {
        if let Some(local) = self.origin.local.as_ref().and_then(Weak::upgrade) {
            local.missed(count);
        }
    }
}

/// Takes what is delivered until the session has ended; ends it when its client has gone, since it would
/// stay for ever.
async fn take(local: Weak<Local>, session: Arc<Session>, carrier: Arc<Carrier>, inbox: Arc<Inbox>) {
    loop {
        // What was queued by then goes out after the end, too.
        let has_ended = session.removal().is_some();
        let again = match local.upgrade() {
            Some(local) => local.take(&session, &carrier, &inbox).await,
            None => break,
        };
        if has_ended {
            break;
        }
        let wait = carrier.woken();
        match again {
            Some(again) => drop(tokio::time::timeout_at(again.into(), wait).await),
            None => wait.await,
        }
    }
    inbox.close();
    match (local.upgrade(), session.server()) {
        // Another session may have begun, with calls of its own.
        (Some(local), _) if !local.is_handshook() => local.calls.give_up(),
        (Some(_), _) => {}
        (None, Some(server)) => {
            server.end_session(&session, Removal::Removed, None).await;
        }
        (None, None) => {}
    }
}

/// Shows what arrives to the listeners, one message after the other.
async fn listen(local: Weak<Local>, carrier: Arc<Carrier>, inbox: Arc<Inbox>) {
    while let Some(arrived) = inbox.next(&carrier).await {
        let Some(local) = local.upgrade() else { return };
        local.hear(arrived).await;
    }
}

fn is_service(channel: &str) -> bool {
    channel.starts_with("/service/")
}
