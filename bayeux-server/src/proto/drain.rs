//! The orderly end of a server: who is sent away when, for how long, and until when that may take.
//!
//! ```text
//!   begin ─▶ what was taken before is worked on ─▶ one client after the other is sent away ─▶ stop
//!                          │ not after `work_until`                     │ not after `deadline`
//!                          └────────────────────▶                       └────────────────────▶
//! ```

use std::time::{Duration, Instant};

use crate::{config::DrainConfig, proto::after};

/// The times of a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drain {
    config: DrainConfig,
    begun: Instant,
}

impl Drain {
    pub(crate) fn new(config: DrainConfig, now: Instant) -> Self {
        Self { config, begun: now }
    }

    /// Until when it is waited for what was taken before the drain. The other half of the time is the
    /// clients'.
    pub(crate) fn work_until(&self) -> Instant {
        after(self.begun, self.config.timeout / 2)
    }

    /// When the server is stopped, whatever is left to do.
    pub(crate) fn deadline(&self) -> Instant {
        after(self.begun, self.config.timeout)
    }

    /// When the client `index` of `count` is sent away, if the first one is at `start`: evenly, and all
    /// while there is time to hear of it.
    pub(crate) fn turn(&self, start: Instant, index: usize, count: usize) -> Instant {
        let left = self.deadline().saturating_duration_since(start);
        let spread = self.config.spread.min(left / 2);
        let part = index as f64 / count.max(1) as f64;
        after(start, spread.mul_f64(part.clamp(0.0, 1.0)))
    }

    /// For how long a client stays away, by a number that was drawn.
    pub(crate) fn absence(config: DrainConfig, drawn: u64) -> Duration {
        let most = u64::try_from(config.interval.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(1 + drawn % most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "a test has to start somewhere")]
    fn start() -> Instant {
        Instant::now()
    }

    fn drain(spread: Duration, timeout: Duration) -> (Drain, Instant) {
        let now = start();
        let config = DrainConfig { spread, timeout, ..DrainConfig::default() };
        (Drain::new(config, now), now)
    }

    #[test]
    fn turns_are_spread_evenly() {
        let (drain, now) = drain(4 * SECOND, 10 * SECOND);
        let turns = [0, 1, 2, 3].map(|index| drain.turn(now, index, 4) - now);
        assert_eq!(turns, [0, 1, 2, 3].map(|seconds| seconds * SECOND));
        assert_eq!(drain.turn(now, 0, 1), now);
    }

    #[test]
    fn turns_are_early_enough_for_the_deadline() {
        let (drain, now) = drain(60 * SECOND, 10 * SECOND);
        assert_eq!(drain.turn(now, 99, 100) - now, SECOND.mul_f64(4.95));
        let late = now + 8 * SECOND;
        assert!(drain.turn(late, 99, 100) < now + 9 * SECOND);
        let too_late = now + 11 * SECOND;
        assert_eq!(drain.turn(too_late, 99, 100), too_late);
    }

    #[test]
    fn no_time_is_none_and_all_time_is_bounded() {
        for (spread, timeout) in [(Duration::ZERO, Duration::ZERO), (Duration::MAX, Duration::MAX)]
        {
            let (drain, now) = drain(spread, timeout);
            assert!(drain.turn(now, 1, 2) >= now && drain.deadline() >= drain.work_until());
        }
    }

    #[test]
    fn an_absence_is_at_least_a_moment_and_no_longer_than_it_may_be() {
        for interval in [Duration::ZERO, Duration::from_millis(3), Duration::MAX] {
            let config = DrainConfig { interval, ..DrainConfig::default() };
            for drawn in [0, 1, 2, 3, u64::MAX] {
                let absence = Drain::absence(config, drawn);
                assert!(!absence.is_zero() && absence <= interval.max(Duration::from_millis(1)));
            }
        }
    }
}
