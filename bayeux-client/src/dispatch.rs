//! Calls the application's listeners, one message after the other, in a task of their own: a listener
//! may wait for a reply that the driver has yet to read.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bayeux_api::{
    ChannelId, Message,
    implement::{Hook, lock},
};
use tokio::sync::mpsc;

use crate::{
    State, channel::Channel, client::Owner, driver::incoming, members::Members, shared::Shared,
    weight::weight,
};

/// What the listeners are to be told.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message arrived.
    Message(Message),
    /// A request failed, which the extensions have not seen yet.
    Failed(Message),
    /// The state changed.
    State(State),
    /// Nobody is subscribed to the channel any more.
    Unsubscribed(String),
}

/// What waits for the listeners of one session, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Backlog(AtomicUsize);

impl Backlog {
    /// Whether more may wait. While it may not, nothing is read.
    pub(crate) fn has_room(&self) -> bool {
        self.0.load(Relaxed) <= BACKLOG
    }

    pub(crate) fn add(&self, events: &[Event]) {
        self.0.fetch_add(events.iter().map(Event::size).sum(), Relaxed);
    }

    /// Returns whether there is room again.
    fn remove(&self, size: usize) -> bool {
        let before = self.0.fetch_sub(size, Relaxed);
        before > BACKLOG && before - size <= BACKLOG
    }
}

/// How much may wait for the listeners, in bytes.
const BACKLOG: usize = 4 * 1024 * 1024;

impl Event {
    /// Returns about how much memory this takes.
    pub(crate) fn size(&self) -> usize {
        let held = match self {
            Self::Message(message) | Self::Failed(message) => weight(message),
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
    backlog: Arc<Backlog>,
    mut events: mpsc::UnboundedReceiver<Vec<Event>>,
) {
    let telling = Telling(Some(shared.clone()));
    let _turn = shared.telling.lock().await;
    while let Some(events) = events.recv().await {
        for event in events {
            let size = event.size();
            match event {
                Event::Message(message) => tell(&shared, &owner, &message).await,
                Event::Failed(message) => {
                    let seen = incoming(shared.extensions.members(), vec![message]).await;
                    for message in seen.kept {
                        tell(&shared, &owner, &message).await;
                    }
                }
                Event::State(state) => drop(shared.settled.send_replace(state)),
                Event::Unsubscribed(channel) => shared.forget_subscribers(&channel),
            }
            if backlog.remove(size) {
                shared.wake.notify_one();
            }
        }
    }
    telling.end();
}

/// Whoever tells the listeners. If it goes before it has told everything, with its runtime, the streams
/// end all the same.
struct Telling(Option<Arc<Shared>>);

impl Telling {
    fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            shared.settle();
        }
    }
}

/// Tells the listeners of the channel, and of those that match it; of published messages also the
/// subscribers.
async fn tell(shared: &Arc<Shared>, owner: &Weak<Owner>, message: &Message) {
    let (is_empty, has_wilds) = {
        let channels = lock(&shared.channels);
        (channels.is_empty(), channels.has_wilds())
    };
    if is_empty {
        return;
    }
    let Ok(id) = ChannelId::new(message.channel()) else { return };
    let is_published = !id.is_meta() && message.data.is_some();
    if let Some(members) = shared.members(id.as_str()) {
        call(owner, members, message, is_published).await;
    }
    let mut wilds = id.wilds();
    while has_wilds && let Some(name) = wilds.next_id() {
        if let Some(members) = shared.members(name) {
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
