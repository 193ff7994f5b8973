//! Messages to users, wherever they are.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bayeux_api::{ChannelId, Frozen, Json, Message};
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
        let (mut sent, mut nodes) = (Sent::default(), BTreeSet::new());
        let mut named = BTreeSet::new();
        users.retain(|user| named.insert(user.clone()));
        for user in users {
            let Places { sessions, comets } = self.presence(|presence| presence.places(&user));
            let taken = self.deliver(&sessions, &mail.frozen).await.sessions;
            sent.sessions += taken;
            let mut is_somewhere = taken > 0;
            let json = self.to_others(&user, &mail);
            for comet in comets {
                if self.send_to(&channel_of(comet.url()), json()).await {
                    nodes.insert(comet);
                    is_somewhere = true;
                }
            }
            if sessions.is_empty() && !is_somewhere && self.config.asks_all {
                self.send_to(ALL, json()).await;
            }
            if !is_somewhere {
                sent.nowhere.push(user.clone());
            }
        }
        sent.nodes = nodes.len();
        Ok(sent)
    }

    /// Returns what makes the message as it is sent to other nodes: it is written once, when the first is to get it.
    fn to_others<'a>(&self, user: &'a str, mail: &'a Mail<'_>) -> impl Fn() -> Json {
        let (channel, seti_id) = (mail.channel.as_str(), &*self.seti_id);
        let written = OnceCell::new();
        let write = move || ToUser { user_id: user, channel, seti_id, data: mail.data }.json();
        move || written.get_or_init(&write).clone()
    }

    async fn send_to(&self, channel: &str, json: Json) -> bool {
        self.oort.broadcast(Message::with_data(channel, json)).await.is_ok()
    }

    /// Delivers to sessions of this node.
    pub(crate) async fn deliver(&self, sessions: &[Local], message: &Arc<Frozen>) -> Delivered {
        let (sender, taken) = (self.session.server_session(), AtomicUsize::new(0));
        let deliveries = sessions.iter().map(|Local(session)| async {
            if session.deliver_frozen(sender.as_ref(), message).await {
                taken.fetch_add(1, Ordering::Relaxed);
            }
        });
        let is_in_time = tokio::time::timeout(PATIENCE, join_all(deliveries)).await.is_ok();
        if !is_in_time {
            tracing::warn!("a message does not reach a session of its user: who looks at it hangs");
        }
        Delivered { sessions: taken.into_inner(), is_in_time }
    }
}

/// What became of a message at the sessions of a user.
pub(crate) struct Delivered {
    /// How many took it.
    pub(crate) sessions: usize,
    /// Whether none had to be given up.
    pub(crate) is_in_time: bool,
}

/// How long what an application added to a session may look at a message, before it is not delivered.
const PATIENCE: Duration = Duration::from_secs(5);
