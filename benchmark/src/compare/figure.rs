//! The figures that are taken from what a generator says.

use serde_json::Value;

use crate::compare::measurement::{Group, Scenario};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// The server's processor time for a delivery.
    Delivery,
    /// As much of that as is not the kernel's.
    UserTime,
    /// The server's processor time for a session that comes and goes.
    Cycle,
    /// The server's memory for an idle session.
    Memory,
    /// The server's memory for a channel with one subscriber.
    ChannelMemory,
    /// The server's processor time for an idle session in a second.
    IdleTime,
    P50,
    P99,
    P99_9,
    /// How much longer the slowest thousandth takes than the middle.
    Tail,
    /// The latency of the others while one does not read, against before.
    Stall,
    /// What the server's memory grew by while one did not read.
    StallMemory,
    /// What the server's memory grew by while sessions came and went.
    Growth,
    Throughput,
}

impl Figure {
    /// Returns its value, if a generator has said it.
    pub(crate) fn of(self, output: &Value) -> Option<f64> {
        let number = |pointer: &str| output.pointer(pointer)?.as_f64();
        match self {
            Self::Delivery => number("/cpu_micros_per_delivery").or_else(|| {
                // As `load_client` has it, in milliseconds.
                let millis = number("/results/serverProcessorTime/value")?;
                Some(millis * 1_000.0 / number("/results/messages")?)
            }),
            Self::UserTime => number("/user_micros_per_delivery"),
            Self::Cycle => number("/cpu_micros_per_cycle"),
            Self::Memory => number("/kib_per_session"),
            Self::ChannelMemory => number("/bytes_per_channel"),
            Self::IdleTime => number("/cpu_micros_per_session_second"),
            Self::P50 => number("/latency_micros/p50"),
            Self::P99 => number("/latency_micros/p99"),
            Self::P99_9 => number("/latency_micros/p99_9"),
            Self::Tail => Some(number("/latency_micros/p99_9")? / number("/latency_micros/p50")?),
            Self::Stall => number("/p99_ratio"),
            Self::StallMemory => Some(number("/resident_growth_bytes")? / 1024.0),
            Self::Growth => number("/growth_percent"),
            Self::Throughput => number("/deliveries_per_second"),
        }
    }

    /// Returns the unit, with the space before it.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Delivery
            | Self::UserTime
            | Self::Cycle
            | Self::IdleTime
            | Self::P50
            | Self::P99
            | Self::P99_9 => " µs",
            Self::ChannelMemory => " bytes",
            Self::Memory | Self::StallMemory => " KiB",
            Self::Tail | Self::Stall => "×",
            Self::Growth => " %",
            Self::Throughput => "/s",
        }
    }

    /// Returns the figure that tells most of a measurement.
    pub(crate) fn main(group: Group, scenario: Scenario) -> Self {
        match (group, scenario) {
            (Group::Latency, _) => Self::P99,
            (Group::Cores, _) => Self::Throughput,
            (Group::Fanout | Group::Echo | Group::Rooms | Group::Application, _) => Self::Delivery,
            (Group::Churn, _) => Self::Cycle,
            (Group::Idle, Scenario::Channels) => Self::ChannelMemory,
            (Group::Idle, _) => Self::Memory,
            (Group::Slow, _) => Self::Stall,
        }
    }

    /// Writes a value with its unit, and as many digits as say something.
    pub(crate) fn show(self, value: f64) -> String {
        format!("{}{}", digits(value), self.unit())
    }
}

/// Writes a number with three digits that count.
pub(crate) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => {
            let unit = 10_f64.powi(size.log10() as i32 - 2);
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", grouped(((size / unit).round() * unit) as u64))
        }
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Returns a number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_figure_is_found_or_missing() {
        let output = json!({"latency_micros": {"p50": 20.0, "p99_9": 90.0}});
        assert_eq!(Figure::Tail.of(&output), Some(4.5));
        assert_eq!(Figure::P99.of(&output), None);
        let time = json!({"value": 500.0, "unit": "ms"});
        let output = json!({"results": {"serverProcessorTime": time, "messages": 100_000}});
        assert_eq!(Figure::Delivery.of(&output), Some(5.0));
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(Figure::Delivery.show(2.5849), "2.58 µs");
        assert_eq!(Figure::Memory.show(15.94), "15.9 KiB");
        assert_eq!(Figure::Throughput.show(168_900.4), "169,000/s");
        assert_eq!(digits(412.6), "413");
        assert_eq!(digits(-1_146.2), "-1,150");
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!(grouped(100), "100");
        assert_eq!(grouped(19_000), "19,000");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }
}
