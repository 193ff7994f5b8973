//! How long messages take.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Result;

/// How long messages took, up to an hour each, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

/// What is told of latencies, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct LatencyMicros {
    pub(crate) samples: u64,
    pub(crate) min: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    pub(crate) max: f64,
}

/// In nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;

impl Latencies {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST, 3)?))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(LONGEST));
    }

    /// Returns the summary; none if there was nothing.
    pub(crate) fn micros(&self) -> Option<LatencyMicros> {
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let quantile = |quantile| micros(self.0.value_at_quantile(quantile));
        (!self.0.is_empty()).then(|| LatencyMicros {
            samples: self.0.len(),
            min: micros(self.0.min()),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p99_9: quantile(0.999),
            max: micros(self.0.max()),
        })
    }
}

impl fmt::Display for LatencyMicros {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { min, p50, p90, p99, p99_9, max, .. } = self;
        write!(
            formatter,
            "min {min:.0}, p50 {p50:.0}, p90 {p90:.0}, p99 {p99:.0}, p99.9 {p99_9:.0}, max \
             {max:.0} µs"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_all_that_was_recorded() {
        let mut latencies = Latencies::new().unwrap();
        assert_eq!(latencies.micros(), None);
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        let micros = latencies.micros().unwrap();
        assert_eq!(micros.samples, 1000);
        let near = |value: f64, millis: f64| (value / millis / 1000.0 - 1.0).abs() < 0.002;
        assert!(near(micros.min, 1.0) && near(micros.p50, 500.0), "{micros:?}");
        assert!(near(micros.p99, 990.0) && near(micros.max, 1000.0), "{micros:?}");
    }
}
