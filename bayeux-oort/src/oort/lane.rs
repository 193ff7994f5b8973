//! The way of what a node's applications broadcast to the subscribers here, where a listener of the application may
//! wait for an answer of the very node that it hears: what waits is taken aside, and what comes after it, too.
//!
//! Nothing of it keeps the `Oort`. When that goes, or the node has been gone for a while, what has not begun is dropped;
//! what has goes on for as long as its listener likes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bayeux_api::{ChannelId, Message, implement::lock, server::LocalSession};
use bayeux_server::Server;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Comet, counter::Counter, oort::Inner, weight::share};

/// One for each node of whose broadcasts one waits.
pub(super) type Lanes = HashMap<String, Lane>;

/// A queue, which a task publishes here, one message after the other, until nothing waits, or nobody has it.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    waiting: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    /// Nothing went on for as long as one has patience.
    is_stuck: Arc<AtomicBool>,
    _ends: Arc<DropGuard>,
}

type Waiting = (Publishing, OwnedSemaphorePermit);

/// It need not have begun.
type Publishing = BoxFuture<'static, ()>;

/// How much may wait, in units of 1 KiB.
const ROOM: u32 = 16 * 1024;

/// How long a message waits for room, and with it all that comes after it from that node, objects included. The
/// next ones wait no more until something goes on: a listener that never returns costs that once. Also how long what
/// waits of a node outlives it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message that waits for room.
pub(super) struct Late {
    publishing: Publishing,
    lane: Lane,
    units: u32,
    from: Comet,
    dropped: Arc<Counter>,
}

impl Inner {
    /// Has a message of a node published here after those that came before, or returns what has to wait for that.
    pub(super) fn publish_soon(
        self: &Arc<Self>,
        from: &Comet,
        to: ChannelId,
        what: Message,
    ) -> Option<Late> {
        let units = share(&what, ROOM);
        let mut publishing =
            publish_here(self.server.clone(), self.session.clone(), to, what).boxed();
        let lane = lock(&self.lanes).get(from.id()).cloned();
        // Most are done at once.
        if lane.is_none() && publishing.as_mut().now_or_never().is_some() {
            return None;
        }
        let lane = lane.unwrap_or_else(|| self.lane(from));
        let (from, dropped) = (from.clone(), self.broadcasts_dropped.clone());
        Some(Late { publishing, lane, units, from, dropped })
    }

    fn lane(self: &Arc<Self>, from: &Comet) -> Lane {
        let (lane, publisher) = Lane::new();
        lock(&self.lanes).insert(from.id().to_owned(), lane.clone());
        // What came together goes on to the subscribers together.
        let (oort, id) = (Arc::downgrade(self), from.id().to_owned());
        let is_over = move |publisher: &Publisher| publisher.is_over(&oort, &id);
        tokio::spawn(self.server.together(publisher.run(is_over)));
        lane
    }

    /// What waits of a node that has left is dropped after a while.
    pub(super) fn lane_ends(&self, from: &Comet) {
        if let Some(lane) = lock(&self.lanes).remove(from.id()) {
            tokio::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                drop(lane);
            });
        }
    }
}

/// Publishes what an application broadcast on another node to the subscribers of this one, and to no further node.
async fn publish_here(
    server: Server,
    session: Arc<dyn LocalSession>,
    channel: ChannelId,
    message: Message,
) {
    let Some(session) = session.server_session() else { return };
    let Ok(channel) = server.create_channel_if_absent(channel.as_str()) else { return };
    if let Err(error) = channel.publish_together(&*session, message).await {
        tracing::debug!(channel = channel.id().as_str(), %error, "a node's message goes nowhere");
    }
}

impl Late {
    /// Waits while too much does.
    pub(super) async fn join(self) {
        let Self { publishing, lane, units, from, dropped } = self;
        match lane.room_for(units).await {
            Some(room) => drop(lane.waiting.send((publishing, room))),
            None => {
                if let Some(count) = dropped.tally() {
                    tracing::warn!(
                        ?from,
                        count,
                        "a broadcast is dropped: a listener holds up those before it"
                    );
                }
            }
        }
    }
}

impl Lane {
    fn new() -> (Self, Publisher) {
        let (sender, waiting) = mpsc::unbounded_channel();
        let (is_stuck, ended) = (Arc::<AtomicBool>::default(), CancellationToken::new());
        let lane = Self {
            waiting: sender,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            is_stuck: is_stuck.clone(),
            _ends: Arc::new(ended.clone().drop_guard()),
        };
        (lane, Publisher { waiting, is_stuck, ended })
    }

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

/// What publishes what waits in a lane.
struct Publisher {
    waiting: mpsc::UnboundedReceiver<Waiting>,
    is_stuck: Arc<AtomicBool>,
    ended: CancellationToken,
}

impl Publisher {
    async fn run(mut self, is_over: impl Fn(&Self) -> bool) {
        while let Some((mut publishing, room)) = self.waiting.recv().await {
            tokio::select! {
                () = &mut publishing => {}
                () = self.ended.cancelled() => {
                    drop(self.waiting);
                    return publishing.await;
                }
            }
            self.is_stuck.store(false, Relaxed);
            drop(room);
            if is_over(&self) {
                return;
            }
        }
    }

    /// Ends the lane of a node if nothing waits in it.
    fn is_over(&self, oort: &Weak<Inner>, id: &str) -> bool {
        let Some(oort) = oort.upgrade() else { return false };
        let mut lanes = lock(&oort.lanes);
        // The node may have another by now, since it left and came again.
        let is_own = |lane: &Lane| Arc::ptr_eq(&lane.is_stuck, &self.is_stuck);
        // Nobody has it but the register, so that nobody is about to use it.
        let is_over = self.waiting.is_empty() && self.waiting.sender_strong_count() == 1;
        is_over && lanes.get(id).is_some_and(is_own) && lanes.remove(id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;

    use super::*;

    /// Has a lane full of one message, which goes on when it is told to.
    async fn full(lane: &Lane) -> oneshot::Sender<()> {
        let (go, goes) = oneshot::channel();
        let room = lane.room_for(ROOM).await.unwrap();
        lane.waiting.send((goes.map(drop).boxed(), room)).unwrap();
        go
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_in_vain_costs_that_once_until_something_goes_on() {
        let (lane, publisher) = Lane::new();
        tokio::spawn(publisher.run(|_| false));
        let go = full(&lane).await;
        let start = tokio::time::Instant::now();
        assert!(lane.room_for(1).await.is_none());
        assert_eq!(start.elapsed(), PATIENCE);
        assert!(lane.room_for(1).await.is_none());
        assert_eq!(start.elapsed(), PATIENCE);
        go.send(()).unwrap();
        // It goes on.
        while lane.is_stuck.load(Relaxed) {
            tokio::task::yield_now().await;
        }
        let go = full(&lane).await;
        let (room, sent) = tokio::join!(lane.room_for(1), async {
            tokio::time::sleep(PATIENCE / 2).await;
            go.send(())
        });
        assert!(room.is_some() && sent.is_ok(), "one waits again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_not_begun_is_dropped_when_nobody_has_the_lane() {
        let (lane, publisher) = Lane::new();
        let done = tokio::spawn(publisher.run(|_| false));
        let (go, goes) = oneshot::channel::<()>();
        let (alive, dies) = oneshot::channel::<()>();
        let never = async move {
            let _alive = alive;
            pending().await
        };
        for publishing in [goes.map(drop).boxed(), never.boxed()] {
            let room = lane.room_for(1).await.unwrap();
            lane.waiting.send((publishing, room)).unwrap();
        }
        tokio::task::yield_now().await;
        drop(lane);
        assert!(dies.await.is_err(), "the second is dropped");
        // The first goes on.
        assert!(!done.is_finished());
        go.send(()).unwrap();
        done.await.unwrap();
    }
}
