//! One subscriber that stops reading: what the others notice of it, and what it costs the server.

mod stalled;

use std::{cell::Cell, fmt, time::Duration};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Result,
    fanout::{
        self, CHANNEL, SETTLE,
        crowd::{Crowd, Phase, watched},
        publishers::{Pace, Publishers, Style, Until},
    },
    latency::LatencyMicros,
    link::{Link, Part},
    load::{Load, LoadArguments, Protocol, Transport, seconds},
    payload,
    process::check_file_limit,
    report,
    slow::stalled::{Fate, Stalled},
};

/// Publishes at a fixed rate to subscribers of which one stops reading for a while; all others must
/// get everything.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many subscribers there are, with the slow one.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
    subscribers: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// How many messages are published in a second.
    #[arg(long, value_name = "R", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,

    /// For how many seconds all read before.
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    before: Duration,

    /// For how many seconds the slow one does not read.
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    stall: Duration,

    /// For how many seconds messages are published when the slow one reads again.
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    after: Duration,

    /// For how many seconds messages are published before anything is measured.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    warm_up: Duration,

    /// How many bytes the payload has.
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// Lets the generator sleep when nothing has arrived; latencies are then up to 1 ms too long.
    #[arg(long)]
    sleep: bool,
}

/// How many bytes the system keeps for the slow one: few, so that the server notices soon.
const RECEIVE_BUFFER: u32 = 4096;

const BEFORE: Phase = Phase(0);
const DURING: Phase = Phase(1);

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let load = arguments.load.load()?;
    let Arguments { subscribers, transport, rate, size, sleep, .. } = arguments;
    let Arguments { warm_up, before, stall, after, .. } = arguments;
    check_file_limit(usize::try_from(subscribers + 2)?)?;
    payload::data(0, size)?;
    let others = subscribers - 1;
    let crowd = Crowd::new(others, 2)?;
    fanout::gather(&load, transport, 0..others, 1, &crowd).await?;
    let narrow = load.with_receive_buffer(RECEIVE_BUFFER);
    let (part, number) = (Part::Subscribe(CHANNEL), usize::try_from(others)?);
    let stalled = Stalled::start(Link::open(&narrow, transport, part, number).await?);
    let style =
        Style { publishers: 1, transport, size, channel: CHANNEL.to_owned(), sleeps: sleep };
    let mut publishers = Publishers::open(&load, style, subscribers, &crowd).await?;
    let largest = Cell::new(load.resident()?);
    let messages = |time: Duration| (rate as f64 * time.as_secs_f64()) as u64;
    let until = |time| Until::Messages(messages(time));
    let publishing = async {
        let pace = Pace::Rate(rate);
        publishers.publish(pace, until(warm_up), None).await?;
        publishers.publish(pace, until(before), Some(BEFORE)).await?;
        stalled.stall();
        let resident = load.resident()?;
        largest.set(resident);
        let during = publishers.publish(pace, until(stall), Some(DURING));
        tokio::select! {
            during = during => during?,
            Err(error) = watch_memory(&load, &largest) => return Err(error),
        };
        largest.set(largest.get().max(load.resident()?));
        stalled.resume();
        publishers.publish(pace, until(after), None).await?;
        publishers.wait_for_all().await?;
        tokio::time::sleep(SETTLE).await;
        publishers.wait_for_replies(&load).await?;
        Ok(resident)
    };
    let total = [warm_up, before, stall, after].map(messages).iter().sum();
    let resident = watched(&crowd, Some(total), sleep, publishing).await?;
    crowd.check()?;
    let published = publishers.published();
    let fate = stalled.fate(published).await;
    let growth = largest.get().zip(resident).map(|(most, before)| most.saturating_sub(before));
    let report = Report::new(&arguments, &load, &crowd, published * others, growth, &fate)?;
    report::print(arguments.load.json, &report)
}

/// Looks at the server's memory now and then.
async fn watch_memory(
    load: &Load,
    largest: &Cell<Option<u64>>,
) -> Result<std::convert::Infallible> {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        largest.set(largest.get().max(load.resident()?));
    }
}

/// What came of it.
#[derive(Serialize)]
struct Report {
    scenario: &'static str,
    protocol: Protocol,
    transport: Transport,
    parameters: Value,
    /// To the others.
    deliveries: u64,
    p99_before_micros: f64,
    p99_during_micros: f64,
    p99_ratio: f64,
    latency_before_micros: LatencyMicros,
    latency_during_micros: LatencyMicros,
    /// Of the server, between the beginning of the stall and its largest in that time.
    resident_growth_bytes: Option<u64>,
    slow_outcome: String,
    /// How many messages the slow one missed.
    slow_lost: u64,
    /// Of the others; a run with such losses fails, so that this is zero.
    lost: u64,
}

impl Report {
    fn new(
        arguments: &Arguments,
        load: &Load,
        crowd: &Crowd,
        deliveries: u64,
        resident_growth_bytes: Option<u64>,
        fate: &Fate,
    ) -> Result<Self> {
        let latency = |phase| {
            crowd.latencies(phase).micros().ok_or("nothing was measured: give more seconds")
        };
        let (before, during) = (latency(BEFORE)?, latency(DURING)?);
        Ok(Self {
            scenario: "slow",
            protocol: load.protocol,
            transport: arguments.transport,
            parameters: json!({
                "subscribers": arguments.subscribers, "rate": arguments.rate,
                "before": arguments.before.as_secs_f64(), "stall": arguments.stall.as_secs_f64(),
                "after": arguments.after.as_secs_f64(), "warm_up": arguments.warm_up.as_secs_f64(),
                "size": arguments.size, "sleep": arguments.sleep,
            }),
            deliveries,
            p99_before_micros: before.p99,
            p99_during_micros: during.p99,
            p99_ratio: during.p99 / before.p99,
            latency_before_micros: before,
            latency_during_micros: during,
            resident_growth_bytes,
            slow_outcome: fate.to_string(),
            slow_lost: fate.lost(),
            lost: 0,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} deliveries to the others over {}, each once and in order",
            self.deliveries, self.transport
        )?;
        writeln!(formatter, "latency before: {}", self.latency_before_micros)?;
        writeln!(formatter, "latency during the stall: {}", self.latency_during_micros)?;
        writeln!(formatter, "p99 during, by p99 before: {:.2}", self.p99_ratio)?;
        match self.resident_growth_bytes {
            Some(growth) => writeln!(
                formatter,
                "server memory grew by {:.1} MiB in the stall",
                growth as f64 / 1048576.0
            )?,
            None => writeln!(formatter, "server memory unknown: give --pid")?,
        }
        writeln!(formatter, "the slow one: {}", self.slow_outcome)
    }
}
