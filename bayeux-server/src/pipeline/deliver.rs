//! From one message to the queues of all who get it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use bayeux_api::{
    ChannelId, Flow, Frozen, Message,
    server::{Removal, ServerChannel, ServerSession},
};

use crate::{
    channel::Channel,
    proto::session::Delivered,
    server::Server,
    session::{Hooks, Session},
};

/// After so many deliveries a fan-out lets others run.
const YIELD_AFTER: usize = 256;

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
        let lazy_timeout = channel.settings().lazy_timeout;
        let is_once = channels.len() < 2;
        let (mut taken, mut took) = (HashSet::new(), false);
        for channel in &channels {
            let skips_sender = !channel.settings().broadcast_to_publisher;
            for (count, session) in channel.snapshot().iter().enumerate() {
                if count % YIELD_AFTER == YIELD_AFTER - 1 {
                    tokio::task::yield_now().await;
                }
                let is_sender = from.is_some_and(|from| Arc::ptr_eq(from, session));
                if is_sender && (skips_sender || !session.is_broadcast_to_publisher()) {
                    continue;
                }
                if !is_once && taken.contains(session.id()) {
                    continue;
                }
                if self.deliver(from, session, message.clone(), lazy_timeout).await {
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
        self.deliver(sender, session, message.freeze(), lazy_timeout).await
    }

    async fn deliver(
        &self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: Arc<Frozen>,
        lazy_timeout: Option<Duration>,
    ) -> bool {
        let Some(hooks) = session.hooks() else {
            return self.enqueue(session, &message, lazy_timeout);
        };
        match show(sender, session, hooks, message).await {
            Some(message) => self.enqueue(session, &message, lazy_timeout),
            None => false,
        }
    }

    fn enqueue(
        &self,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        lazy_timeout: Option<Duration>,
    ) -> bool {
        let listeners = session.listeners();
        let overflow = (!listeners.is_empty() && session.is_full_for(message)).then(|| {
            let (seen, depth) = (session.as_dyn(), session.queue_depth());
            listeners.iter().find_map(|listener| listener.queue_maxed(&seen, depth, message))
        });
        match session.enqueue(message.clone(), lazy_timeout, overflow.flatten()) {
            Delivered::Queued { dropped, .. } => {
                self.0.counters.messages_queued.increment();
                self.0.counters.messages_dropped.add(dropped);
                if !listeners.is_empty() {
                    let seen = session.as_dyn();
                    listeners.iter().for_each(|listener| listener.queued(&seen, message));
                }
                true
            }
            Delivered::Dropped => {
                self.0.counters.messages_dropped.increment();
                false
            }
            Delivered::Gone => false,
            Delivered::Overflowed => {
                tracing::warn!(session = session.id(), "queue full, session ended");
                let (server, session) = (self.clone(), session.clone());
                tokio::spawn(async move {
                    server.end_session(&session, Removal::Overflowed, None).await
                });
                false
            }
        }
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
