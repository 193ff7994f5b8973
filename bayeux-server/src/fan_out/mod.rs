//! From one message to all who get it: who that is, their queues, and the writing.

mod round;
mod write;

use std::{collections::HashSet, sync::Arc};

use bayeux_api::{
    ChannelId, Flow, Frozen, Message,
    server::{ServerChannel, ServerSession},
};

use crate::{channel::Channel, fan_out::round::Round, server::Server, session::Session};

pub(crate) use write::Together;

/// After so many deliveries a fan-out lets others run. Most are cheap: what costs is writing, which is
/// done apart.
const YIELD_AFTER: usize = 4096;

impl Server {
    /// Queues `message` for every subscriber, once for each however many of its channels match;
    /// true when at least one took it.
    pub(crate) async fn fan_out(
        &self,
        from: Option<&Arc<Session>>,
        channel: &Arc<Channel>,
        message: Arc<Frozen>,
    ) -> bool {
        let mut channels = self.0.channels.matching(channel.id());
        // A channel that was swept still reaches the subscribers of the wild ones.
        channels.retain(|channel| !channel.is_without_subscribers());
        let mut round = Round::new(self, channel.settings().lazy_timeout());
        let is_once = channels.len() < 2;
        let (mut taken, mut took) = (HashSet::new(), false);
        for channel in &channels {
            let skips_sender = !channel.settings().is_broadcast_to_publisher();
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
        let lazy_timeout = channel.and_then(|channel| channel.settings().lazy_timeout());
        Round::new(self, lazy_timeout).deliver(sender, session, &message.freeze()).await
    }
}
