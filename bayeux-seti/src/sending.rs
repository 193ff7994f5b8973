//! Messages to users, wherever they are.

use std::{cell::LazyCell, collections::BTreeSet, sync::Arc, time::Duration};

use bayeux_api::{ChannelId, Frozen, Json, Message};
use bayeux_oort::Comet;
use futures_util::{FutureExt as _, StreamExt as _, future::join_all, stream::FuturesUnordered};

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

/// Where a message was sent to so far.
#[derive(Default)]
struct Reached {
    sessions: usize,
    nodes: BTreeSet<Comet>,
    /// The users that it did not reach, by their place among all.
    nowhere: BTreeSet<usize>,
}

impl Reached {
    fn note(&mut self, index: usize, (sessions, nodes): (usize, Vec<Comet>)) {
        self.sessions += sessions;
        if sessions == 0 && nodes.is_empty() {
            self.nowhere.insert(index);
        }
        self.nodes.extend(nodes);
    }
}

/// To so many users it is sent before others run.
const AT_A_TIME: usize = 64;

/// For so many it may have to wait before it goes on to others.
const MOST_WAIT: usize = 10_000;

impl Inner {
    pub(crate) async fn send_message(
        &self,
        users: Vec<String>,
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
        let Reached { sessions, nodes, nowhere } = self.send_to_users(&users, &mail).await;
        let users = users.into_iter().enumerate();
        let nowhere = users.filter(|(index, _)| nowhere.contains(index)).map(|(_, user)| user);
        Ok(Sent { sessions, nodes: nodes.len(), nowhere: nowhere.collect() })
    }

    /// Sends to each user once, however often it is named: to some at a time, so that whoever sends to many holds no
    /// thread. Where it has to wait, others do not.
    async fn send_to_users(&self, users: &[String], mail: &Mail<'_>) -> Reached {
        let mut reached = Reached::default();
        let (mut named, mut sending) = (BTreeSet::new(), FuturesUnordered::new());
        let mut left = users.iter().enumerate();
        while left.len() > 0 {
            for (index, user) in left.by_ref().take(AT_A_TIME) {
                if named.insert(user) {
                    let sent = self.send_to_user(user, mail);
                    sending.push(sent.map(move |places| (index, places)));
                }
            }
            // Most are done at once.
            while let Some(Some((index, places))) = sending.next().now_or_never() {
                reached.note(index, places);
            }
            if left.len() > 0 {
                tokio::task::yield_now().await;
            }
            while sending.len() > MOST_WAIT
                && let Some((index, places)) = sending.next().await
            {
                reached.note(index, places);
            }
        }
        while let Some((index, places)) = sending.next().await {
            reached.note(index, places);
        }
        reached
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
