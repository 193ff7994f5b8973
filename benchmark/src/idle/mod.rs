//! Sessions that wait: what they cost in memory, and in time.

mod parked;

use std::{
    cell::Cell,
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::spawn_local};

use crate::{
    Result,
    link::{Link, Part},
    load::{Load, LoadArguments, Protocol, Transport, seconds},
    process::check_file_limit,
    report, say,
};

/// Makes many sessions to which nothing is published, and tells what they cost the server in memory
/// and processor time.
///
/// Those that wait without a connection need a server that lets them: start it with
/// `-o maxInterval=600000` (milliseconds), which has to be longer than all this takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    load: LoadArguments,

    /// How many sessions there are.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    sessions: u64,

    /// In which state they are.
    #[arg(long, value_enum, default_value_t = State::WebSocket)]
    state: State,

    /// For how many seconds processor time is measured, once all are there; better several times the
    /// server's timeout.
    #[arg(long, value_name = "S", default_value = "60", value_parser = seconds)]
    seconds: Duration,

    /// For how many seconds they are left alone before: for the last connect to arrive, and for what
    /// the beginnings used to be given back.
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    settle: Duration,
}

/// How a session waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Over a WebSocket, with a connect that the server holds.
    #[value(name = "websocket")]
    WebSocket,
    /// With a held connect over long-polling, and a connection and a cookie of its own.
    Held,
    /// Over long-polling, between two connects, without a connection.
    Parked,
}

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let load = arguments.load.load()?;
    let Arguments { sessions, state, seconds, .. } = arguments;
    let before = Moment::now(&load)?;
    let mut crowd = Crowd::gather(&load, state, sessions).await?;
    crowd.watch(arguments.settle).await?;
    let connected = Moment::now(&load)?;
    let connects = crowd.connects();
    let start = Instant::now();
    let mut progress = say::Progress::new("seconds", seconds.as_secs());
    while start.elapsed() < seconds {
        progress.at(start.elapsed().as_secs());
        let left = seconds.saturating_sub(start.elapsed());
        crowd.watch(left.min(Duration::from_secs(1))).await?;
    }
    drop(progress);
    let end = Moment::now(&load)?;
    let connects = crowd.connects() - connects;
    crowd.check(&load).await?;
    let report = Report::new(&arguments, &load, [before, connected, end], connects);
    report::print(arguments.load.json, &report)
}

/// What the server used up to a moment, if that is known.
#[derive(Clone, Copy)]
struct Moment {
    cpu: Option<Duration>,
    resident: Option<u64>,
}

impl Moment {
    fn now(load: &Load) -> Result<Self> {
        Ok(Self { cpu: load.cpu()?, resident: load.resident()? })
    }
}

/// The sessions.
enum Crowd {
    Connected { connects: Rc<Cell<u64>>, failures: mpsc::UnboundedReceiver<String> },
    Parked(parked::Sample),
}

impl Crowd {
    async fn gather(load: &Load, state: State, sessions: u64) -> Result<Self> {
        let transport = match state {
            State::WebSocket => Transport::WebSocket,
            State::Held => Transport::LongPolling,
            State::Parked => return Ok(Self::Parked(parked::park(load, sessions).await?)),
        };
        check_file_limit(usize::try_from(sessions)?)?;
        let (failed, mut failures) = mpsc::unbounded_channel();
        let connects = Rc::new(Cell::new(0));
        let mut progress = say::Progress::new("sessions", sessions);
        for number in 0..sessions {
            let link = Link::open(load, transport, Part::Wait, usize::try_from(number)?).await?;
            let (failed, connects) = (failed.clone(), connects.clone());
            spawn_local(async move {
                let Err(error) = live(link, &connects).await;
                let _ = failed.send(format!("session {number} ended: {error}"));
            });
            progress.at(number + 1);
        }
        match failures.try_recv() {
            Ok(failure) => Err(failure.into()),
            Err(_) => Ok(Self::Connected { connects, failures }),
        }
    }

    /// Returns how many connects were answered.
    fn connects(&self) -> u64 {
        match self {
            Self::Connected { connects, .. } => connects.get(),
            Self::Parked(_) => 0,
        }
    }

    /// Lets time pass, in which nothing may fail.
    async fn watch(&mut self, time: Duration) -> Result<()> {
        match self {
            Self::Connected { failures, .. } => {
                match tokio::time::timeout(time, failures.recv()).await {
                    Ok(failure) => Err(failure.unwrap_or_default().into()),
                    Err(_) => Ok(()),
                }
            }
            Self::Parked(_) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }

    /// Fails unless the sessions are still there, as far as that is not known already.
    async fn check(self, load: &Load) -> Result<()> {
        match self {
            Self::Connected { .. } => Ok(()),
            Self::Parked(sample) => sample.check(load).await,
        }
    }
}

/// Connects again and again, until something is wrong.
async fn live(mut link: Link, connects: &Cell<u64>) -> Result<std::convert::Infallible> {
    loop {
        let before = link.replies.connects;
        link.receive(&mut |number| Err(format!("message {number} came").into())).await?;
        connects.set(connects.get() + link.replies.connects - before);
    }
}

/// What came of it.
#[derive(Serialize)]
struct Report {
    scenario: &'static str,
    protocol: Protocol,
    state: State,
    parameters: Value,
    sessions: u64,
    seconds: f64,
    /// Before, with all connected, and at the end.
    resident_bytes: Option<[u64; 3]>,
    /// Of the larger of the two moments.
    kib_per_session: Option<f64>,
    cpu_micros_per_session_second: Option<f64>,
    /// That were answered in the time measured.
    connects: u64,
    /// For making the sessions.
    connect_cpu_seconds: Option<f64>,
    idle_cpu_seconds: Option<f64>,
}

impl Report {
    fn new(arguments: &Arguments, load: &Load, moments: [Moment; 3], connects: u64) -> Self {
        let Arguments { sessions, state, .. } = *arguments;
        let seconds = arguments.seconds.as_secs_f64();
        let [before, connected, end] = moments;
        let resident = before.resident.zip(connected.resident).zip(end.resident);
        let resident_bytes = resident.map(|((before, connected), end)| [before, connected, end]);
        let grown = resident_bytes
            .map(|[before, connected, end]| connected.max(end).saturating_sub(before));
        let cpu = |from: Moment, to: Moment| {
            to.cpu.zip(from.cpu).map(|(to, from)| to.saturating_sub(from).as_secs_f64())
        };
        let idle_cpu_seconds = cpu(connected, end);
        Self {
            scenario: "idle",
            protocol: load.protocol,
            state,
            parameters: json!({ "sessions": sessions, "seconds": seconds }),
            sessions,
            seconds,
            resident_bytes,
            kib_per_session: grown.map(|grown| grown as f64 / 1024.0 / sessions as f64),
            cpu_micros_per_session_second: idle_cpu_seconds
                .filter(|_| seconds > 0.0)
                .map(|cpu| cpu * 1e6 / sessions as f64 / seconds),
            connects,
            connect_cpu_seconds: cpu(before, connected),
            idle_cpu_seconds,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.state {
            State::WebSocket => "over WebSocket",
            State::Held => "with held connects over long-polling",
            State::Parked => "without a connection",
        };
        let Self { sessions, seconds, connects, .. } = self;
        writeln!(
            formatter,
            "{sessions} sessions {how}; in {seconds} s {connects} connects were answered"
        )?;
        if let (Some(resident), Some(kib)) = (self.resident_bytes, self.kib_per_session) {
            let [before, connected, end] = resident.map(|bytes| bytes as f64 / 1024.0 / 1024.0);
            writeln!(
                formatter,
                "server memory {before:.1} MiB before, {connected:.1} MiB with all, {end:.1} MiB \
                 at the end: {kib:.2} KiB per session"
            )?;
        }
        if let (Some(making), Some(idle)) = (self.connect_cpu_seconds, self.idle_cpu_seconds) {
            let micros = self.cpu_micros_per_session_second.unwrap_or_default();
            writeln!(
                formatter,
                "server processor time {making:.2} s for making them, then {idle:.3} s: \
                 {micros:.2} µs per session and second"
            )?;
        }
        if self.resident_bytes.is_none() {
            writeln!(formatter, "server memory and processor time unknown: give --pid")?;
        }
        Ok(())
    }
}
