//! All that the project promises in numbers, measured in one go beside other servers, and written into
//! the document about it.

mod bar;
mod chart;
mod charts;
mod document;
mod figure;
mod generator;
mod install;
mod machine;
mod measurement;
mod peer;
mod plan;
mod report;
mod results;
mod rounds;
mod rows;
mod server;
mod statistics;
mod svg;
mod tables;

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::{
    Result,
    compare::{
        machine::Machine,
        measurement::{Group, Measurement},
        peer::Peer,
        plan::Size,
        results::Results,
        rounds::Runner,
    },
    process::{bind_to_core, raise_file_limit},
    say,
};

/// Measures our server beside the limit and other servers, several times in turn, each server on one
/// core and the generator on another; writes medians and charts into docs/performance.md.
///
/// Servers that are not installed are left out.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// How often everything is measured.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,

    /// The core of the server.
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    server_core: usize,

    /// The core of the generator, and of a server that has two if there are no more.
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    client_core: usize,

    /// Measures only these, separated by commas. What else the file of results has is kept, if it is of
    /// this machine and commit.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,

    /// The servers, separated by commas; all by default. Ours always takes part.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Peer>,

    /// Installs what servers need and is not here: npm packages, CometD by Maven, Centrifugo by Go.
    #[arg(long)]
    install: bool,

    /// Tries everything with small sizes, once; the numbers mean little, and go to
    /// target/benchmark-quick unless told otherwise.
    #[arg(long)]
    quick: bool,

    /// Where the document is written.
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,

    /// Where all that was measured is saved; target/benchmark.json by default.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,

    /// Measures nothing, and writes the document from results that were saved.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["results", "install", "peers", "only"])]
    from: Option<PathBuf>,

    /// The repository, whose servers and document are used.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    repository: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = &arguments.repository;
    if !root.join("benchmark/peers").is_dir() {
        return Err("there is no benchmark/peers here: run it in the root of the repository, or \
                    give --repository"
            .into());
    }
    let results = match &arguments.from {
        Some(file) => Results::load(file)?,
        None => measure(arguments)?,
    };
    let size = if results.is_quick { Size::Quick } else { Size::Full };
    let is_try = results.is_quick;
    let folder = arguments
        .output
        .clone()
        .unwrap_or_else(|| root.join(if is_try { "target/benchmark-quick" } else { "docs" }));
    std::fs::create_dir_all(&folder)?;
    report::write(&results, &plan::measurements(size), root, &folder)?;
    say::note(format!("written: {}", folder.join("performance.md").display()));
    let failed = results.failed().count();
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} runs failed", results.runs.len()).into()),
    }
}

fn measure(arguments: &Arguments) -> Result<Results> {
    raise_file_limit();
    let runner = runner(arguments)?;
    let machine = Machine::this();
    if machine.is_busy() {
        say::note(format!(
            "the load average is {}: the numbers will be worse and less alike than they could be",
            machine.load()
        ));
    }
    // So that the server's core is left alone.
    bind_to_core(arguments.client_core)?;
    let has_third_core = runner.second_core != runner.generator_core;
    let rounds = runner.rounds;
    let is_quick = arguments.quick;
    let measurements = chosen(arguments);
    let mut results = Results { machine, is_quick, rounds, has_third_core, ..Results::default() };
    if !arguments.only.is_empty() && runner.file.exists() {
        keep_others(&mut results, Results::load(&runner.file)?, &measurements);
    }
    let outcome = runner.run(&measurements, &mut results);
    results.save(&runner.file)?;
    say::note(format!("saved: {}", runner.file.display()));
    outcome.map(|()| results)
}

/// Keeps of an earlier time what is not measured now.
fn keep_others(results: &mut Results, before: Results, measurements: &[Measurement]) {
    if !results.keep_others(before, measurements) {
        say::note("what was measured before is of another machine or commit, and not kept");
    }
}

fn chosen(arguments: &Arguments) -> Vec<Measurement> {
    let size = if arguments.quick { Size::Quick } else { Size::Full };
    let mut all = plan::measurements(size);
    all.retain(|one| arguments.only.is_empty() || arguments.only.contains(&one.group));
    all
}

fn runner(arguments: &Arguments) -> Result<Runner> {
    let Arguments { server_core, client_core, quick, .. } = *arguments;
    if server_core == client_core {
        return Err("server and generator need a core each".into());
    }
    let root = arguments.repository.clone();
    let wanted: Vec<_> = Peer::ALL
        .into_iter()
        .filter(|peer| {
            *peer == Peer::Ours || arguments.peers.is_empty() || arguments.peers.contains(peer)
        })
        .collect();
    let peers = install::available(&root, &wanted, arguments.install);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // With two cores the generator has to share one of the two that the server has.
    let second_core = (0..cores).find(|core| ![server_core, client_core].contains(core));
    let file =
        if quick { "target/benchmark-quick/benchmark.json" } else { "target/benchmark.json" };
    Ok(Runner {
        file: arguments.results.clone().unwrap_or_else(|| root.join(file)),
        root,
        peers,
        rounds: if quick { 1 } else { arguments.runs },
        server_core,
        second_core: second_core.unwrap_or(client_core),
        generator_core: client_core,
        most_warm_up: Duration::from_secs(if quick { 1 } else { 60 }),
    })
}
