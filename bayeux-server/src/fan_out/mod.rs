//! From one message to all who get it, as one story: *who* gets it, which is here, what happens with each
//! of them ([`round`]), past what the application added to it ([`seen`]), and how what was queued is
//! *written*, in portions ([`write`]).
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
mod seen;
mod write;

use std::{collections::HashSet, sync::Arc, time::Instant};

use bayeux_api::{
    ChannelId, Flow, Frozen, Message,
    server::{Reach, SessionKind},
};

use crate::{
    channel::{Channel, NoTurn},
    fan_out::round::Round,
    finish::finish,
    server::Server,
    session::Session,
};

pub(crate) use write::{Together, Writing, together};

impl Server {
    /// Queues `message` for every subscriber of `channels`, which are all that match its own, the last of
    /// them if it exists; once for each however many it has subscribed to. Returns how many took it.
    ///
    /// # Errors
    ///
    /// When the channel has an order, in which the message gets no turn.
    pub(crate) async fn fan_out(
        &self,
        from: Option<&Arc<Session>>,
        channels: &[Arc<Channel>],
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> Result<usize, NoTurn> {
        match channels.last().filter(|own| own.settings().is_ordered()) {
            None => Ok(self.queue_for_all(from, channels, message, writing, None).await),
            Some(own) => Box::pin(self.take_turn(own, from, channels, message, writing)).await,
        }
    }

    /// Waits for the turn of a message in its channel's order, and queues it then. Once it has its turn,
    /// all get it though its publisher goes.
    async fn take_turn(
        &self,
        own: &Arc<Channel>,
        from: Option<&Arc<Session>>,
        channels: &[Arc<Channel>],
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> Result<usize, NoTurn> {
        let turn = own.settings().order().take().await?;
        let in_turn = InTurn { subscribers: own.advance(), until: turn.until };
        let (server, from) = (self.clone(), from.cloned());
        let (channels, message) = (channels.to_vec(), message.clone());
        let work = turn.during(async move {
            server.queue_for_all(from.as_ref(), &channels, &message, writing, Some(in_turn)).await
        });
        Ok(finish(work).await.unwrap_or_default())
    }

    async fn queue_for_all(
        &self,
        from: Option<&Arc<Session>>,
        channels: &[Arc<Channel>],
        message: &Arc<Frozen>,
        writing: Writing,
        in_turn: Option<InTurn>,
    ) -> usize {
        let lazy_timeout = channels.last().and_then(|last| {
            let is_own = |_: &_| last.id().as_str() == message.channel();
            last.settings().lazy_timeout().filter(is_own)
        });
        let until = in_turn.as_ref().map(|in_turn| in_turn.until);
        let mut round = Round::begin(self, lazy_timeout, writing, until).await;
        let sender = from.map(Session::as_dyn);
        let has_any = |channel: &Arc<Channel>| !channel.is_without_subscribers();
        let is_once = channels.iter().filter(|own| has_any(own)).count() < 2;
        let mut taken = HashSet::new();
        let hidden = exact(channels);
        for (index, channel) in channels.iter().enumerate().filter(|(_, own)| has_any(own)) {
            let skips = Skips {
                sender: from,
                is_own_kept_back: !channel.settings().is_broadcast_to_publisher(),
                is_from_node: from.is_some_and(|from| from.is_node()),
                is_hidden: index < hidden,
            };
            let own = in_turn.as_ref().filter(|_| index + 1 == channels.len());
            let subscribers = own.map_or_else(|| channel.snapshot(), |own| own.subscribers.clone());
            for some in subscribers.chunks(round::STEPS) {
                if round.is_over(some.len()) {
                    round.let_others_run().await;
                }
                for session in some {
                    if skips.has(session) || !is_once && taken.contains(session.id()) {
                        continue;
                    }
                    let takes = match session.hooks() {
                        None => round.offer(session, message),
                        Some(hooks) => {
                            round.deliver_past(hooks, sender.as_ref(), session, message).await
                        }
                    };
                    if takes && !is_once {
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
        writing: Writing,
    ) -> bool {
        if !self.0.extensions.is_empty() {
            let (from, to) = (sender.map(Session::as_dyn), session.as_dyn());
            let flow = self.extend_outgoing(from.as_ref(), Some(&to), &mut message).await;
            if flow == Flow::Stop {
                return false;
            }
        }
        self.deliver_alone(sender, session, &message.freeze(), writing).await
    }

    /// Delivers what is encoded already on behalf of the server's own code, to one session. Only an
    /// extension, which may change it, has it encoded again.
    pub(crate) async fn deliver_frozen_from_server(
        &self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> bool {
        if self.0.extensions.is_empty() {
            self.deliver_alone(sender, session, message, writing).await
        } else {
            self.deliver_from_server(sender, session, message.to_message(), writing).await
        }
    }

    async fn deliver_alone(
        &self,
        sender: Option<&Arc<Session>>,
        session: &Arc<Session>,
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> bool {
        let id = message.is_lazy().then(|| ChannelId::new(message.channel()).ok()).flatten();
        let channel = id.and_then(|id| self.0.channels.get(id.as_str()));
        let lazy_timeout = channel.and_then(|channel| channel.settings().lazy_timeout());
        let mut round = Round::begin(self, lazy_timeout, writing, None).await;
        round.deliver(sender.map(Session::as_dyn).as_ref(), session, message).await;
        round.finish().await > 0
    }
}

/// What a message has that is queued in its turn.
struct InTurn {
    /// Of its own channel, at the beginning of the turn.
    subscribers: Arc<[Arc<Session>]>,
    /// When hooks that still wait are given up.
    until: Instant,
}

/// Which subscribers of a channel do not get a message by it.
struct Skips<'a> {
    sender: Option<&'a Arc<Session>>,
    /// Whether its sender does not get it back.
    is_own_kept_back: bool,
    /// Whether it came from another node, which sends it to all others itself.
    is_from_node: bool,
    /// Whether clients do not get it by this channel, which is wider than it reaches.
    is_hidden: bool,
}

impl Skips<'_> {
    fn has(&self, session: &Arc<Session>) -> bool {
        let is_own = self.sender.is_some_and(|sender| Arc::ptr_eq(sender, session));
        is_own && (self.is_own_kept_back || !session.is_broadcast_to_publisher())
            || self.is_from_node && session.is_node()
            || self.is_hidden && session.kind() == SessionKind::Client
    }
}

/// Returns from which of the channels that match a message on clients get it.
fn exact(channels: &[Arc<Channel>]) -> usize {
    channels.iter().rposition(|own| own.settings().reach() == Reach::Exact).unwrap_or(0)
}

#[cfg(test)]
mod tests;
