//! Sessions that come and go: what each costs, and whether anything of it stays.

use std::{
    cell::Cell,
    fmt,
    time::{Duration, Instant},
};

use clap::Args;
use futures_util::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    Result,
    carrier::Carrier,
    link::PATIENCE,
    load::{Load, LoadArguments, Protocol, Transport},
    report,
    session::Session,
    target,
    wait::watch,
    websocket::Closed,
};

/// Makes sessions that shake hands, subscribe, connect and disconnect, each after the other.
///
/// Over WebSocket each has a connection of its own; over long-polling they take turns on connections
/// that stay open.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many sessions there are, all together.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    cycles: u64,

    /// How many there are at a time.
    #[arg(long, value_name = "C", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    concurrency: u64,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,

    /// Opens a connection for each session over long-polling, too.
    #[arg(long)]
    new_connection: bool,

    /// After how many cycles the memory is looked at that the end is compared with; what comes
    /// before is not part of the processor time, if anything comes after.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    first: u64,
}

const CHANNEL: &str = "/load/churn";

/// Connections leave from so many loopback addresses in turn: the port of each is not free again
/// for a minute.
const SOURCES: u64 = 100;

/// So many connections in a row leave from one address.
const IN_A_ROW: u64 = 100;

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let load = arguments.load.load()?;
    if load.protocol != Protocol::Bayeux {
        return Err("only a Bayeux server has sessions that come and go".into());
    }
    let Arguments { cycles, concurrency, first, .. } = arguments;
    let churn = Churn {
        load: &load,
        arguments: &arguments,
        begun: Cell::new(0),
        done: Cell::new(0),
        connections: Cell::new(0),
    };
    let start = churn.moment()?;
    churn.run(concurrency, first.min(cycles)).await?;
    let after_first = churn.moment()?;
    churn.run(concurrency, cycles).await?;
    let finished = Instant::now();
    // Time for what the last ones used to be given back.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let end = Moment { at: finished, ..churn.moment()? };
    report::print(arguments.load.json, &Report::new(&arguments, &load, [start, after_first, end]))
}

struct Churn<'a> {
    load: &'a Load,
    arguments: &'a Arguments,
    begun: Cell<u64>,
    done: Cell<u64>,
    connections: Cell<u64>,
}

/// How far it is, and what the server used up to then.
#[derive(Clone, Copy)]
struct Moment {
    at: Instant,
    cycles: u64,
    cpu: Option<Duration>,
    resident: Option<u64>,
}

impl Churn<'_> {
    /// Goes on until there were so many cycles.
    async fn run(&self, concurrency: u64, until: u64) -> Result<()> {
        let working = try_join_all((0..concurrency).map(|_| self.work(until)));
        let watching = watch("cycles", self.arguments.cycles, || self.done.get());
        tokio::select! {
            worked = working => worked.map(drop),
            Err(failure) = watching => Err(failure),
        }
    }

    async fn work(&self, until: u64) -> Result<()> {
        let Arguments { transport, new_connection, .. } = *self.arguments;
        let keeps = transport == Transport::LongPolling && !new_connection;
        let mut kept = None;
        while self.begun.get() < until {
            self.begun.set(self.begun.get() + 1);
            let cycle = timeout(PATIENCE, self.cycle(kept.take()));
            let carrier = cycle.await.map_err(|_| "the server did not answer in time")??;
            kept = keeps.then_some(carrier);
            self.done.set(self.done.get() + 1);
        }
        Ok(())
    }

    /// Has one session come and go.
    async fn cycle(&self, kept: Option<Carrier>) -> Result<Carrier> {
        let mut carrier = match kept {
            Some(carrier) => carrier,
            None => self.open().await?,
        };
        carrier.set_cookies("");
        let mut session = Session::handshake(carrier, self.arguments.transport).await?;
        session.subscribe(CHANNEL).await?;
        session.connect().await?;
        match session.disconnect().await {
            // Faye's server closes the WebSocket, with or without a reply.
            Err(error) if !error.is::<Closed>() => Err(error),
            Ok(()) | Err(_) => Ok(session.carrier),
        }
    }

    async fn open(&self) -> Result<Carrier> {
        let (load, number) = (self.load, self.connections.replace(self.connections.get() + 1));
        let source = usize::try_from(number / IN_A_ROW % SOURCES)?;
        let number = source * target::PER_SOURCE;
        Carrier::open(load, self.arguments.transport, &load.target.path, number).await
    }

    fn moment(&self) -> Result<Moment> {
        Ok(Moment {
            at: Instant::now(),
            cycles: self.done.get(),
            cpu: self.load.cpu()?,
            resident: self.load.resident()?,
        })
    }
}

/// What came of it.
#[derive(Serialize)]
struct Report {
    scenario: &'static str,
    protocol: Protocol,
    transport: Transport,
    parameters: Value,
    cycles: u64,
    wall_seconds: f64,
    cycles_per_second: f64,
    server_cpu_seconds: Option<f64>,
    cpu_micros_per_cycle: Option<f64>,
    resident_bytes: Option<Resident>,
    /// Between the two, if anything came after the first.
    growth_percent: Option<f64>,
}

#[derive(Serialize)]
struct Resident {
    after_first: u64,
    end: u64,
}

impl Report {
    fn new(arguments: &Arguments, load: &Load, moments: [Moment; 3]) -> Self {
        let Arguments { cycles, concurrency, transport, new_connection, first, .. } = *arguments;
        let [start, after_first, end] = moments;
        let goes_on = after_first.cycles < end.cycles;
        let from = if goes_on { after_first } else { start };
        let measured = (end.cycles - from.cycles) as f64;
        let wall_seconds = (end.at - from.at).as_secs_f64();
        let cpu = end.cpu.zip(from.cpu).map(|(end, from)| end.saturating_sub(from).as_secs_f64());
        let resident = after_first.resident.zip(end.resident);
        let growth = |(first, end): (u64, u64)| (end as f64 / first as f64 - 1.0) * 100.0;
        Self {
            scenario: "churn",
            protocol: load.protocol,
            transport,
            parameters: json!({
                "cycles": cycles, "concurrency": concurrency, "first": first,
                "new_connection": new_connection || transport == Transport::WebSocket,
            }),
            cycles,
            wall_seconds,
            cycles_per_second: measured / wall_seconds,
            server_cpu_seconds: cpu,
            cpu_micros_per_cycle: cpu.map(|cpu| cpu * 1e6 / measured),
            resident_bytes: resident.map(|(after_first, end)| Resident { after_first, end }),
            growth_percent: resident.filter(|_| goes_on).map(growth),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycles, transport, wall_seconds, cycles_per_second, .. } = self;
        writeln!(formatter, "{cycles} sessions came and went over {transport}")?;
        writeln!(formatter, "wall time {wall_seconds:.3} s, {cycles_per_second:.0} sessions/s")?;
        match (self.server_cpu_seconds, self.cpu_micros_per_cycle) {
            (Some(cpu), Some(micros)) => {
                writeln!(formatter, "server processor time {cpu:.3} s, {micros:.1} µs per session")?
            }
            _ => writeln!(formatter, "server processor time and memory unknown: give --pid")?,
        }
        if let Some(Resident { after_first, end }) = self.resident_bytes {
            let [after_first, end] = [after_first, end].map(|bytes| bytes as f64 / 1048576.0);
            write!(formatter, "server memory {after_first:.1} MiB after the first, {end:.1} MiB")?;
            match self.growth_percent {
                Some(growth) => writeln!(formatter, " at the end: {growth:+.1} %")?,
                None => writeln!(formatter, " at the end")?,
            }
        }
        Ok(())
    }
}
