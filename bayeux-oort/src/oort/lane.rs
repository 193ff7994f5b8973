//! The way of what a node's applications broadcast to the subscribers here. It is apart from what is for
//! participants: a listener of the application may wait for an answer of the very node that it hears.

use std::{collections::HashMap, sync::Weak, time::Duration};

use bayeux_api::{ChannelId, Message, implement::lock};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{Comet, oort::Inner, weight::share};

/// One for each node that broadcasts.
pub(super) type Lanes = HashMap<String, Lane>;

/// A queue, which a task publishes here, one message after the other.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    waiting: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
}

type Waiting = (ChannelId, Message, OwnedSemaphorePermit);

/// How much may wait, in units of 1 KiB.
const ROOM: u32 = 16 * 1024;

/// How long a message waits for room.
const PATIENCE: Duration = Duration::from_secs(30);

/// After how long without a message a lane ends.
const IDLE: Duration = Duration::from_secs(60);

impl Inner {
    /// Has a message of a node published here after those that came before; waits while too many do.
    pub(super) async fn publish_soon(self: &Arc<Self>, from: &Comet, to: ChannelId, what: Message) {
        let lane = self.lane(from);
        let room = lane.room.clone().acquire_many_owned(share(&what, ROOM));
        let Ok(Ok(room)) = tokio::time::timeout(PATIENCE, room).await else {
            tracing::warn!(?from, channel = to.as_str(), "a message is dropped: too many wait");
            return;
        };
        let _ = lane.waiting.send((to, what, room));
    }

    fn lane(self: &Arc<Self>, from: &Comet) -> Lane {
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get(from.id()) {
            return lane.clone();
        }
        let (waiting, messages) = mpsc::unbounded_channel();
        let lane = Lane { waiting, room: Arc::new(Semaphore::new(ROOM as usize)) };
        lanes.insert(from.id().to_owned(), lane.clone());
        // What came together goes on to the subscribers together.
        let publishing = publish(Arc::downgrade(self), from.clone(), messages);
        tokio::spawn(self.server.together(publishing));
        lane
    }
}

async fn publish(oort: Weak<Inner>, from: Comet, mut messages: mpsc::UnboundedReceiver<Waiting>) {
    loop {
        match tokio::time::timeout(IDLE, messages.recv()).await {
            Ok(Some((channel, message, room))) => {
                let Some(oort) = oort.upgrade() else { return };
                oort.publish_here(&channel, message).await;
                drop(room);
            }
            Ok(None) => return,
            Err(_) => {
                let Some(oort) = oort.upgrade() else { return };
                let mut lanes = lock(&oort.lanes);
                // Nobody has it but the register, so that nobody is about to use it.
                if messages.is_empty() && messages.sender_strong_count() == 1 {
                    lanes.remove(from.id());
                    return;
                }
            }
        }
    }
}
