//! One order for all subscribers of a channel: who publishes there waits for its turn, in which alone the
//! message is queued for everybody.
//!
//! The turns are in the order in which they were asked for. One is given on when it is dropped, so that
//! nobody who goes stops the others; how many wait, and for how long, has a bound. A turn has one too: of
//! what an application added to subscribers, a hook that waits for longer is given up.

use std::{
    cell::RefCell,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bayeux_api::server::PublishError;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{clock, proto::after};

/// The order of one channel.
#[derive(Debug)]
pub(crate) struct Order {
    turn: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// How many messages have had their turn. Changed under the lock of the channel's subscribers.
    position: AtomicU64,
}

/// The right to publish, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    order: Arc<Order>,
    /// When hooks that still wait are given up.
    pub(crate) until: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// Who asks is part of the turn of another message, and would wait for itself.
    Nested,
    /// Too many wait, or this one did for too long.
    Busy,
}

/// So many wait for their turn.
const MOST: usize = 10_000;

/// For so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// For so long hooks of subscribers may wait, all of one turn together.
const HOOKS: Duration = Duration::from_secs(5);

thread_local! {
    /// The orders whose turns this thread works on now.
    static INSIDE: RefCell<Vec<Arc<Order>>> = const { RefCell::new(Vec::new()) };
}

impl Order {
    pub(crate) fn position(&self) -> u64 {
        self.position.load(Relaxed)
    }

    /// Counts a message that has its turn.
    pub(super) fn advance(&self) {
        self.position.fetch_add(1, Relaxed);
    }

    /// Waits for a turn. Who is dropped meanwhile has none.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Turn, NoTurn> {
        if INSIDE.with_borrow(|inside| inside.iter().any(|own| Arc::ptr_eq(own, self))) {
            return Err(NoTurn::Nested);
        }
        let permit = match self.turn.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.wait().await?,
        };
        Ok(Turn { order: self.clone(), until: after(clock::now(), HOOKS), _permit: permit })
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, NoTurn> {
        let waits = Waits::begin(&self.waiting).ok_or(NoTurn::Busy)?;
        let permit = timeout(PATIENCE, self.turn.clone().acquire_owned()).await;
        drop(waits);
        Ok(permit.map_err(|_| NoTurn::Busy)?.expect("the semaphore is never closed"))
    }
}

impl Default for Order {
    fn default() -> Self {
        let (turn, waiting) = (Arc::new(Semaphore::new(1)), AtomicUsize::new(0));
        Self { turn, waiting, position: AtomicU64::new(0) }
    }
}

impl Turn {
    /// Makes `work` a part of this turn, which ends with it.
    pub(crate) fn during<F: Future>(self, work: F) -> During<F> {
        During { turn: self, work: Box::pin(work) }
    }
}

impl From<NoTurn> for PublishError {
    fn from(no: NoTurn) -> Self {
        match no {
            NoTurn::Nested => Self::Nested,
            NoTurn::Busy => Self::Busy,
        }
    }
}

/// Work in a turn, by which its hooks are known that publish themselves.
pub(crate) struct During<F> {
    turn: Turn,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for During<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        INSIDE.with_borrow_mut(|inside| inside.push(self.turn.order.clone()));
        let _left = Leaves;
        self.work.as_mut().poll(context)
    }
}

/// Also at a panic.
struct Leaves;

impl Drop for Leaves {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(Vec::pop);
    }
}

/// One of those who wait.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Option<Self> {
        let waits = Self(waiting);
        (waiting.fetch_add(1, Relaxed) < MOST).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::{FutureExt as _, poll};

    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_in_which_they_were_asked_for_whoever_goes() {
        let order = Arc::new(Order::default());
        let first = order.take().await.unwrap();
        let (mut second, mut fourth) = (pin!(order.take()), pin!(order.take()));
        assert!(poll!(second.as_mut()).is_pending());
        {
            let mut third = pin!(order.take());
            assert!(poll!(third.as_mut()).is_pending());
            assert!(poll!(fourth.as_mut()).is_pending());
        }
        drop(first);
        assert!(poll!(fourth.as_mut()).is_pending());
        let second = second.await.unwrap();
        assert!(poll!(fourth.as_mut()).is_pending());
        drop(second);
        fourth.await.unwrap();
        assert_eq!(order.waiting.load(Relaxed), 0);
        // One that is given its turn, and dropped before it sees it, gives it on.
        let first = order.take().await.unwrap();
        let mut next = pin!(order.take());
        {
            let mut gone = pin!(order.take());
            assert!(poll!(gone.as_mut()).is_pending());
            assert!(poll!(next.as_mut()).is_pending());
            drop(first);
        }
        assert!(poll!(next.as_mut()).is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_has_an_end() {
        let order = Arc::new(Order::default());
        let turn = order.take().await.unwrap();
        let start = clock::now();
        assert_eq!(order.take().await.unwrap_err(), NoTurn::Busy);
        assert!(clock::now() >= start + PATIENCE);
        drop(turn);
        order.take().await.unwrap();
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let order = Arc::new(Order::default());
        let turn = order.take().await.unwrap();
        let mut waiting: Vec<_> = (0..MOST).map(|_| Box::pin(order.take())).collect();
        for one in &mut waiting {
            assert!(poll!(one).is_pending());
        }
        assert_eq!(order.take().now_or_never().unwrap().unwrap_err(), NoTurn::Busy);
        waiting.pop();
        assert!(order.take().now_or_never().is_none());
        drop(turn);
    }

    #[tokio::test]
    async fn who_is_part_of_a_turn_does_not_wait_for_itself() {
        let (order, other) = (Arc::new(Order::default()), Arc::new(Order::default()));
        let turn = order.take().await.unwrap();
        let nested = turn.during(async {
            tokio::task::yield_now().await;
            let inner = other.take().await.unwrap();
            let deeper = inner.during(async { order.take().await.map(drop) });
            (order.take().await.map(drop), deeper.await, other.take().await.is_ok())
        });
        assert_eq!(nested.await, (Err(NoTurn::Nested), Err(NoTurn::Nested), true));
        assert!(INSIDE.with_borrow(Vec::is_empty));
        order.take().await.unwrap();
    }
}
