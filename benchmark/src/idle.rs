//! Sessions that are connected and wait: what they cost in memory, and in time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use clap::Args;
use tokio::task::spawn_local;

use crate::{
    Result,
    carrier::Transport,
    process::check_file_limit,
    say,
    session::Session,
    target::{Server, ServerArguments},
    websocket::Scratch,
};

/// Connects many sessions, whose connects the server holds, and which connect again after each
/// timeout; tells what they cost the server in memory and processor time.
///
/// Over long-polling each session has a connection and a cookie of its own.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,

    #[command(flatten)]
    plan: Plan,

    /// What carries them.
    #[arg(long, value_enum, default_value_t = Transport::WebSocket)]
    transport: Transport,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many sessions there are.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) sessions: usize,

    /// For how many seconds processor time is measured, once all are connected; better several times
    /// the server's timeout.
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub(crate) seconds: u64,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Bytes of the server's memory: before, with all connected, and at the end.
    pub(crate) resident: Option<[u64; 3]>,
    /// The server's processor time, connecting them and in the time measured.
    pub(crate) cpu: Option<[Duration; 2]>,
    /// Connects that were answered in the time measured.
    pub(crate) connects: u64,
}

/// For the last connect to arrive, and for what the beginnings used to be given back.
const SETTLE: Duration = Duration::from_secs(3);

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    let server = arguments.server.server()?;
    let plan = arguments.plan;
    let outcome = measure(&server, arguments.transport, &plan).await?;
    say::result(format!(
        "{} sessions over {}; in {} s {} connects were answered",
        plan.sessions,
        arguments.transport.as_str(),
        plan.seconds,
        outcome.connects
    ));
    if let Some(resident) = outcome.resident {
        let [before, connected, end] = resident.map(|bytes| bytes as f64 / 1024.0 / 1024.0);
        say::result(format!(
            "server memory {before:.1} MiB before, {connected:.1} MiB with all connected, {end:.1} \
             MiB at the end: {:.2} KiB per session",
            outcome.kibibytes_per_session(&plan).unwrap_or_default()
        ));
    }
    if let Some([connecting, idle]) = outcome.cpu {
        say::result(format!(
            "server processor time {:.2} s for connecting, then {:.3} s: {:.2} % of a core, {:.1} \
             µs per connect",
            connecting.as_secs_f64(),
            idle.as_secs_f64(),
            outcome.percent_of_a_core(&plan).unwrap_or_default(),
            idle.as_secs_f64() * 1e6 / outcome.connects.max(1) as f64
        ));
    }
    if server.process.is_none() {
        say::result("server memory and processor time unknown: give --pid or --start");
    }
    Ok(())
}

impl Outcome {
    /// Of the larger of the two moments.
    pub(crate) fn kibibytes_per_session(&self, plan: &Plan) -> Option<f64> {
        let [before, connected, end] = self.resident?;
        let grown = connected.max(end).saturating_sub(before);
        Some(grown as f64 / 1024.0 / plan.sessions as f64)
    }

    pub(crate) fn percent_of_a_core(&self, plan: &Plan) -> Option<f64> {
        self.cpu.map(|[_, idle]| 100.0 * idle.as_secs_f64() / plan.seconds as f64)
    }
}

/// Runs the plan once.
pub(crate) async fn measure(server: &Server, transport: Transport, plan: &Plan) -> Result<Outcome> {
    check_file_limit(plan.sessions)?;
    let resident = || server.process.map(|process| process.resident()).transpose();
    let cpu = || server.process.map(|process| process.cpu()).transpose();
    let (memory_before, cpu_before) = (resident()?, cpu()?);
    let pulse = Rc::new(Pulse::default());
    connect_all(server, transport, plan.sessions, &pulse).await?;
    tokio::time::sleep(SETTLE).await;
    let (memory_connected, cpu_connected) = (resident()?, cpu()?);
    let connects = pulse.connects.get();
    let mut progress = say::Progress::new("seconds", plan.seconds);
    for second in 0..plan.seconds {
        progress.at(second);
        tokio::time::sleep(Duration::from_secs(1)).await;
        pulse.check()?;
    }
    let (memory_end, cpu_end) = (resident()?, cpu()?);
    let connects = pulse.connects.get() - connects;
    let resident = memory_before.zip(memory_connected).zip(memory_end);
    let cpu = cpu_before.zip(cpu_connected).zip(cpu_end);
    Ok(Outcome {
        resident: resident.map(|((before, connected), end)| [before, connected, end]),
        cpu: cpu.map(|((before, connected), end)| [connected - before, end - connected]),
        connects,
    })
}

async fn connect_all(
    server: &Server,
    transport: Transport,
    sessions: usize,
    pulse: &Rc<Pulse>,
) -> Result<()> {
    let scratch = Scratch::default();
    let mut progress = say::Progress::new("sessions", sessions as u64);
    for number in 0..sessions {
        let session = Session::start(transport, &server.target, number, &scratch).await?;
        let pulse = pulse.clone();
        spawn_local(async move {
            let Err(error) = live(session, &pulse).await;
            pulse.failure.replace(Some(error.to_string()));
        });
        progress.at(number as u64 + 1);
    }
    pulse.check()
}

/// Connects again and again, until something is wrong.
async fn live(mut session: Session, pulse: &Pulse) -> Result<std::convert::Infallible> {
    loop {
        session.connect().await?;
        pulse.connects.set(pulse.connects.get() + 1);
    }
}

/// How the sessions are.
#[derive(Default)]
struct Pulse {
    connects: Cell<u64>,
    failure: RefCell<Option<String>>,
}

impl Pulse {
    fn check(&self) -> Result<()> {
        match &*self.failure.borrow() {
            Some(failure) => Err(format!("a session ended: {failure}").into()),
            None => Ok(()),
        }
    }
}
