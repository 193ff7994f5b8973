//! For how long the one thread of a runtime was held by what ran on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinHandle, yield_now},
};

use crate::{Result, cloud::figures::Figures};

/// Looks at a runtime's only thread, from within, each time that all its other tasks had their turn.
///
/// What the thread computed in between is more than any of these held it: they may have been several. It is its
/// processor time, so that it does not count while the machine lets others run.
#[derive(Debug)]
pub(crate) struct Holds {
    longest: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Holds {
    /// Starts to look.
    pub(crate) fn watch(runtime: &Runtime) -> Self {
        let longest = Arc::new(AtomicU64::new(0));
        let noted = longest.clone();
        let task = runtime.spawn(async move {
            let mut last = computed();
            loop {
                yield_now().await;
                let now = computed();
                let held = now.saturating_sub(last);
                noted.fetch_max(u64::try_from(held.as_nanos()).unwrap_or(u64::MAX), Relaxed);
                last = now;
            }
        });
        Self { longest, task }
    }

    /// Returns the longest so far.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Relaxed))
    }
}

impl Drop for Holds {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// For how long a thread was held, in milliseconds, of a node that others join, and of these.
#[derive(Debug, Default)]
pub(crate) struct HeldByJoins {
    here: Vec<f64>,
    there: Vec<f64>,
}

impl HeldByJoins {
    /// Notes what was seen at both until now.
    pub(crate) fn note(&mut self, here: &Holds, there: &Holds) {
        self.here.push(here.longest().as_secs_f64() * 1000.0);
        self.there.push(there.longest().as_secs_f64() * 1000.0);
    }

    pub(crate) fn report(self, figures: &mut Figures) {
        figures.add_rounds("held_here_millis", "the owner's thread was held", self.here, "ms");
        let there = "the joining node's thread was held";
        figures.add_rounds("held_there_millis", there, self.there, "ms");
    }
}

/// Makes a runtime with one thread for tasks, and others for what would hold it.
pub(crate) fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// Returns the processor time of the calling thread.
fn computed() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}
