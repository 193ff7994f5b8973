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

use crate::Result;

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

/// Makes a runtime with one thread for tasks, and others for what would hold it.
pub(crate) fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// Returns the processor time of the calling thread.
fn computed() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}
