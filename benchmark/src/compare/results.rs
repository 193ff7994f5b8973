//! What was measured: every run with all that its generator said.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Result,
    compare::{
        figure::Figure, machine::Machine, measurement::Measurement, peer::Peer, statistics::Rounds,
    },
};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// A try, whose numbers mean little.
    pub(crate) is_quick: bool,
    pub(crate) rounds: u64,
    /// Whether the generator has a core that is not the server's even when that has two.
    pub(crate) has_third_core: bool,
    pub(crate) runs: Vec<Run>,
}

/// One run of a generator with one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) measurement: String,
    pub(crate) peer: Peer,
    pub(crate) round: u64,
    /// What the generator was told, but for where the server is.
    pub(crate) command: String,
    #[serde(default)]
    pub(crate) output: Option<Value>,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

impl Results {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        serde_json::from_str(&text).map_err(|error| wrong(&error).into())
    }

    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
        }
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text).map_err(|error| wrong(&error).into())
    }

    /// Takes the runs of an earlier time that are of other `measurements`; false when they do not compare
    /// with those of now.
    pub(crate) fn keep_others(&mut self, before: Self, measurements: &[Measurement]) -> bool {
        let compares =
            before.is_quick == self.is_quick && before.machine.compares_with(&self.machine);
        if compares {
            let is_new = |run: &Run| measurements.iter().any(|one| one.id == run.measurement);
            self.runs.extend(before.runs.into_iter().filter(|run| !is_new(run)));
        }
        compares
    }

    /// Returns a figure of each round that has it.
    pub(crate) fn values(&self, measurement: &str, peer: Peer, figure: Figure) -> Rounds {
        self.outputs(measurement, peer)
            .filter_map(|(round, output)| Some((round, figure.of(output)?)))
            .collect()
    }

    /// Returns what the generators said in each round that did not fail.
    pub(crate) fn outputs(
        &self,
        measurement: &str,
        peer: Peer,
    ) -> impl Iterator<Item = (u64, &Value)> {
        self.runs
            .iter()
            .filter(move |run| run.measurement == measurement && run.peer == peer)
            .filter_map(|run| Some((run.round, run.output.as_ref()?)))
    }

    pub(crate) fn command(&self, measurement: &str) -> Option<&str> {
        let mut runs = self.runs.iter();
        let run = runs.find(|run| run.measurement == measurement && run.peer == Peer::Ours);
        run.map(|run| run.command.as_str())
    }

    pub(crate) fn failed(&self) -> impl Iterator<Item = (&Run, &str)> {
        self.runs.iter().filter_map(|run| Some((run, run.error.as_deref()?)))
    }

    /// Returns how many messages there were, and how many of them were lost.
    pub(crate) fn deliveries_and_losses(&self, peer: Peer) -> (u64, u64) {
        let outputs = self.runs.iter().filter(|run| run.peer == peer);
        let outputs: Vec<_> = outputs.filter_map(|run| run.output.as_ref()).collect();
        let number =
            |output: &Value, pointer: &str| output.pointer(pointer).and_then(Value::as_u64);
        let sum = |own: &str, rooms: &str| {
            let numbers =
                outputs.iter().map(|output| number(output, own).or_else(|| number(output, rooms)));
            numbers.flatten().sum()
        };
        (sum("/deliveries", "/results/messages"), sum("/lost", "/results/lost"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::plan::{Size, measurements};

    fn results(commit: &str, ids: &[&str]) -> Results {
        let run = |id: &&str| Run {
            measurement: (*id).to_owned(),
            peer: Peer::Ours,
            round: 1,
            command: String::new(),
            output: None,
            error: None,
        };
        let machine = Machine::of_commit(commit);
        Results { machine, runs: ids.iter().map(run).collect(), ..Results::default() }
    }

    #[test]
    fn others_are_kept_if_they_are_of_the_same_commit() {
        let now: Vec<_> = measurements(Size::Quick).into_iter().take(1).collect();
        let before = ["other", now[0].id];
        let mut same = results("a", &[]);
        assert!(same.keep_others(results("a", &before), &now));
        assert_eq!(same.runs.len(), 1);
        assert_eq!(same.runs[0].measurement, "other");
        let mut changed = results("b", &[]);
        assert!(!changed.keep_others(results("a", &before), &now));
        assert!(changed.runs.is_empty());
    }
}
