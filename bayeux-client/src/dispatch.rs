//! Calls the application's listeners, one message after the other, in a task of their own: a listener
//! may wait for a reply that the driver has yet to read.

use std::sync::{Arc, Weak, atomic::Ordering::Relaxed};

use bayeux_api::{
    ChannelId, Message,
    implement::{Hook, lock},
};
use tokio::sync::mpsc;

use crate::{
    State,
    channel::Channel,
    client::Owner,
    shared::{Members, Shared},
    weight::weight,
};

/// What the listeners are to be told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are messages")]
pub(crate) enum Event {
    /// A message arrived, or a request failed.
    Message(Message),
    /// The state changed.
    State(State),
    /// Nobody is subscribed to the channel any more.
    Unsubscribed(String),
}

/// How much may wait for the listeners, in bytes. While more does, nothing is read.
pub(crate) const BACKLOG: usize = 4 * 1024 * 1024;

impl Event {
    /// Returns about how much memory this takes.
    pub(crate) fn size(&self) -> usize {
        let held = match self {
            Self::Message(message) => weight(message),
            Self::Unsubscribed(channel) => channel.len(),
            Self::State(_) => 0,
        };
        size_of::<Self>() + held
    }
}

/// Tells the listeners until the driver has ended.
pub(crate) async fn dispatch(
    shared: Arc<Shared>,
    owner: Weak<Owner>,
    mut events: mpsc::UnboundedReceiver<Vec<Event>>,
) {
    let _turn = shared.telling.lock().await;
    while let Some(events) = events.recv().await {
        for event in events {
            let size = event.size();
            match event {
                Event::Message(message) => tell(&shared, &owner, &message).await,
                Event::State(state) => drop(shared.settled.send_replace(state)),
                Event::Unsubscribed(channel) => shared.forget_subscribers(&channel),
            }
            let before = shared.backlog.fetch_sub(size, Relaxed);
            if before > BACKLOG && before - size <= BACKLOG {
                shared.wake.notify_one();
            }
        }
    }
}

/// Tells the listeners of the channel, and of those that match it; of published messages also the
/// subscribers.
async fn tell(shared: &Arc<Shared>, owner: &Weak<Owner>, message: &Message) {
    if lock(&shared.channels).is_empty() {
        return;
    }
    let Ok(id) = ChannelId::new(message.channel()) else { return };
    let is_published = !id.is_meta() && message.data.is_some();
    if let Some(members) = shared.members(id.as_str()) {
        call(owner, members, message, is_published).await;
    }
    for name in id.wild_ids() {
        if let Some(members) = shared.members(&name) {
            call(owner, members, message, is_published).await;
        }
    }
}

async fn call(owner: &Weak<Owner>, members: Arc<Members>, message: &Message, is_published: bool) {
    if members.listeners.is_empty() && members.subscribers.is_empty() {
        return;
    }
    // Without a handle nobody is left who could see what a listener does.
    let Some(client) = owner.upgrade() else { return };
    let channel = Channel { client, members };
    let hook = Hook("MessageListener::on_message", message.channel());
    for listener in channel.members.listeners.members().iter() {
        listener.wait(hook, |it| it.on_message(&channel, message)).await;
    }
    if is_published {
        for subscriber in channel.members.subscribers.members().iter() {
            subscriber.wait(hook, |it| it.listener.on_message(&channel, message)).await;
        }
    }
}
