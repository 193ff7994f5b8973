//! All that is to be reached.

use crate::compare::{
    bar::{
        Bar::{self, AtMost, AtMostTimes, Scales, TimesOurs},
        Row,
        Table::{self, Idle, Load, Messages},
    },
    figure::Figure::{
        self, ChannelMemory, Cycle, Delivery, Growth, IdleTime, Memory, P99, Stall, StallMemory,
        Tail, Throughput, UserTime,
    },
    peer::Peer::{Application, Attribute, Deliver, Java, Limit},
};

#[rustfmt::skip]
pub(crate) const ROWS: [Row; 33] = [
    row(Messages, "fan-out, WebSocket, one under way", "fanout-websocket", Delivery, AtMostTimes(1.15, Limit)),
    row(Messages, "fan-out, WebSocket, 8 under way", "fanout-websocket-8", Delivery, AtMostTimes(1.6, Limit)),
    row(Messages, "fan-out, WebSocket, 9,000 subscribers, 4 under way", "fanout-websocket-9000", Delivery, AtMostTimes(1.15, Limit)),
    row(Messages, "fan-out, WebSocket, 18,000 subscribers, 4 under way", "fanout-websocket-18000", Delivery, AtMostTimes(1.15, Limit)),
    row(Messages, "fan-out, long-polling, one under way", "fanout-long-polling", Delivery, AtMostTimes(2.0, Limit)),
    row(Messages, "echo, WebSocket", "echo-websocket", Delivery, AtMostTimes(1.6, Limit)),
    row(Messages, "echo, long-polling", "echo-long-polling", Delivery, AtMostTimes(1.6, Limit)),
    row(Messages, "a session comes and goes, WebSocket", "churn-websocket", Cycle, AtMost(100.0)),
    row(Messages, "a session comes and goes, long-polling", "churn-long-polling", Cycle, AtMost(100.0)),
    row(Messages, "CometD's rooms, WebSocket", "rooms-websocket", Delivery, AtMostTimes(0.2, Java)),
    row(Messages, "CometD's rooms, long-polling", "rooms-long-polling", Delivery, AtMostTimes(0.2, Java)),
    row(Table::Application, "fan-out, an attribute on each session: user time", "application-fanout", UserTime, TimesOurs(1.02, Attribute)),
    row(Table::Application, "fan-out, the whole application", "application-fanout", Delivery, TimesOurs(1.05, Application)),
    row(Table::Application, "fan-out, the whole application: user time", "application-fanout", UserTime, TimesOurs(1.4, Application)),
    row(Table::Application, "echo, an attribute on each session", "application-echo", Delivery, TimesOurs(1.05, Attribute)),
    row(Table::Application, "echo, the whole application", "application-echo", Delivery, TimesOurs(1.05, Application)),
    row(Table::Application, "a message delivered to each of 1,000 sessions", "deliver", Delivery, TimesOurs(1.1, Deliver)),
    row(Idle, "memory of a channel with one subscriber", "channels", ChannelMemory, AtMost(400.0)),
    row(Idle, "memory, WebSocket", "idle-websocket", Memory, AtMost(3.0)),
    row(Idle, "memory, WebSocket, nearly twice as many", "idle-websocket-19000", Memory, AtMost(3.0)),
    row(Idle, "memory, held long-poll", "idle-held", Memory, AtMost(8.0)),
    row(Idle, "memory, between two connects", "idle-parked", Memory, AtMost(1.5)),
    row(Idle, "processor time in a second, WebSocket", "idle-websocket", IdleTime, AtMost(1.5)),
    row(Idle, "processor time in a second, held long-poll", "idle-held", IdleTime, AtMost(1.5)),
    row(Load, "p99 latency, 100 subscribers", "latency-100", P99, AtMostTimes(1.5, Limit)),
    row(Load, "p99 latency, 1,000 subscribers", "latency-1000", P99, AtMostTimes(1.5, Limit)),
    row(Load, "p99.9 against p50, echo with 16 under way", "echo-websocket-16", Tail, AtMost(5.0)),
    row(Load, "one does not read: the others' p99 against before", "slow", Stall, AtMost(1.2)),
    row(Load, "one does not read: growth of memory (its queue's bound)", "slow", StallMemory, AtMost(4096.0)),
    row(Load, "growth of memory by churn, WebSocket", "churn-memory-websocket", Growth, AtMost(5.0)),
    row(Load, "growth of memory by churn, long-polling", "churn-memory-long-polling", Growth, AtMost(5.0)),
    row(Load, "two cores, fan-out", "cores-fanout-2", Throughput, Scales(1.7, "cores-fanout-1")),
    row(Load, "two cores, echo", "cores-echo-2", Throughput, Scales(1.7, "cores-echo-1")),
];

const fn row(
    table: Table,
    name: &'static str,
    measurement: &'static str,
    figure: Figure,
    bar: Bar,
) -> Row {
    Row { table, name, measurement, figure, bar }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::plan::{Size, measurements};

    #[test]
    fn every_row_has_its_measurement_and_every_measurement_a_row() {
        let measurements = measurements(Size::Full);
        let uses =
            |row: &Row, id| row.measurement == id || matches!(row.bar, Scales(_, one) if one == id);
        for one in &measurements {
            assert!(ROWS.iter().any(|row| uses(row, one.id)), "{}", one.id);
        }
        for row in &ROWS {
            assert!(measurements.iter().any(|one| uses(row, one.id)), "{}", row.name);
        }
    }
}
