//! The way of what a node's applications broadcast to the subscribers here, where a listener of the application may
//! wait for an answer of the very node that it hears: what waits is taken aside, and what comes after it, too.
//!
//! Nothing of it keeps the `Oort`. When that goes, or nothing has gone on for a while of a node that is gone, what has
//! not begun is dropped; what has goes on for as long as its listener likes.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::{Comet, counter::Counter, oort::Inner, weight::share};

/// One for each node of whose broadcasts one waits.
pub(super) type Lanes = HashMap<String, Lane>;

/// A queue, which a task publishes here, one message after the other, until nothing waits, or nobody has it. Where a
/// node comes again it goes on, so that all stays in order.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    waiting: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    /// Nothing went on for as long as one has patience.
    is_stuck: Arc<AtomicBool>,
    /// Whether the node is gone. The last, so that nothing can come any more when this goes.
    is_gone: Arc<watch::Sender<bool>>,
}

type Waiting = (Publishing, OwnedSemaphorePermit);

/// It need not have begun.
type Publishing = BoxFuture<'static, ()>;

/// How much may wait, in units of 1 KiB.
const ROOM: u32 = 16 * 1024;

/// How long a message waits for room, and with it all that comes after it from that node, objects included. The
/// next ones wait no more until something goes on: a listener that never returns costs that once. Also for how long
/// nothing goes on until what waits of a node that is gone is dropped.
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
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.get(from.id()) {
            return lane.clone();
        }
        let (lane, publisher) = Lane::new(from, &self.broadcasts_dropped);
        lanes.insert(from.id().to_owned(), lane.clone());
        drop(lanes);
        let (oort, id) = (Arc::downgrade(self), from.id().to_owned());
        let is_over = move |publisher: &Publisher| publisher.is_over(&oort, &id);
        // What came together goes on to the subscribers together.
        tokio::spawn(self.server.together(publisher.run(is_over)));
        lane
    }

    /// Notes for what waits of a node whether that is gone.
    pub(super) fn lane_is_gone(&self, of: &Comet, is_gone: bool) {
        if let Some(lane) = lock(&self.lanes).get(of.id()) {
            lane.is_gone.send_replace(is_gone);
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

fn drops(from: &Comet, dropped: &Counter) {
    if let Some(count) = dropped.tally() {
        tracing::warn!(?from, count, "a broadcast is dropped: a listener holds up those before it");
    }
}

impl Late {
    /// Waits while too much does.
    pub(super) async fn join(self) {
        let Self { publishing, lane, units, from, dropped } = self;
        match lane.room_for(units).await {
            Some(room) => drop(lane.waiting.send((publishing, room))),
            None => drops(&from, &dropped),
        }
    }
}

impl Lane {
    fn new(from: &Comet, dropped: &Arc<Counter>) -> (Self, Publisher) {
        let (sender, waiting) = mpsc::unbounded_channel();
        let (is_gone, gone) = watch::channel(false);
        let is_stuck = Arc::<AtomicBool>::default();
        let lane = Self {
            waiting: sender,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            is_stuck: is_stuck.clone(),
            is_gone: Arc::new(is_gone),
        };
        let (from, dropped) = (from.clone(), dropped.clone());
        (lane, Publisher { waiting, is_stuck, gone, from, dropped })
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
    gone: watch::Receiver<bool>,
    from: Comet,
    dropped: Arc<Counter>,
}

/// Why what waits is dropped.
enum Forlorn {
    /// The node has been gone for as long as one has patience.
    GivenUp,
    /// Nobody has the lane.
    Unowned,
}

impl Publisher {
    async fn run(mut self, is_over: impl Fn(&Self) -> bool) {
        while let Some((mut publishing, room)) = self.waiting.recv().await {
            loop {
                tokio::select! {
                    () = &mut publishing => break,
                    forlorn = is_forlorn(&mut self.gone) => {
                        self.drop_waiting();
                        if let Forlorn::Unowned = forlorn {
                            return publishing.await;
                        }
                    }
                }
            }
            self.is_stuck.store(false, Relaxed);
            drop(room);
            if is_over(&self) {
                return;
            }
        }
    }

    fn drop_waiting(&mut self) {
        while self.waiting.try_recv().is_ok() {
            drops(&self.from, &self.dropped);
        }
    }

    /// Ends the lane of a node if nothing waits in it.
    fn is_over(&self, oort: &Weak<Inner>, id: &str) -> bool {
        let Some(oort) = oort.upgrade() else { return false };
        let mut lanes = lock(&oort.lanes);
        // Nobody has it but the register, so that nobody is about to use it.
        let is_over = self.waiting.is_empty() && self.waiting.sender_strong_count() == 1;
        is_over && lanes.remove(id).is_some()
    }
}

/// Waits until what waits is forlorn.
async fn is_forlorn(gone: &mut watch::Receiver<bool>) -> Forlorn {
    loop {
        if gone.wait_for(|is_gone| *is_gone).await.is_err() {
            return Forlorn::Unowned;
        }
        match tokio::time::timeout(PATIENCE, gone.wait_for(|is_gone| !is_gone)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return Forlorn::Unowned,
            Err(_) => return Forlorn::GivenUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn lane() -> (Lane, Publisher) {
        Lane::new(&Comet::new("a", "http://a:8080/cometd"), &Arc::default())
    }

    /// Has a message wait, which goes on when it is told to.
    async fn waits(lane: &Lane) -> oneshot::Sender<()> {
        let (go, goes) = oneshot::channel();
        let room = lane.room_for(1).await.unwrap();
        lane.waiting.send((goes.map(drop).boxed(), room)).unwrap();
        go
    }

    /// Has a lane full of one message, which goes on when it is told to.
    async fn full(lane: &Lane) -> oneshot::Sender<()> {
        let (go, goes) = oneshot::channel();
        let room = lane.room_for(ROOM).await.unwrap();
        lane.waiting.send((goes.map(drop).boxed(), room)).unwrap();
        go
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_in_vain_costs_that_once_until_something_goes_on() {
        let (lane, publisher) = lane();
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
        for is_gone in [false, true] {
            let (lane, publisher) = lane();
            let dropped = publisher.dropped.clone();
            let done = tokio::spawn(publisher.run(|_| false));
            let (go, mut second) = (waits(&lane).await, waits(&lane).await);
            lane.is_gone.send_replace(is_gone);
            tokio::task::yield_now().await;
            let start = tokio::time::Instant::now();
            drop(lane);
            second.closed().await;
            assert!(dropped.get() == 1 && start.elapsed() == Duration::ZERO, "gone: {is_gone}");
            // The first goes on.
            assert!(!done.is_finished());
            go.send(()).unwrap();
            done.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_of_a_node_that_is_gone_is_dropped_when_nothing_goes_on() {
        let (lane, publisher) = lane();
        let dropped = publisher.dropped.clone();
        tokio::spawn(publisher.run(|_| false));
        let (first, second, third) = (waits(&lane).await, waits(&lane).await, waits(&lane).await);
        tokio::time::sleep(2 * PATIENCE).await;
        lane.is_gone.send_replace(true);
        tokio::time::sleep(PATIENCE * 3 / 4).await;
        // It goes on, slowly.
        first.send(()).unwrap();
        tokio::time::sleep(PATIENCE * 3 / 4).await;
        second.send(()).unwrap();
        tokio::time::sleep(PATIENCE * 3 / 4).await;
        assert!(!third.is_closed() && dropped.get() == 0);
        let mut fourth = waits(&lane).await;
        let start = tokio::time::Instant::now();
        fourth.closed().await;
        assert!(start.elapsed() < PATIENCE / 2 && dropped.get() == 1);
        // That has begun.
        assert!(!third.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_of_a_node_that_comes_again_in_time_is_kept() {
        let (lane, publisher) = lane();
        tokio::spawn(publisher.run(|_| false));
        let (_first, second) = (waits(&lane).await, waits(&lane).await);
        for _ in 0..3 {
            lane.is_gone.send_replace(true);
            tokio::time::sleep(PATIENCE * 3 / 4).await;
            lane.is_gone.send_replace(false);
            tokio::time::sleep(PATIENCE * 3 / 4).await;
        }
        assert!(!second.is_closed());
    }
}
