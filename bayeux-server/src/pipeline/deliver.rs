//! From one message to the queues of all who get it.

use std::{
    collections::HashSet,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bayeux_api::{
    ChannelId, Flow, Frozen, Message,
    server::{Overflow, Removal, ServerChannel, ServerSession},
};
use futures_util::poll;

use crate::{
    channel::Channel,
    driver,
    proto::session::Delivered,
    server::Server,
    session::{Hooks, Session, Tell},
};

/// After so many deliveries a fan-out lets others run. Most are cheap: what costs is writing, which is
/// done apart.
const YIELD_AFTER: usize = 4096;

impl Server {
    /// Queues `message` for every subscriber, once for each however many of its channels match;
    /// true when at least one took it.
    pub(super) async fn fan_out(
        &self,
        from: Option<&Arc<Session>>,
        channel: &Arc<Channel>,
        message: Arc<Frozen>,
    ) -> bool {
        let mut channels = self.0.channels.matching(channel.id());
        // A channel that was swept still reaches the subscribers of the wild ones.
        channels.retain(|channel| !channel.is_without_subscribers());
        let mut round = Round::new(self, channel.settings().lazy_timeout);
        let is_once = channels.len() < 2;
        let (mut taken, mut took) = (HashSet::new(), false);
        for channel in &channels {
            let skips_sender = !channel.settings().broadcast_to_publisher;
            for (count, session) in channel.snapshot().iter().enumerate() {
                if count % YIELD_AFTER == YIELD_AFTER - 1 {
                    round.write_waiting();
                    tokio::task::yield_now().await;
                }
                let is_sender = from.is_some_and(|from| Arc::ptr_eq(from, session));
                if is_sender && (skips_sender || !session.is_broadcast_to_publisher()) {
                    continue;
                }
                if !is_once && taken.contains(session.id()) {
                    continue;
                }
                if round.deliver(from, session, &message).await {
                    took = true;
                    if !is_once {
                        taken.insert(session.shared_id().clone());
                    }
                }
            }
        }
        took
    }

    /// Delivers on behalf of the server's own code, to one session.
    pub(crate) async fn deliver_from_server(
        &self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        mut message: Message,
    ) -> bool {
        if !self.0.extensions.is_empty() {
            let (from, to) = (sender.map(Session::as_dyn), session.as_dyn());
            let flow = self.extend_outgoing(from.as_ref(), Some(&to), &mut message).await;
            if flow == Flow::Stop {
                return false;
            }
        }
        let id = ChannelId::new(message.channel()).ok();
        let channel = id.filter(|_| message.lazy).and_then(|id| self.0.channels.get(id.as_str()));
        let lazy_timeout = channel.and_then(|channel| channel.settings().lazy_timeout);
        Round::new(self, lazy_timeout).deliver(sender, session, &message.freeze()).await
    }
}

/// The deliveries of one message. When it ends, the sessions that wait for their messages get them, by
/// [`Server::write_to`].
struct Round<'a> {
    server: &'a Server,
    lazy_timeout: Option<Duration>,
    now: Instant,
    queued: usize,
    dropped: usize,
    waiting: Vec<Arc<Session>>,
}

impl<'a> Round<'a> {
    fn new(server: &'a Server, lazy_timeout: Option<Duration>) -> Self {
        let (now, waiting) = (driver::now(), Vec::new());
        Self { server, lazy_timeout, now, queued: 0, dropped: 0, waiting }
    }

    /// Queues the message for a session, past what the application added to that; true when it was
    /// taken.
    async fn deliver(
        &mut self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        let Some(hooks) = session.hooks() else {
            return self.enqueue(session, message, None);
        };
        let mut shown = pin!(show(sender, session, hooks, message.clone()));
        let shown = match poll!(shown.as_mut()) {
            Poll::Ready(shown) => shown,
            Poll::Pending => {
                // The others do not wait for this one's application.
                self.write_waiting();
                shown.await
            }
        };
        let Some(message) = shown else { return false };
        let listeners = hooks.listeners.snapshot();
        let overflow = (!listeners.is_empty() && session.is_full_for(&message)).then(|| {
            let (seen, depth) = (session.as_dyn(), session.queue_depth());
            listeners.iter().find_map(|listener| listener.queue_maxed(&seen, depth, &message))
        });
        let is_queued = self.enqueue(session, &message, overflow.flatten());
        if is_queued && !listeners.is_empty() {
            let seen = session.as_dyn();
            listeners.iter().for_each(|listener| listener.queued(&seen, &message));
        }
        is_queued
    }

    fn enqueue(
        &mut self,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        overflow: Option<Overflow>,
    ) -> bool {
        let (delivered, tell) =
            session.enqueue(message.clone(), self.lazy_timeout, overflow, self.now);
        match tell {
            Tell::Nobody => {}
            Tell::Wake(carrier) => carrier.wake(),
            Tell::Write => self.waiting.push(session.clone()),
        }
        match delivered {
            Delivered::Queued { dropped, .. } => {
                self.queued += 1;
                self.dropped += dropped;
                return true;
            }
            Delivered::Dropped => self.dropped += 1,
            Delivered::Gone => {}
            Delivered::Overflowed => {
                tracing::warn!(session = session.id(), "queue full, session ended");
                let (server, session) = (self.server.clone(), session.clone());
                tokio::spawn(async move {
                    server.end_session(&session, Removal::Overflowed, None).await
                });
            }
        }
        false
    }
}

impl Round<'_> {
    /// Has what is queued written to the sessions that wait.
    fn write_waiting(&mut self) {
        self.server.write_to(std::mem::take(&mut self.waiting));
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.server.0.counters.messages_queued.add(self.queued);
        self.server.0.counters.messages_dropped.add(self.dropped);
        self.write_waiting();
    }
}

/// Shows a message to the session's extensions and listeners; none when one of them drops it.
async fn show(
    sender: Option<&Arc<Session>>,
    session: &Arc<Session>,
    hooks: &Hooks,
    mut message: Arc<Frozen>,
) -> Option<Arc<Frozen>> {
    let (sender, seen) = (sender.map(Session::as_dyn), session.as_dyn());
    for extension in hooks.extensions.snapshot().iter().rev() {
        message = extension.outgoing(sender.as_ref(), &seen, message).await?;
    }
    for listener in hooks.listeners.snapshot().iter() {
        if listener.on_message(&seen, sender.as_ref(), &message).await == Flow::Stop {
            return None;
        }
    }
    Some(message)
}
