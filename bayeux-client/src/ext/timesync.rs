//! What the server's clock shows.

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bayeux_api::{Flow, Message, client::ClientExtension, implement::lock, meta};
use serde_json::{Value, json};

/// Learns how far the server's clock is from this one, and how long a message takes.
///
/// The server has to have CometD's timesync extension. Each handshake and connect says what is known so far; a server
/// that finds it wrong tells, and the average of the last ten times counts.
#[derive(Debug, Default)]
pub struct TimesyncClientExtension(Mutex<Samples>);

/// What was measured last, oldest first.
#[derive(Debug, Default)]
struct Samples(VecDeque<Sample>);

/// In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sample {
    lag: f64,
    offset: f64,
}

impl TimesyncClientExtension {
    /// Returns how long a message takes to the server; zero before that is known.
    #[doc(alias = "getNetworkLag")]
    pub fn lag(&self) -> Duration {
        duration(self.average().lag)
    }

    /// Returns what the server's clock shows now; what this one does before more is known.
    #[doc(alias("getServerTime", "getServerDate", "getTimeOffset"))]
    pub fn server_time(&self) -> SystemTime {
        let (now, offset) = (SystemTime::now(), self.average().offset);
        let by = duration(offset.abs());
        let there = if offset < 0.0 { now.checked_sub(by) } else { now.checked_add(by) };
        there.unwrap_or(now)
    }

    fn average(&self) -> Sample {
        lock(&self.0).average()
    }
}

impl Samples {
    fn average(&self) -> Sample {
        let count = f64::from(u32::try_from(self.0.len().max(1)).unwrap_or(u32::MAX));
        let sum = |of: fn(&Sample) -> f64| self.0.iter().map(of).sum::<f64>() / count;
        Sample { lag: sum(|sample| sample.lag), offset: sum(|sample| sample.offset) }
    }

    fn add(&mut self, sample: Sample) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }
}

impl Sample {
    /// Takes what a server has told, at `now`; none if it has not told everything.
    fn of(sync: &Value, now: f64) -> Option<Self> {
        let field = |name| sync.get(name).and_then(Value::as_f64);
        let (tc, ts, p) = (field("tc")?, field("ts")?, field("p")?);
        let lag = (now - tc - p) / 2.0;
        let offset = ts - tc - lag;
        // No clock is that wrong, and averages stay numbers.
        let is_some_time = lag.abs() < LONGEST && offset.abs() < LONGEST;
        is_some_time.then_some(Self { lag, offset })
    }
}

#[async_trait]
impl ClientExtension for TimesyncClientExtension {
    async fn incoming(&self, message: &mut Message) -> Flow {
        if message.is_meta()
            && let Some(sync) = message.ext_field(TIMESYNC)
            && let Some(sample) = Sample::of(&sync, now())
        {
            lock(&self.0).add(sample);
        }
        Flow::Continue
    }

    async fn outgoing(&self, message: &mut Message) -> Flow {
        if matches!(message.channel(), meta::HANDSHAKE | meta::CONNECT) {
            let Sample { lag, offset } = self.average();
            let sync = json!({ "tc": whole(now()), "l": whole(lag), "o": whole(offset) });
            message.ext_mut().insert(TIMESYNC.to_owned(), sync);
        }
        Flow::Continue
    }
}

const TIMESYNC: &str = "timesync";

/// Of how many the average is taken, as CometD's library does.
const MOST: usize = 10;

/// A thousand years, in milliseconds.
const LONGEST: f64 = 1000.0 * 366.0 * 24.0 * 60.0 * 60.0 * 1000.0;

/// Milliseconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

/// CometD's server wants whole ones.
#[expect(
    clippy::cast_possible_truncation,
    reason = "of a thousand years there are no more than 45 bits"
)]
fn whole(milliseconds: f64) -> i64 {
    milliseconds.round() as i64
}

fn duration(milliseconds: f64) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_and_offset_follow_from_what_the_server_tells() {
        // It got there after 20 ms, was held for 300, and the clock there is 5 s ahead.
        let sync = json!({ "tc": 1000, "ts": 6020, "p": 300, "a": -5020 });
        assert_eq!(Sample::of(&sync, 1340.0), Some(Sample { lag: 20.0, offset: 5000.0 }));
    }

    #[test]
    fn what_is_no_time_is_not_taken() {
        for sync in [
            json!(null),
            json!([]),
            json!({ "tc": 1000, "ts": 1000 }),
            json!({ "tc": "1000", "ts": 1000, "p": 0 }),
            json!({ "tc": 1000, "ts": 1e300, "p": 0 }),
            json!({ "tc": -1e308, "ts": 1e308, "p": -1e308 }),
        ] {
            assert_eq!(Sample::of(&sync, 1000.0), None, "{sync}");
        }
    }

    #[test]
    fn the_last_ten_count() {
        let mut samples = Samples::default();
        assert_eq!(samples.average(), Sample::default());
        for n in 1..=30 {
            samples.add(Sample { lag: f64::from(n), offset: f64::from(-2 * n) });
        }
        assert_eq!(samples.average(), Sample { lag: 25.5, offset: -51.0 });
    }
}
