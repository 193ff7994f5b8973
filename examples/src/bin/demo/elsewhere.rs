//! The chat on the other nodes of a cluster: who is in its rooms there, and private messages to them.

use std::{
    error::Error,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use bayeux_oort::{
    Comet, Info, Oort, OortStringMap, Participant,
    object::{Entries, Entry, EntryDeltas, EntryListener},
};
use bayeux_server::api::{ChannelId, Message, Registration};
use serde_json::json;

use crate::chat::{Chat, Private};

/// What all nodes share of their chats.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    oort: Oort,
    /// The users by their sessions and rooms; of each node a part.
    members: OortStringMap<String>,
    listeners: Vec<Registration>,
}

/// A service channel: what is published there by a node goes to this one alone.
const PRIVATE: &str = "/service/oort/chat/private";

impl Elsewhere {
    /// Shares the members of this node; `chat` hears of those of others.
    pub(crate) async fn start(oort: &Oort, chat: Weak<Chat>) -> Result<Self, Box<dyn Error>> {
        let members = OortStringMap::start(oort, "chat-members").await?;
        let heard = Arc::new(Heard(chat));
        let listeners = vec![
            members.add_entry_listener(heard.clone()),
            members.add_listener(Arc::new(EntryDeltas::new(heard.clone()))),
            oort.add_participant(&[ChannelId::new(PRIVATE)?], heard)?,
        ];
        Ok(Self { oort: oort.clone(), members, listeners })
    }

    /// Tells the other nodes that a session of this one is in a room.
    pub(crate) async fn add(&self, room: &str, session: &str, user: String) {
        if let Err(error) = self.members.put_and_share(key(session, room), user).await {
            tracing::debug!(%error, "a member is not shared");
        }
    }

    /// Tells them that it is not any more.
    pub(crate) async fn remove(&self, room: &str, session: &str) {
        if let Err(error) = self.members.remove_and_share(key(session, room)).await {
            tracing::debug!(%error, "that a member has gone is not shared");
        }
    }

    /// Returns the users in a room on other nodes.
    pub(crate) fn members(&self, room: &str) -> Vec<String> {
        let others = self.others();
        others.iter().flat_map(|info| users(info, room)).cloned().collect()
    }

    /// Has the nodes on which one of `peers` is in the room deliver a private message.
    pub(crate) fn tell(&self, private: &Private, room: &str, peers: &[&str]) {
        for info in self.others() {
            let is_there = users(&info, room).any(|user| peers.contains(&user.as_str()));
            if is_there {
                let message = Message::with_data(PRIVATE, json!(private));
                // Handed over by the call itself.
                drop(self.oort.send(info.comet(), message));
            }
        }
    }

    fn others(&self) -> Vec<Info<Entries<String, String>>> {
        self.members.infos().into_iter().filter(|info| !info.is_local()).collect()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.listeners.clear();
    }
}

fn users<'a>(
    info: &'a Info<Entries<String, String>>,
    room: &'a str,
) -> impl Iterator<Item = &'a String> {
    info.object().iter().filter(move |(key, _)| room_of(key) == Some(room)).map(|(_, user)| user)
}

/// The id of a session has no space in it.
fn key(session: &str, room: &str) -> String {
    format!("{session} {room}")
}

fn room_of(key: &str) -> Option<&str> {
    key.split_once(' ').map(|(_, room)| room)
}

/// Tells the chat what other nodes share.
#[derive(Debug)]
struct Heard(Weak<Chat>);

impl Heard {
    async fn changed(&self, info: &Info<Entries<String, String>>, key: &str) {
        let (false, Some(room), Some(chat)) = (info.is_local(), room_of(key), self.0.upgrade())
        else {
            return;
        };
        chat.publish_members(room).await;
    }
}

#[async_trait]
impl EntryListener<String, String> for Heard {
    async fn put(&self, info: &Info<Entries<String, String>>, entry: &Entry<String, String>) {
        self.changed(info, &entry.key).await;
    }

    async fn removed(&self, info: &Info<Entries<String, String>>, entry: &Entry<String, String>) {
        self.changed(info, &entry.key).await;
    }
}

#[async_trait]
impl Participant for Heard {
    async fn received(&self, _from: &Comet, message: Message) {
        let private = message.data.and_then(|data| data.to::<Private>().ok());
        if let (Some(private), Some(chat)) = (private, self.0.upgrade()) {
            chat.tell_here(&private, None).await;
        }
    }
}
