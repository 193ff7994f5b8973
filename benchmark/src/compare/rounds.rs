//! Runs the measurements: round after round, the servers side by side within each.

use std::{
    collections::BTreeMap,
    env::current_exe,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    Result,
    compare::{
        figure::Figure,
        generator,
        measurement::{Cores, Measurement},
        peer::Peer,
        results::{Results, Run},
        server::Server,
    },
    say,
};

/// How and where everything is run.
#[derive(Debug)]
pub(crate) struct Runner {
    /// The repository, which has the peers' programs.
    pub(crate) root: PathBuf,
    pub(crate) peers: Vec<Peer>,
    pub(crate) rounds: u64,
    pub(crate) server_core: usize,
    /// The core that the server has beside the first where it has two.
    pub(crate) second_core: usize,
    pub(crate) generator_core: usize,
    /// At most for so long does a load warm up a server.
    pub(crate) most_warm_up: Duration,
    /// Where the results are saved, again and again.
    pub(crate) file: PathBuf,
}

/// How far it is, and how long it will take.
struct Progress {
    start: Instant,
    done: u64,
    total: u64,
    /// Seconds that what is done and that everything was expected to take.
    expected_done: u64,
    expected: u64,
}

/// For starting and ending a server.
const OVERHEAD_SECONDS: u64 = 1;

impl Runner {
    /// Runs everything; what fails is among the results, and stops nothing.
    pub(crate) fn run(&self, measurements: &[Measurement], results: &mut Results) -> Result<()> {
        let mut progress = Progress::new(self, measurements);
        for measurement in measurements {
            let mut kept = BTreeMap::new();
            for round in 1..=self.rounds {
                for &peer in self.peers.iter().filter(|&&peer| measurement.includes(peer, round)) {
                    progress.say(measurement, peer, round, self.rounds);
                    let outcome = self.measure(measurement, peer, &mut kept);
                    say_outcome(measurement, &outcome);
                    results.runs.push(record(measurement, peer, round, outcome));
                    progress.step(self.expected(measurement, peer, round));
                }
            }
            results.save(&self.file)?;
        }
        Ok(())
    }

    /// Measures once. A server that was warmed up is kept for the next round, and has no processor
    /// time meanwhile.
    fn measure(
        &self,
        measurement: &Measurement,
        peer: Peer,
        kept: &mut BTreeMap<Peer, Server>,
    ) -> Result<Value> {
        let warm_up = self.warm_up(measurement, peer);
        let server = match kept.remove(&peer) {
            Some(server) => {
                server.resume();
                server
            }
            None => {
                let launch = peer.launch(&self.root, measurement)?;
                let server = Server::start(&launch, &self.cores(measurement))?;
                let start = Instant::now();
                while start.elapsed() < warm_up {
                    self.generate(measurement, peer, &server)?;
                }
                server
            }
        };
        let output = self.generate(measurement, peer, &server)?;
        if !warm_up.is_zero() {
            server.pause();
            kept.insert(peer, server);
        }
        Ok(output)
    }

    fn generate(&self, measurement: &Measurement, peer: Peer, server: &Server) -> Result<Value> {
        let mut arguments = measurement.command(peer);
        arguments.extend(measurement.destination(peer, &server.url, server.pid()));
        let patience = Duration::from_secs(measurement.seconds * 5 + 120);
        generator::run(&current_exe()?, &arguments, self.generator_core, patience)
    }

    fn cores(&self, measurement: &Measurement) -> Vec<usize> {
        match measurement.cores {
            Cores::One => vec![self.server_core],
            Cores::Two => vec![self.server_core, self.second_core],
        }
    }

    fn warm_up(&self, measurement: &Measurement, peer: Peer) -> Duration {
        match measurement.wants_warm_up() {
            true => Duration::from_secs(peer.warm_up_seconds()).min(self.most_warm_up),
            false => Duration::ZERO,
        }
    }

    /// Returns how many seconds a run may take.
    fn expected(&self, measurement: &Measurement, peer: Peer, round: u64) -> u64 {
        let warm_up = self.warm_up(measurement, peer).as_secs();
        let first = if round == 1 && warm_up > 0 { warm_up + measurement.seconds / 2 } else { 0 };
        measurement.seconds + first + OVERHEAD_SECONDS
    }
}

impl Progress {
    fn new(runner: &Runner, measurements: &[Measurement]) -> Self {
        let (mut total, mut expected) = (0, 0);
        for measurement in measurements {
            for round in 1..=runner.rounds {
                let peers = runner.peers.iter().copied();
                for peer in peers.filter(|&peer| measurement.includes(peer, round)) {
                    total += 1;
                    expected += runner.expected(measurement, peer, round);
                }
            }
        }
        Self { start: Instant::now(), done: 0, total, expected_done: 0, expected }
    }

    fn say(&self, measurement: &Measurement, peer: Peer, round: u64, rounds: u64) {
        let number = self.done + 1;
        let left = minutes(self.seconds_left());
        say::note(format!(
            "[{number}/{}, {left} left] {}: {}, round {round} of {rounds}",
            self.total,
            measurement.title,
            peer.name()
        ));
    }

    /// Returns what is left to expect, by how right the expectations were so far.
    fn seconds_left(&self) -> f64 {
        let left = self.expected.saturating_sub(self.expected_done) as f64;
        match self.expected_done {
            0 => left,
            done => left * self.start.elapsed().as_secs_f64() / done as f64,
        }
    }

    fn step(&mut self, expected: u64) {
        self.done += 1;
        self.expected_done += expected;
    }
}

fn minutes(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("about {seconds:.0} s"),
        seconds => format!("about {:.0} min", seconds / 60.0),
    }
}

fn say_outcome(measurement: &Measurement, outcome: &Result<Value>) {
    let figure = Figure::main(measurement.group, measurement.scenario);
    match outcome.as_ref().map(|output| figure.of(output)) {
        Ok(Some(value)) => say::note(format!("    {}", figure.show(value))),
        Ok(None) => say::note("    done, but its figure is unknown"),
        Err(error) => say::note(format!("    FAILED: {error}")),
    }
}

fn record(measurement: &Measurement, peer: Peer, round: u64, outcome: Result<Value>) -> Run {
    let (output, error) = match outcome {
        Ok(output) => (Some(output), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let command = measurement.command(peer).join(" ");
    Run { measurement: measurement.id.to_owned(), peer, round, command, output, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::plan::{Size, measurements};

    #[test]
    fn everything_takes_less_than_50_minutes() {
        let runner = Runner {
            root: PathBuf::new(),
            peers: Peer::ALL.to_vec(),
            rounds: 3,
            server_core: 0,
            second_core: 1,
            generator_core: 1,
            most_warm_up: Duration::from_secs(60),
            file: PathBuf::new(),
        };
        let all = measurements(Size::Full);
        for one in &all {
            let alone = Progress::new(&runner, std::slice::from_ref(one));
            println!("{}: {} runs, {} s", one.id, alone.total, alone.expected);
        }
        let minutes = Progress::new(&runner, &all).expected / 60;
        assert!(minutes < 50, "{minutes} minutes");
    }
}
