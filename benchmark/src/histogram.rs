//! Times in a histogram, and the form in which CometD's load programs print it.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Times up to 1 min, to three significant digits; longer ones count as that.
#[derive(Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(LOWEST, HIGHEST, 3);
        Self(histogram.expect("the bounds are apart, and three digits are allowed"))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(HIGHEST);
        self.0.saturating_record(nanos.clamp(LOWEST, HIGHEST));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Returns the shortest time in µs.
    pub(crate) fn min(&self) -> f64 {
        micros(self.0.min())
    }

    pub(crate) fn max(&self) -> f64 {
        micros(self.0.max())
    }

    pub(crate) fn mean(&self) -> f64 {
        self.0.mean() / 1000.0
    }

    /// Returns the time in µs within which so many percent are.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        micros(self.0.value_at_percentile(percent))
    }

    /// Returns the numbers as they are in `result.json`.
    pub(crate) fn to_json(&self) -> Value {
        let micros = |value: f64| json!({ "value": value, "unit": "us" });
        json!({
            "samples": self.len(),
            "min": micros(self.min()),
            "avg": micros(self.mean()),
            "p50": micros(self.percentile(50.0)),
            "p99": micros(self.percentile(99.0)),
            "max": micros(self.max()),
        })
    }

    /// Returns the form to print: the distribution, then the summary, each line with this name.
    pub(crate) fn titled<'a>(&'a self, title: &'a str) -> impl fmt::Display + 'a {
        Titled { times: self, title }
    }

    /// Divides the range into equal parts.
    fn rows(&self) -> Vec<Row> {
        let (min, max) = (self.0.min(), self.0.max());
        let bound = |row: u64| min + (max - min) * row / ROWS;
        let mut below = 0;
        let mut rows: Vec<_> = (1..=ROWS)
            .map(|row| {
                // One value of the histogram may stand for more than one row.
                let up_to = self.0.count_between(0, bound(row)).max(below);
                let count = up_to - below;
                below = up_to;
                Row { bound: bound(row), count, marks: String::new() }
            })
            .collect();
        for (percent, name) in MARKS {
            let wanted = (percent / 100.0 * self.len() as f64).ceil() as u64;
            let mut up_to = 0;
            let row = rows.iter_mut().find(|row| {
                up_to += row.count;
                up_to >= wanted
            });
            if let Some(row) = row {
                row.marks = format!("{} ^{name}%", row.marks);
            }
        }
        rows
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Times").field("len", &self.len()).finish_non_exhaustive()
    }
}

struct Row {
    /// The longest time that belongs to it, in ns.
    bound: u64,
    count: u64,
    marks: String,
}

struct Titled<'a> {
    times: &'a Times,
    title: &'a str,
}

impl fmt::Display for Titled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { times, title } = self;
        if times.len() == 0 {
            return write!(f, "{title}: no samples");
        }
        writeln!(f, "{title} distribution (across: share; down: time)")?;
        let rows = times.rows();
        let most = rows.iter().map(|row| row.count).max().unwrap_or(1).max(1);
        for row in &rows {
            let at = usize::try_from(row.count * WIDTH / most).unwrap_or_default();
            let mut line = vec![' '; WIDTH as usize + 2];
            line[at] = '@';
            let line: String = line.iter().collect();
            let percent = 100.0 * row.count as f64 / times.len() as f64;
            let bound = grouped(micros(row.bound).ceil());
            writeln!(f, "{line}_  {bound} µs ({}, {percent:.2}%){}", row.count, row.marks)?;
        }
        let all = [
            times.min(),
            times.mean(),
            times.percentile(50.0),
            times.percentile(99.0),
            times.max(),
        ];
        let all: Vec<_> = all.into_iter().map(|time| grouped(time.round())).collect();
        let count = grouped(times.len() as f64);
        write!(f, "{title}: {count} samples | min/avg/50th%/99th%/max = {} µs", all.join("/"))
    }
}

/// Writes a whole number with a comma before each thousand.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

const LOWEST: u64 = 1;
/// 1 min in ns.
const HIGHEST: u64 = 60_000_000_000;

const ROWS: u64 = 20;
/// How far from the left the largest row is.
const WIDTH: u64 = 30;

const MARKS: [(f64, &str); 5] =
    [(50.0, "50"), (85.0, "85"), (95.0, "95"), (99.0, "99"), (99.9, "99.9")];

#[cfg(test)]
mod tests {
    use super::*;

    fn times(micros: impl IntoIterator<Item = u64>) -> Times {
        let mut times = Times::new();
        micros.into_iter().for_each(|one| times.record(Duration::from_micros(one)));
        times
    }

    #[test]
    fn every_sample_is_in_one_row_and_every_mark_is_there() {
        let times = times(1..=10_000);
        let rows = times.rows();
        assert_eq!(rows.len(), 20);
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 10_000);
        let text = times.titled("Latency").to_string();
        for mark in ["^50%", "^85%", "^95%", "^99%", "^99.9%"] {
            assert_eq!(text.matches(mark).count(), 1, "{mark} in\n{text}");
        }
        assert_eq!(text.matches('@').count(), 20);
        assert!(text.contains("10,000 samples | min/avg/50th%/99th%/max = 1/5,0"), "{text}");
    }

    #[test]
    fn one_sample_and_none_can_be_printed() {
        let text = times([1234]).titled("Latency").to_string();
        assert!(text.contains("(1, 100.00%) ^50% ^85% ^95% ^99% ^99.9%"), "{text}");
        assert_eq!(Times::new().titled("Latency").to_string(), "Latency: no samples");
    }

    #[test]
    fn longer_times_count_as_a_minute() {
        let mut times = times([7]);
        times.record(Duration::from_secs(100));
        assert!((times.min() - 7.0).abs() < 0.01, "{}", times.min());
        assert!((times.max() - 60e6).abs() < 60e6 / 500.0, "{}", times.max());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(1_000_280.0), "1,000,280");
    }
}
