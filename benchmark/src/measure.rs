//! All that the project promises in numbers, measured in one go.

use std::{fs, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    Result,
    carrier::Transport,
    fanout::{self, Kind},
    idle,
    process::bind_to_core,
    say,
    target::Server,
};

/// Starts the demo on one core with the generator on another, several times, and prints medians
/// against what is to be reached.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The demo's program.
    #[arg(long, value_name = "PATH", default_value = "target/release/demo")]
    demo: PathBuf,

    /// How often everything is run.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,

    /// The core of the server.
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    server_core: usize,

    /// The core of the generator.
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    generator_core: usize,

    /// Does only this; everything by default.
    #[arg(long, value_enum)]
    only: Option<Part>,

    #[command(flatten)]
    fanout: fanout::Plan,

    #[command(flatten)]
    idle: idle::Plan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Fanout,
    Idle,
}

/// What is to be reached.
const MOST_RATIO: f64 = 2.0;
const MOST_WEBSOCKET_KIB: f64 = 10.0;
const MOST_LONG_POLLING_KIB: f64 = 20.0;
const MOST_PERCENT: f64 = 3.0;

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    if arguments.server_core == arguments.generator_core {
        return Err("server and generator need a core each".into());
    }
    bind_to_core(arguments.generator_core)?;
    describe_machine();
    if arguments.only != Some(Part::Idle) {
        measure_fanout(&arguments).await?;
    }
    if arguments.only != Some(Part::Fanout) {
        let most = MOST_WEBSOCKET_KIB;
        measure_idle(&arguments, Transport::WebSocket, most).await?;
        let most = MOST_LONG_POLLING_KIB;
        measure_idle(&arguments, Transport::LongPolling, most).await?;
    }
    Ok(())
}

fn describe_machine() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    say::note(format!("load average {load}, {cores} core(s) for the generator"));
    if load.parse().is_ok_and(|load: f64| load > 0.5) {
        say::note(
            "the machine is busy: the numbers will be worse and less alike than they could be",
        );
    }
}

async fn measure_fanout(arguments: &Arguments) -> Result<()> {
    let (plan, core) = (&arguments.fanout, Some(arguments.server_core));
    let (mut bare, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for run in 1..=arguments.runs {
        let server = Server::bare(plan.subscribers, plan.size, core)?;
        let floor = fanout::measure(&server, Kind::Bare, plan).await?;
        drop(server);
        let server = Server::demo(&arguments.demo, &[], core)?;
        let outcome = fanout::measure(&server, Kind::Bayeux, plan).await?;
        let (Some(floor_micros), Some(micros)) =
            (floor.micros_per_delivery(), outcome.micros_per_delivery())
        else {
            return Err("the server's processor time is unknown".into());
        };
        say::result(format!(
            "fan-out, run {run}: bare {floor_micros:.3} µs per delivery ({:.0}/s), ours \
             {micros:.3} µs ({:.0}/s), ratio {:.2}",
            floor.deliveries as f64 / floor.wall.as_secs_f64(),
            outcome.deliveries as f64 / outcome.wall.as_secs_f64(),
            micros / floor_micros
        ));
        bare.push(floor_micros);
        ours.push(micros);
        ratios.push(micros / floor_micros);
    }
    say::result(format!(
        "fan-out to {} WebSockets, {}-byte payload, medians: bare {:.3} µs, ours {:.3} µs of the \
         server's processor time per delivery",
        plan.subscribers,
        plan.size,
        median(bare),
        median(ours)
    ));
    judge("fan-out, times the bare program's time per delivery", median(ratios), MOST_RATIO);
    Ok(())
}

async fn measure_idle(arguments: &Arguments, transport: Transport, most: f64) -> Result<()> {
    let (plan, core) = (&arguments.idle, Some(arguments.server_core));
    let options = ["timeout=30000".to_owned()];
    let (mut memory, mut time) = (Vec::new(), Vec::new());
    for run in 1..=arguments.runs {
        let server = Server::demo(&arguments.demo, &options, core)?;
        let outcome = idle::measure(&server, transport, plan).await?;
        let (Some(kibibytes), Some(percent)) =
            (outcome.kibibytes_per_session(plan), outcome.percent_of_a_core(plan))
        else {
            return Err("the server's memory and processor time are unknown".into());
        };
        say::result(format!(
            "idle over {}, run {run}: {kibibytes:.2} KiB per session, {percent:.2} % of a core \
             ({} connects in {} s)",
            transport.as_str(),
            outcome.connects,
            plan.seconds
        ));
        memory.push(kibibytes);
        time.push(percent);
    }
    let what = format!("{} idle sessions over {}", plan.sessions, transport.as_str());
    judge(&format!("{what}, KiB per session"), median(memory), most);
    judge(&format!("{what}, % of a core with a timeout of 30 s"), median(time), MOST_PERCENT);
    Ok(())
}

fn judge(what: &str, value: f64, most: f64) {
    let verdict = if value <= most { "met" } else { "NOT MET" };
    say::result(format!("=> {what}: {value:.2}, to be at most {most}: {verdict}"));
}

/// Returns the middle one, or with two in the middle the larger.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
