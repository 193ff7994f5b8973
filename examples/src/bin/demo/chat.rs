//! The chat of CometD's demo: rooms, their members, and private messages between them.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use async_trait::async_trait;
use bayeux_oort::Oort;
use bayeux_server::{
    Request, Server, Service,
    api::{
        ChannelId, Json, Message,
        server::{
            Removal, ServerChannel, ServerMessage, ServerSession, SessionListener,
            SubscriptionListener,
        },
    },
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::elsewhere::Elsewhere;

/// Starts the chat, for all nodes of a cluster if this is one; it ends when what is returned is dropped.
pub(crate) async fn start(server: &Server, oort: Option<&Oort>) -> Result<Service, Box<dyn Error>> {
    let chat = Arc::new(Chat {
        server: server.clone(),
        rooms: Mutex::default(),
        elsewhere: OnceLock::new(),
    });
    if let Some(oort) = oort {
        let elsewhere = Elsewhere::start(oort, Arc::downgrade(&chat)).await?;
        chat.elsewhere.get_or_init(|| elsewhere);
    }
    server.add_subscription_listener(chat.clone()).keep();
    server.add_session_listener(chat.clone()).keep();
    let mut service = server.new_service("chat").await?;
    let joined = chat.clone();
    service.on_message("/service/members", move |request| {
        let chat = joined.clone();
        async move {
            chat.join(request).await;
            None
        }
    })?;
    // A call, so that who tells something hears whom it has reached; CometD's clients, which only publish, pass over
    // the answer.
    service.remote_call("privatechat", move |request| {
        let chat = chat.clone();
        async move { chat.tell(request).await }
    })?;
    Ok(service)
}

#[derive(Debug)]
pub(crate) struct Chat {
    server: Server,
    rooms: Mutex<Rooms>,
    /// The same chat on other nodes.
    elsewhere: OnceLock<Elsewhere>,
}

/// The members of each room: the user of each session.
#[derive(Debug, Default)]
struct Rooms(BTreeMap<String, BTreeMap<String, String>>);

#[derive(Deserialize)]
struct Join {
    user: String,
    room: String,
}

/// A message for some members of a room alone.
#[derive(Deserialize, Serialize)]
pub(crate) struct Private {
    user: String,
    room: String,
    chat: String,
    peer: String,
}

/// The longest name of a user, in characters.
const MAX_USER: usize = 64;

impl Chat {
    async fn join(&self, request: Request) {
        let Some(Ok(join)) = request.message.data.map(|data| data.to::<Join>()) else { return };
        let Some(room) = room_of(&join.room) else { return };
        let user: String = join.user.chars().take(MAX_USER).collect();
        let session = request.sender.id();
        self.rooms().add(&room, session, user.clone());
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere.add(&room, session, user).await;
        }
        if self.server.session(session).is_none() {
            // It ended meanwhile, and nobody tells of that again.
            self.leave(&room, session).await;
        }
        self.publish_members(&room).await;
    }

    /// Delivers a private message, and says which of its readers are in the room, and which are not.
    async fn tell(&self, request: Request) -> Result<Json, Json> {
        let Some(Ok(private)) = request.message.data.map(|data| data.to::<Private>()) else {
            return Err(json!("that is no private message").into());
        };
        self.tell_here(&private, Some((&*request.sender, request.message.id))).await;
        if let (Some(elsewhere), Some(room)) = (self.elsewhere.get(), room_of(&private.room)) {
            elsewhere.tell(&private, &room, &private.peers());
        }
        let members = room_of(&private.room).map(|room| self.members(&room)).unwrap_or_default();
        let is_there = |peer: &&str| members.iter().any(|member| member == peer);
        let (reached, missing): (Vec<_>, Vec<_>) = private.peers().into_iter().partition(is_there);
        Ok(json!({ "reached": reached, "missing": missing }).into())
    }

    /// Delivers a private message to the members on this node, and to its sender if that is one, too; the
    /// message has the id of the sender's.
    pub(crate) async fn tell_here(
        &self,
        private: &Private,
        sender: Option<(&dyn ServerSession, Option<String>)>,
    ) {
        let Some(room) = room_of(&private.room) else { return };
        let mut receivers = self.rooms().sessions_of(&room, &private.peers());
        let data = json!({ "chat": private.chat, "user": private.user, "scope": "private" });
        let mut message = Message::with_data(private.room.clone(), data);
        message.lazy = message_is_lazy(&private.chat);
        if let Some((sender, id)) = &sender {
            receivers.retain(|id| id != sender.id());
            receivers.push(sender.id().to_owned());
            message.id.clone_from(id);
        }
        for id in receivers {
            let Some(session) = self.server.session(&id) else { continue };
            match sender {
                Some((sender, _)) => session.deliver_from(sender, message.clone()).await,
                None => session.deliver(message.clone()).await,
            };
        }
    }

    async fn leave(&self, room: &str, session: &str) {
        if !self.rooms().remove(room, session) {
            return;
        }
        if let Some(elsewhere) = self.elsewhere.get() {
            elsewhere.remove(room, session).await;
        }
        self.publish_members(room).await;
    }

    /// Tells the subscribers on this node who is in a room, on whichever node.
    pub(crate) async fn publish_members(&self, room: &str) {
        let mut members = self.members(room);
        members.sort();
        members.dedup();
        let Some(channel) = self.server.channel(&format!("/members/{room}")) else { return };
        // A wild channel is no room, and a deleted list is replaced by the next.
        let _ = channel.publish(json!(members)).await;
    }

    /// Returns who is in a room, on whichever node.
    fn members(&self, room: &str) -> Vec<String> {
        let mut members = self.rooms().members(room);
        members.extend(self.elsewhere.get().into_iter().flat_map(|there| there.members(room)));
        members
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Private {
    fn peers(&self) -> Vec<&str> {
        self.peer.split(',').map(str::trim).collect()
    }
}

/// CometD's demo delivers private messages with "lazy" in them lazily.
fn message_is_lazy(chat: &str) -> bool {
    chat.find("lazy").is_some_and(|at| at > 0)
}

fn room_of(channel: &str) -> Option<String> {
    let id = ChannelId::new(channel).ok()?;
    let room = id.as_str().strip_prefix("/chat/")?;
    (!id.is_wild()).then(|| room.to_owned())
}

impl Rooms {
    fn add(&mut self, room: &str, session: &str, user: String) {
        self.0.entry(room.to_owned()).or_default().insert(session.to_owned(), user);
    }

    fn remove(&mut self, room: &str, session: &str) -> bool {
        let Some(members) = self.0.get_mut(room) else { return false };
        let was_there = members.remove(session).is_some();
        if members.is_empty() {
            self.0.remove(room);
        }
        was_there
    }

    fn rooms_of(&self, session: &str) -> Vec<String> {
        let has = |members: &BTreeMap<_, _>| members.contains_key(session);
        self.0.iter().filter(|(_, members)| has(members)).map(|(room, _)| room.clone()).collect()
    }

    fn members(&self, room: &str) -> Vec<String> {
        self.0.get(room).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    fn sessions_of(&self, room: &str, users: &[&str]) -> Vec<String> {
        let members = self.0.get(room).into_iter().flatten();
        members
            .filter(|(_, user)| users.contains(&user.as_str()))
            .map(|(session, _)| session.clone())
            .collect()
    }
}

#[async_trait]
impl SubscriptionListener for Chat {
    async fn unsubscribed(
        &self,
        session: &Arc<dyn ServerSession>,
        channel: &Arc<dyn ServerChannel>,
        _message: Option<&ServerMessage>,
    ) {
        if let Some(room) = room_of(channel.id().as_str()) {
            self.leave(&room, session.id()).await;
        }
    }
}

#[async_trait]
impl SessionListener for Chat {
    async fn session_removed(&self, session: &Arc<dyn ServerSession>, _removal: Removal) {
        let rooms = self.rooms().rooms_of(session.id());
        for room in rooms {
            self.leave(&room, session.id()).await;
        }
    }
}
