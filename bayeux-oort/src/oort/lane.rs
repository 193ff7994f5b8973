//! The way of what a node's applications broadcast to the subscribers here, where a listener of the application may
//! wait for an answer of the very node that it hears: what waits is taken aside, and what comes after it, too.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
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
    /// Nothing went on for as long as one has patience.
    is_stuck: Arc<AtomicBool>,
}

/// It need not have begun.
type Publishing = BoxFuture<'static, ()>;

/// How much may wait, in units of 1 KiB.
const ROOM: u32 = 16 * 1024;

/// How long a message waits for room, and with it all that comes after it from that node, objects included. The
/// next ones wait no more until something goes on: a listener that never returns costs that once.
const PATIENCE: Duration = Duration::from_secs(10);

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
        match lane.room_for(units).await {
            Some(room) => drop(lane.waiting.send((publishing, room))),
            None => self.broadcasts_dropped.add(from.url(), "a listener holds up its broadcasts"),
        }
    }

    fn lane(self: &Arc<Self>, from: &Comet) -> Lane {
        let (waiting, messages) = mpsc::unbounded_channel();
        let lane = Lane {
            waiting,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            is_stuck: Arc::default(),
        };
        lock(&self.lanes).insert(from.id().to_owned(), lane.clone());
        // What came together goes on to the subscribers together.
        let publishing =
            publish(Arc::downgrade(self), from.clone(), messages, lane.is_stuck.clone());
        tokio::spawn(self.server.together(publishing));
        lane
    }
}

impl Lane {
    /// Waits for room, unless that has been in vain.
    async fn room_for(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = self.room.clone().try_acquire_many_owned(units) {
            return Some(room);
        }
        if self.is_stuck.load(Relaxed) {
            return None;
        }
        let room = self.room.clone().acquire_many_owned(units);
        let room = tokio::time::timeout(PATIENCE, room).await.ok().and_then(Result::ok);
        if room.is_none() {
            self.is_stuck.store(true, Relaxed);
        }
        room
    }
}

async fn publish(
    oort: Weak<Inner>,
    from: Comet,
    mut waiting: mpsc::UnboundedReceiver<(Publishing, OwnedSemaphorePermit)>,
    is_stuck: Arc<AtomicBool>,
) {
    while let Some((publishing, room)) = waiting.recv().await {
        publishing.await;
        is_stuck.store(false, Relaxed);
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
