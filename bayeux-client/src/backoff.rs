//! How long to wait before trying again.

use std::time::Duration;

/// How the wait grows from one failure to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias = "BackOffStrategy")]
#[non_exhaustive]
pub enum Backoff {
    /// Twice as long each time, and then a random part of that ("full jitter"), so that clients that
    /// were cut off together do not come back together.
    Exponential {
        /// The longest first wait.
        first: Duration,
        /// The longest wait (`maxBackoff`).
        maximum: Duration,
    },
    /// One increment longer each time. CometD's default, with 1 s and 30 s.
    Linear {
        /// How much longer (`backoffIncrement`).
        increment: Duration,
        /// The longest wait (`maxBackoff`).
        maximum: Duration,
    },
    /// The same each time.
    Constant(Duration),
}

impl Backoff {
    /// Returns the wait after so many failures in a row, of which this is the last; `random` is any
    /// number, of which only [`Exponential`](Self::Exponential) makes use.
    pub fn delay(self, failures: u32, random: u64) -> Duration {
        match self {
            Self::Exponential { first, maximum } => {
                let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
                part(first.saturating_mul(doubled).min(maximum), random)
            }
            Self::Linear { increment, maximum } => increment.saturating_mul(failures).min(maximum),
            Self::Constant(delay) => delay,
        }
    }
}

/// Exponential, from 1 s to 30 s.
impl Default for Backoff {
    fn default() -> Self {
        Self::Exponential { first: Duration::from_secs(1), maximum: Duration::from_secs(30) }
    }
}

/// Takes the part of `whole` that `random` is of the largest number.
fn part(whole: Duration, random: u64) -> Duration {
    let nanos = whole.as_nanos() * u128::from(random) / u128::from(u64::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn jitter_takes_any_part_of_what_doubles() {
        let backoff = Backoff::default();
        let longest: Vec<_> = (1..8).map(|n| backoff.delay(n, u64::MAX).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.delay(5, 0), Duration::ZERO);
        assert_eq!(backoff.delay(4, u64::MAX / 2).as_secs(), 3);
        assert_eq!(backoff.delay(u32::MAX, u64::MAX), 30 * SECOND);
    }

    #[test]
    fn linear_is_cometds() {
        let backoff = Backoff::Linear { increment: SECOND, maximum: 3 * SECOND };
        let delays: Vec<_> = (0..6).map(|n| backoff.delay(n, 7).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 3, 3, 3]);
        assert_eq!(Backoff::Constant(SECOND).delay(9, 7), SECOND);
    }
}
