//! The subscriber that stops reading.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_local},
    time::timeout,
};

use crate::{
    link::Link,
    order::{Disorder, Order},
};

pub(super) struct Stalled {
    shared: Rc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    stall: Notify,
    resume: Notify,
    heard: RefCell<Heard>,
}

#[derive(Clone, Default)]
struct Heard {
    received: u64,
    /// One more than the number of the newest.
    next: u64,
    /// Why there will be no more.
    end: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It got everything.
    Complete,
    /// It went on, and misses so many messages.
    Lost(u64),
    /// The server ended its session or connection, or sent what it must not; it misses so many
    /// messages.
    Ended { reason: String, lost: u64 },
}

/// So long nothing comes when all has come.
const SILENCE: Duration = Duration::from_secs(2);

impl Stalled {
    /// Starts it; it reads until told otherwise.
    pub(super) fn start(link: Link) -> Self {
        let shared = Rc::new(Shared::default());
        let task = spawn_local(live(link, shared.clone()));
        Self { shared, task }
    }

    pub(super) fn stall(&self) {
        self.shared.stall.notify_one();
    }

    pub(super) fn resume(&self) {
        self.shared.resume.notify_one();
    }

    /// Waits until it has all that it gets of so many messages.
    pub(super) async fn fate(mut self, published: u64) -> Fate {
        let mut heard = self.heard();
        while heard.end.is_none() && heard.next < published {
            let _ = timeout(SILENCE, &mut self.task).await;
            let now = self.heard();
            if now.received == heard.received && now.end.is_none() {
                break;
            }
            heard = now;
        }
        self.task.abort();
        let lost = published.saturating_sub(heard.received);
        match heard.end {
            Some(reason) => Fate::Ended { reason, lost },
            None if lost > 0 => Fate::Lost(lost),
            None => Fate::Complete,
        }
    }

    fn heard(&self) -> Heard {
        self.shared.heard.borrow().clone()
    }
}

async fn live(mut link: Link, shared: Rc<Shared>) {
    let mut order = Order::new(1);
    let hear = &mut |number| {
        match order.take(number) {
            Ok(()) => {}
            // Its queue may have been full.
            Err(Disorder::Early { .. }) => drop(order.skip_to(number)),
            Err(again @ Disorder::Again { .. }) => return Err(again.into()),
        }
        let mut heard = shared.heard.borrow_mut();
        heard.received += 1;
        heard.next = number + 1;
        Ok(())
    };
    loop {
        let received = tokio::select! {
            received = link.receive(hear) => received,
            () = shared.stall.notified() => {
                shared.resume.notified().await;
                Ok(())
            }
        };
        if let Err(error) = received {
            shared.heard.borrow_mut().end = Some(error.to_string());
            return;
        }
    }
}

impl Fate {
    pub(super) fn lost(&self) -> u64 {
        match self {
            Self::Complete => 0,
            Self::Lost(lost) | Self::Ended { lost, .. } => *lost,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => formatter.write_str("got everything"),
            Self::Lost(lost) => write!(formatter, "lost {lost} messages and goes on"),
            Self::Ended { reason, lost } => {
                write!(formatter, "was ended and missed {lost} messages: {reason}")
            }
        }
    }
}
