//! What comes from one node, by its sessions here and by this node's at it, is told one thing after the other.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};

use bayeux_api::{
    ChannelId, Message,
    implement::{Hook, Member, lock},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    CloudListener, Comet,
    mesh::{Inner, Started, with},
    weight::share,
};

/// The queue of one node. A task tells what is in it, until the last clone is gone.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    events: mpsc::UnboundedSender<Event>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
enum Event {
    Joined,
    Left,
    Observed(ChannelId),
    Received(Received),
    /// Nothing is left of the node.
    Forgotten,
}

/// A message, and the room that it takes.
type Received = (Box<Message>, OwnedSemaphorePermit);

/// How much may wait, in units of 1 KiB.
const ROOM: u32 = 16 * 1024;

/// How long a message waits for room.
const PATIENCE: Duration = Duration::from_secs(30);

impl Inbox {
    pub(super) fn new(mesh: &Arc<Inner>, comet: Comet, started: &Started) -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        // What came together goes on to the subscribers here together.
        let telling = tell(Arc::downgrade(mesh), comet, started.listener.clone(), waiting);
        tokio::spawn(started.server.together(telling));
        Self { events, room: Arc::new(Semaphore::new(ROOM as usize)) }
    }

    pub(super) fn joined(&self) {
        let _ = self.events.send(Event::Joined);
    }

    pub(super) fn left(&self) {
        let _ = self.events.send(Event::Left);
    }

    pub(super) fn observed(&self, channel: ChannelId) {
        let _ = self.events.send(Event::Observed(channel));
    }

    /// Ends it when all is told, unless the node is heard of again by then.
    pub(super) fn forgotten(&self) {
        let _ = self.events.send(Event::Forgotten);
    }

    /// Takes a message, after a while if others wait; false when it found no place in time.
    pub(super) async fn take(&self, message: Message) -> bool {
        let (room, units) = (self.room.clone(), share(&message, ROOM));
        let room = match room.clone().try_acquire_many_owned(units) {
            Ok(room) => room,
            Err(_) => match tokio::time::timeout(PATIENCE, room.acquire_many_owned(units)).await {
                Ok(Ok(room)) => room,
                Ok(Err(_)) | Err(_) => return false,
            },
        };
        self.events.send(Event::Received((Box::new(message), room))).is_ok()
    }
}

/// Tells what comes of one node. What it sends before it has joined, or after it left, waits until it joins: both
/// ends see that at different times.
async fn tell(
    mesh: Weak<Inner>,
    comet: Comet,
    listener: Arc<dyn CloudListener>,
    mut events: mpsc::UnboundedReceiver<Event>,
) {
    let listener = || Member::of(&*listener);
    let mut is_member = false;
    let mut early = Early::default();
    while let Some(event) = events.recv().await {
        match event {
            Event::Joined => {
                is_member = true;
                listener().tell(Hook("CloudListener::joined", comet.url()), |it| it.joined(&comet));
                while let Some(received) = early.next() {
                    hand_over(listener(), &comet, received).await;
                }
            }
            Event::Left => {
                is_member = false;
                listener().tell(Hook("CloudListener::left", comet.url()), |it| it.left(&comet));
            }
            Event::Observed(channel) => {
                let hook = Hook("CloudListener::observed", channel.as_str());
                listener().tell(hook, |it| it.observed(&comet, &channel));
            }
            Event::Received(received) if is_member => {
                hand_over(listener(), &comet, received).await;
            }
            Event::Received(received) => early.add(&comet, received),
            // There is one for each node: what comes of it later is told after what is told here.
            Event::Forgotten => {
                let is_over = with(&mesh, |mesh| {
                    let mut inboxes = lock(&mesh.inboxes);
                    let is_over = events.is_empty();
                    if is_over {
                        inboxes.remove(comet.id());
                    }
                    is_over
                });
                if is_over != Some(false) {
                    return;
                }
            }
        }
    }
}

async fn hand_over(listener: Member<'_, dyn CloudListener>, comet: &Comet, received: Received) {
    let (message, room) = received;
    let hook = Hook("CloudListener::received", comet.url());
    listener.wait(hook, |it| it.received(comet, *message)).await;
    drop(room);
}

/// What came of a node that has not joined. The oldest make place: what was said long ago is said again when a
/// node joins.
#[derive(Debug, Default)]
struct Early {
    waiting: VecDeque<Received>,
    units: usize,
}

impl Early {
    fn add(&mut self, comet: &Comet, received: Received) {
        self.units += received.1.num_permits();
        self.waiting.push_back(received);
        while self.units > ROOM as usize / 2 && self.waiting.len() > 1 {
            tracing::debug!(?comet, "a message of a node that has not joined is dropped");
            let _ = self.next();
        }
    }

    fn next(&mut self) -> Option<Received> {
        let next = self.waiting.pop_front()?;
        self.units -= next.1.num_permits();
        Some(next)
    }
}
