//! Messages to users, wherever they are.

use std::{cell::LazyCell, collections::BTreeSet, sync::Arc, time::Duration};

use bayeux_api::{ChannelId, Frozen, Json, Message, server::ServerSession};
use bayeux_oort::Comet;
use futures_util::future::{FutureExt as _, join_all};

use crate::{
    SendMessageError,
    engine::Inner,
    proto::{
        id::{ALL, channel_of},
        presence::Places,
        wire::{ToUser, is_for_users},
    },
    session::Local,
    stream::BROADCAST_PATIENCE,
};

/// Where a message to users went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// How many sessions of this node took it.
    pub sessions: usize,
    /// To how many other nodes it was sent. What becomes of it there they do not say.
    pub nodes: usize,
    /// The users that are nowhere, as far as this node knows, or whom it did not reach.
    pub nowhere: Vec<String>,
}

/// When a message is written to the sessions that take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Before whoever delivers goes on, who may be an application's code.
    AtOnce,
    /// With what else came at the same time.
    Together,
}

/// A message, as it is for each of its users.
struct Mail<'a> {
    channel: ChannelId,
    data: &'a Json,
    frozen: Arc<Frozen>,
}

impl Inner {
    pub(crate) async fn send_message(
        &self,
        mut users: Vec<String>,
        channel: &str,
        data: &Json,
    ) -> Result<Sent, SendMessageError> {
        let channel = ChannelId::new(channel)?;
        if !is_for_users(&channel) {
            return Err(SendMessageError::Channel(channel.to_string()));
        }
        if self.stopped.is_cancelled() {
            return Err(SendMessageError::Stopped);
        }
        let frozen = Message::with_data(channel.as_str(), data.clone()).freeze();
        let mail = Mail { channel, data, frozen };
        if users.len() > 1 {
            let mut named = BTreeSet::new();
            users.retain(|user| named.insert(user.clone()));
        }
        let places = join_all(users.iter().map(|user| self.send_to_user(user, &mail))).await;
        let (mut sent, mut nodes) = (Sent::default(), BTreeSet::new());
        for (user, (sessions, reached)) in users.into_iter().zip(places) {
            sent.sessions += sessions;
            if sessions == 0 && reached.is_empty() {
                sent.nowhere.push(user);
            }
            nodes.extend(reached);
        }
        sent.nodes = nodes.len();
        Ok(sent)
    }

    /// Sends to all places of a user, and returns how many sessions here and which other nodes it reached. Where an
    /// application looks at what is sent, and for long, that holds up no other place, and no other user.
    async fn send_to_user(&self, user: &str, mail: &Mail<'_>) -> (usize, Vec<Comet>) {
        let Places { sessions, comets } = self.presence(|presence| presence.places(user));
        let others = self.send_to_others(user, comets, !sessions.is_empty(), mail);
        let hanging = BTreeSet::new();
        let here = self.deliver(&sessions, &mail.frozen, Writing::AtOnce, &hanging);
        let (reached, Delivered { sessions, .. }) = tokio::join!(others, here);
        (sessions, reached)
    }

    /// Sends to the other nodes that have a user, or to all if nobody has, and returns which of the former it reached.
    async fn send_to_others(
        &self,
        user: &str,
        comets: Vec<Comet>,
        is_here: bool,
        mail: &Mail<'_>,
    ) -> Vec<Comet> {
        let (channel, seti_id) = (mail.channel.as_str(), &*self.seti_id);
        // It is written once, when the first is to get it.
        let json =
            LazyCell::new(|| ToUser { user_id: user, channel, seti_id, data: mail.data }.json());
        let sending = comets.into_iter().map(|comet| {
            let sending = self.send_to(channel_of(comet.url()), Json::clone(&json));
            async { sending.await.then_some(comet) }
        });
        let reached: Vec<_> = join_all(sending).await.into_iter().flatten().collect();
        if !is_here && reached.is_empty() && self.config.asks_all {
            self.send_to(ALL.to_owned(), Json::clone(&json)).await;
        }
        reached
    }

    async fn send_to(&self, channel: String, json: Json) -> bool {
        let broadcast = self.oort.broadcast(Message::with_data(&*channel, json));
        let is_sent = tokio::time::timeout(BROADCAST_PATIENCE, broadcast).await;
        if is_sent.is_err() {
            tracing::warn!(channel, "a message goes to no node: the server does not take it");
        }
        matches!(is_sent, Ok(Ok(())))
    }

    /// Delivers to sessions of this node, and to those that hang if they take it at once.
    pub(crate) async fn deliver(
        &self,
        sessions: &[Local],
        message: &Arc<Frozen>,
        writing: Writing,
        hanging: &BTreeSet<Local>,
    ) -> Delivered {
        let sender = self.session.server_session();
        let deliveries = sessions.iter().map(|local| async {
            let delivery = self.deliver_to(local, sender.as_ref(), message, writing);
            match hanging.contains(local) {
                true => delivery.now_or_never(),
                false => tokio::time::timeout(PATIENCE, delivery).await.ok(),
            }
        });
        let all = join_all(deliveries).await;
        let given_up = sessions.iter().zip(&all).filter(|(_, taken)| taken.is_none());
        let given_up: BTreeSet<_> = given_up.map(|(local, _)| local.clone()).collect();
        for session in given_up.difference(hanging) {
            tracing::warn!(?session, "a message does not reach its user: who looks at it hangs");
        }
        Delivered {
            sessions: all.into_iter().filter(|taken| *taken == Some(true)).count(),
            given_up,
        }
    }

    async fn deliver_to(
        &self,
        Local(session): &Local,
        sender: Option<&Arc<dyn ServerSession>>,
        message: &Arc<Frozen>,
        writing: Writing,
    ) -> bool {
        match writing {
            Writing::AtOnce => session.deliver_frozen(sender, message).await,
            Writing::Together => session.deliver_frozen_together(sender, message).await,
        }
    }
}

/// What became of a message at the sessions of a user.
pub(crate) struct Delivered {
    /// How many took it.
    pub(crate) sessions: usize,
    /// Those that did not do so in time.
    pub(crate) given_up: BTreeSet<Local>,
}

/// How long what an application added to a session may look at a message, before it is not delivered.
const PATIENCE: Duration = Duration::from_secs(5);
