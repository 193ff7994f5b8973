//! The subscribers, seen from the publishers: which messages all of them have, and how long each
//! took.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{Result, latency::Latencies, link::PATIENCE, say, wait::stay_awake};

/// The subscribers, all of which have to get everything.
#[derive(Clone)]
pub(crate) struct Crowd(Rc<Shared>);

struct Shared {
    subscribers: u64,
    under_way: RefCell<UnderWay>,
    /// All have the messages below this.
    complete: Cell<u64>,
    /// When that changed.
    changed: Notify,
    /// By phase.
    latencies: RefCell<Vec<Latencies>>,
    failure: RefCell<Option<String>>,
    failed: Notify,
}

/// The messages that have been sent, and that not all have.
struct UnderWay {
    messages: VecDeque<Message>,
    /// When a message was last sent or arrived.
    moved: Instant,
}

struct Message {
    since: Instant,
    /// How many do not have it.
    missing: u64,
    phase: Option<Phase>,
}

/// To which latencies a message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Phase(pub(crate) usize);

impl Crowd {
    /// So many will come, and messages are measured in so many phases.
    pub(crate) fn new(subscribers: u64, phases: usize) -> Result<Self> {
        let latencies = (0..phases).map(|_| Latencies::new()).collect::<Result<_>>()?;
        let under_way = UnderWay { messages: VecDeque::new(), moved: Instant::now() };
        Ok(Self(Rc::new(Shared {
            subscribers,
            under_way: RefCell::new(under_way),
            complete: Cell::new(0),
            changed: Notify::new(),
            latencies: RefCell::new(latencies),
            failure: RefCell::default(),
            failed: Notify::new(),
        })))
    }

    /// The next message is sent, or was to be, at `since`.
    pub(crate) fn sends(&self, since: Instant, phase: Option<Phase>) {
        let mut under_way = self.0.under_way.borrow_mut();
        if under_way.messages.is_empty() {
            under_way.moved = Instant::now();
        }
        under_way.messages.push_back(Message { since, missing: self.0.subscribers, phase });
    }

    /// A subscriber got the message of this number.
    pub(crate) fn arrived(&self, number: u64, now: Instant) -> Result<()> {
        let mut under_way = self.0.under_way.borrow_mut();
        let at = number.checked_sub(self.0.complete.get()).and_then(|at| usize::try_from(at).ok());
        let message = at.and_then(|at| under_way.messages.get_mut(at));
        let message = message.ok_or_else(|| format!("message {number} came, and is not due"))?;
        message.missing = message.missing.checked_sub(1).ok_or("a message came too often")?;
        if let Some(Phase(phase)) = message.phase {
            self.0.latencies.borrow_mut()[phase]
                .record(now.saturating_duration_since(message.since));
        }
        under_way.moved = now;
        let mut is_changed = false;
        while under_way.messages.front().is_some_and(|message| message.missing == 0) {
            under_way.messages.pop_front();
            self.0.complete.set(self.0.complete.get() + 1);
            is_changed = true;
        }
        if is_changed {
            self.0.changed.notify_waiters();
        }
        Ok(())
    }

    /// Returns how many messages all have.
    pub(crate) fn complete(&self) -> u64 {
        self.0.complete.get()
    }

    /// Waits until all have a message more.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> {
        self.0.changed.notified()
    }

    pub(crate) fn latencies(&self, Phase(phase): Phase) -> Latencies {
        self.0.latencies.borrow()[phase].clone()
    }

    /// One of the subscribers failed.
    pub(crate) fn fail(&self, failure: String) {
        self.0.failure.borrow_mut().get_or_insert(failure);
        self.0.failed.notify_one();
    }

    /// Fails if a subscriber has.
    pub(crate) fn check(&self) -> Result<()> {
        match &*self.0.failure.borrow() {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(()),
        }
    }

    /// Waits until a subscriber fails, or messages do not arrive.
    pub(crate) async fn watch(&self) -> Result<Infallible> {
        loop {
            let pause = tokio::time::timeout(Duration::from_secs(1), self.0.failed.notified());
            let _ = pause.await;
            self.check()?;
            let under_way = self.0.under_way.borrow();
            let missing: u64 = under_way.messages.iter().map(|message| message.missing).sum();
            if missing > 0 && under_way.moved.elapsed() > PATIENCE {
                return Err(format!(
                    "{missing} deliveries did not arrive within {} s: lost, or the server is stuck",
                    PATIENCE.as_secs()
                )
                .into());
            }
        }
    }
}

/// Does `work` as long as nothing fails, and tells of the progress in messages that all have. Unless
/// the generator `sleeps`, this thread does not sleep in the kernel, so that the server does not have
/// to wake it.
pub(crate) async fn watched<T>(
    crowd: &Crowd,
    messages: Option<u64>,
    sleeps: bool,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        done = work => done,
        Err(failure) = crowd.watch() => Err(failure),
        never = show(crowd, messages) => match never {},
        never = stay_awake(), if !sleeps => match never {},
    }
}

async fn show(crowd: &Crowd, messages: Option<u64>) -> Infallible {
    let mut progress = say::Progress::new("messages that all have", messages);
    loop {
        progress.at(crowd.complete());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
