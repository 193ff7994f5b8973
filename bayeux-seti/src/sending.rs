//! Messages to users, wherever they are.

use std::{cell::LazyCell, collections::BTreeSet, sync::Arc, time::Duration};

use bayeux_api::{ChannelId, Frozen, Json, Message};
use bayeux_oort::Comet;
use futures_util::future::join_all;

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
        let (reached, taken) = tokio::join!(others, self.deliver(&sessions, &mail.frozen));
        (taken, reached)
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

    /// Delivers to sessions of this node, and returns how many took it.
    async fn deliver(&self, sessions: &[Local], message: &Arc<Frozen>) -> usize {
        let sender = self.session.server_session();
        let sender = sender.as_ref();
        let deliveries = sessions.iter().map(|session| async move {
            let delivery = session.0.deliver_frozen(sender, message);
            let taken = tokio::time::timeout(PATIENCE, delivery).await;
            if taken.is_err() {
                tracing::warn!(
                    ?session,
                    "a message does not reach its user: who looks at it hangs"
                );
            }
            taken == Ok(true)
        });
        join_all(deliveries).await.into_iter().filter(|taken| *taken).count()
    }
}

/// How long what an application added to a session may look at a message, before it is not delivered.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
