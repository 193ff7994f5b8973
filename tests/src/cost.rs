//! What something costs: processor time, which is the same however busy the machine is.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The processor time of this thread from a moment on. It is that of a test's clients and server, whose
/// runtime has no other thread.
#[derive(Clone, Copy, Debug)]
pub struct Cost(Duration);

impl Cost {
    /// Starts to count.
    pub fn start() -> Self {
        Self(processor_time())
    }

    /// Returns how much processor time there was since the start.
    pub fn spent(self) -> Duration {
        processor_time() - self.0
    }
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}
