//! The chat of CometD's demo: rooms, their members, and private messages between them.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bayeux_server::{
    Request, Server, Service,
    api::{
        ChannelId, Message,
        server::{
            Removal, ServerChannel, ServerMessage, ServerSession, SessionListener,
            SubscriptionListener,
        },
    },
};
use serde::Deserialize;
use serde_json::json;

/// Starts the chat; it ends when what is returned is dropped.
pub(crate) async fn start(server: &Server) -> Result<Service, Box<dyn Error>> {
    let chat = Arc::new(Chat { server: server.clone(), rooms: Mutex::default() });
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
    service.on_message("/service/privatechat", move |request| {
        let chat = chat.clone();
        async move {
            chat.tell(request).await;
            None
        }
    })?;
    Ok(service)
}

#[derive(Debug)]
struct Chat {
    server: Server,
    rooms: Mutex<Rooms>,
}

/// The members of each room: the user of each session.
#[derive(Debug, Default)]
struct Rooms(BTreeMap<String, BTreeMap<String, String>>);

#[derive(Deserialize)]
struct Join {
    user: String,
    room: String,
}

#[derive(Deserialize)]
struct Private {
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
        let user = join.user.chars().take(MAX_USER).collect();
        let session = request.sender.id();
        self.rooms().add(&room, session, user);
        if self.server.session(session).is_none() {
            // It ended meanwhile, and nobody tells of that again.
            self.rooms().remove(&room, session);
        }
        self.publish_members(&room).await;
    }

    async fn tell(&self, request: Request) {
        let Some(Ok(private)) = request.message.data.map(|data| data.to::<Private>()) else {
            return;
        };
        let Some(room) = room_of(&private.room) else { return };
        let peers: Vec<_> = private.peer.split(',').map(str::trim).collect();
        let mut receivers = self.rooms().sessions_of(&room, &peers);
        receivers.retain(|id| id != request.sender.id());
        receivers.push(request.sender.id().to_owned());
        let data = json!({ "chat": private.chat, "user": private.user, "scope": "private" });
        let mut message = Message::with_data(private.room, data);
        message.id = request.message.id;
        message.lazy = message_is_lazy(&private.chat);
        for id in receivers {
            if let Some(session) = self.server.session(&id) {
                session.deliver_from(&*request.sender, message.clone()).await;
            }
        }
    }

    async fn leave(&self, room: &str, session: &str) {
        if self.rooms().remove(room, session) {
            self.publish_members(room).await;
        }
    }

    async fn publish_members(&self, room: &str) {
        let members = self.rooms().members(room);
        let Some(channel) = self.server.channel(&format!("/members/{room}")) else { return };
        // A wild channel is no room, and a deleted list is replaced by the next.
        let _ = channel.publish(json!(members)).await;
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut users: Vec<_> =
            self.0.get(room).into_iter().flat_map(BTreeMap::values).cloned().collect();
        users.sort();
        users.dedup();
        users
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
