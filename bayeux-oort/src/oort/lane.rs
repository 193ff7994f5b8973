//! The way of what a node's applications broadcast to the subscribers here, where a listener of the application may
//! wait for an answer of the very node that it hears: what waits is taken aside, and what comes after it, too.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use bayeux_api::{ChannelId, Message, implement::lock};
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{Comet, oort::Inner, weight::share};

/// One for each node of whose broadcasts one waits.
pub(super) type Lanes = HashMap<String, Lane>;

/// A queue, which a task publishes here, one message after the other, until nothing waits.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    waiting: mpsc::UnboundedSender<(Publishing, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// It need not have begun.
type Publishing = BoxFuture<'static, ()>;

/// How much may wait, in units of 1 KiB.
const ROOM: u32 = 16 * 1024;

/// How long a message waits for room.
const PATIENCE: Duration = Duration::from_secs(30);

impl Inner {
    /// Has a message of a node published here after those that came before; waits while too many do.
    pub(super) async fn publish_soon(self: &Arc<Self>, from: &Comet, to: ChannelId, what: Message) {
        let (units, oort, name) = (share(&what, ROOM), self.clone(), to.clone());
        let mut publishing = async move { oort.publish_here(&name, what).await }.boxed();
        let lane = lock(&self.lanes).get(from.id()).cloned();
        // Most are done at once.
        if lane.is_none() && publishing.as_mut().now_or_never().is_some() {
            return;
        }
        let lane = lane.unwrap_or_else(|| self.lane(from));
        let room = lane.room.clone().acquire_many_owned(units);
        match tokio::time::timeout(PATIENCE, room).await {
            Ok(Ok(room)) => drop(lane.waiting.send((publishing, room))),
            _ => {
                tracing::warn!(?from, channel = to.as_str(), "a message is dropped: too many wait")
            }
        }
    }

    fn lane(self: &Arc<Self>, from: &Comet) -> Lane {
        let (waiting, messages) = mpsc::unbounded_channel();
        let lane = Lane { waiting, room: Arc::new(Semaphore::new(ROOM as usize)) };
        lock(&self.lanes).insert(from.id().to_owned(), lane.clone());
        // What came together goes on to the subscribers together.
        let publishing = publish(Arc::downgrade(self), from.clone(), messages);
        tokio::spawn(self.server.together(publishing));
        lane
    }
}

async fn publish(
    oort: Weak<Inner>,
    from: Comet,
    mut waiting: mpsc::UnboundedReceiver<(Publishing, OwnedSemaphorePermit)>,
) {
    while let Some((publishing, room)) = waiting.recv().await {
        publishing.await;
        drop(room);
        let Some(oort) = oort.upgrade() else { return };
        let mut lanes = lock(&oort.lanes);
        // Nobody has it but the register, so that nobody is about to use it.
        if waiting.is_empty() && waiting.sender_strong_count() == 1 {
            lanes.remove(from.id());
            return;
        }
    }
}
