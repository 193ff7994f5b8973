//! From one message to all who get it, as one story: *who* gets it, which is here, what happens with each
//! of them ([`round`]), and how what was queued is *written*, in portions ([`write`]).
//!
//! ```text
//!   publish ─▶ fan_out ─▶ for each subscriber: hooks ─▶ queue ─┬─▶ woken: takes it itself
//!                 ▲                                            └─▶ lends its socket: gathered
//!                 │ others run                                                        │
//!                 └──────────────── portion is over ◀─────────────────────────────────┤
//!                                                                                     ▼
//!                                        the work is done, or waits ──────────────▶ written
//! ```
//!
//! As much as possible is gathered, since a write costs far more than what it carries, and as long as
//! nobody has to pay for that: a queue that is full or long is written there and then, and after a
//! [portion](write::PORTION) of time all that was gathered is written before others run.

mod round;
mod write;

use std::{collections::HashSet, sync::Arc};

use bayeux_api::{ChannelId, Flow, Frozen, Message, server::ServerSession};

use crate::{channel::Channel, fan_out::round::Round, server::Server, session::Session};

pub(crate) use write::{Together, Writing};

impl Server {
    /// Queues `message` for every subscriber of `channels`, which are all that match its own, the last of
    /// them; once for each however many it has subscribed to. Returns how many took it.
    pub(crate) async fn fan_out(
        &self,
        from: Option<&Arc<Session>>,
        channels: &[Arc<Channel>],
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> usize {
        let lazy_timeout = channels.last().and_then(|own| own.settings().lazy_timeout());
        let mut round = Round::begin(self, lazy_timeout, writing).await;
        let has_any = |channel: &&Arc<Channel>| !channel.is_without_subscribers();
        let is_once = channels.iter().filter(has_any).count() < 2;
        let mut taken = HashSet::new();
        let is_from_node = from.is_some_and(|from| from.is_node());
        for channel in channels.iter().filter(has_any) {
            let skips_sender = !channel.settings().is_broadcast_to_publisher();
            for some in channel.snapshot().chunks(round::STEPS) {
                if round.is_over(some.len()) {
                    round.let_others_run().await;
                }
                for session in some {
                    let is_sender = from.is_some_and(|from| Arc::ptr_eq(from, session));
                    if is_sender && (skips_sender || !session.is_broadcast_to_publisher()) {
                        continue;
                    }
                    if is_from_node && session.is_node() {
                        // It gets it from the node where it was published.
                        continue;
                    }
                    if !is_once && taken.contains(session.id()) {
                        continue;
                    }
                    if round.deliver(from, session, message).await && !is_once {
                        taken.insert(session.shared_id().clone());
                    }
                }
            }
        }
        round.finish().await
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
        self.deliver_alone(sender, session, &message.freeze()).await
    }

    /// Delivers what is encoded already on behalf of the server's own code, to one session. Only an
    /// extension, which may change it, has it encoded again.
    pub(crate) async fn deliver_frozen_from_server(
        &self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        if self.0.extensions.is_empty() {
            self.deliver_alone(sender, session, message).await
        } else {
            self.deliver_from_server(sender, session, message.to_message()).await
        }
    }

    async fn deliver_alone(
        &self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
    ) -> bool {
        let id = message.is_lazy().then(|| ChannelId::new(message.channel()).ok()).flatten();
        let channel = id.and_then(|id| self.0.channels.get(id.as_str()));
        let lazy_timeout = channel.and_then(|channel| channel.settings().lazy_timeout());
        let mut round = Round::begin(self, lazy_timeout, Writing::AtOnce).await;
        round.deliver(sender, session, message).await;
        round.finish().await > 0
    }
}
