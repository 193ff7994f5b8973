//! The machine that the numbers are of.

use std::{fs, process::Command, thread::available_parallelism};

use serde::{Deserialize, Serialize};

/// What the numbers depend on, beside the programs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    processor: String,
    pub(crate) cores: usize,
    memory_gib: u64,
    kernel: String,
    rustc: String,
    commit: String,
    date: String,
    /// The load average when the measuring began.
    load: String,
}

/// The allocator of `serve` and `limit`.
const ALLOCATOR: &str = "mimalloc without huge pages";

impl Machine {
    pub(crate) fn this() -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: value("/proc/cpuinfo", "model name"),
            cores: available_parallelism().map_or(1, usize::from),
            memory_gib: kilobytes(&value("/proc/meminfo", "MemTotal")) / (1024 * 1024),
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            rustc: said_by("rustc", &["--version"]),
            commit: commit(),
            date: said_by("date", &["+%Y-%m-%d"]),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    /// Whether numbers of `other` may stand beside those of this one.
    pub(crate) fn compares_with(&self, other: &Self) -> bool {
        let what = |one: &Self| {
            let Self { processor, cores, memory_gib, kernel, rustc, commit, .. } = one.clone();
            (processor, cores, memory_gib, kernel, rustc, commit)
        };
        what(self) == what(other)
    }

    #[cfg(test)]
    pub(crate) fn of_commit(commit: &str) -> Self {
        Self { commit: commit.to_owned(), ..Self::default() }
    }

    /// Tells why the numbers may be worse than they could be.
    pub(crate) fn is_busy(&self) -> bool {
        self.load.parse().is_ok_and(|load: f64| load > 0.5)
    }

    pub(crate) fn load(&self) -> &str {
        &self.load
    }

    /// Returns the Markdown that describes it.
    pub(crate) fn describe(&self) -> String {
        let Self { processor, cores, memory_gib, kernel, rustc, commit, date, .. } = self;
        format!(
            "| | |\n| --- | --- |\n| processor | {processor}, {cores} cores |\n\
             | memory | {memory_gib} GiB |\n| kernel | Linux {kernel} |\n| compiler | {rustc} |\n\
             | allocator | {ALLOCATOR} |\n| date and commit | {date}, `{commit}` |\n"
        )
    }
}

/// Returns the value of a line `name: value`.
fn value(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

fn kilobytes(value: &str) -> u64 {
    value.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Returns the commit, and whether anything was changed since; not so what `compare` itself writes.
fn commit() -> String {
    let changes = ["status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)docs"];
    let mark = if output("git", &changes).is_some() { "-dirty" } else { "" };
    said_by("git", &["describe", "--always"]) + mark
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    output(program, arguments).unwrap_or_else(|| "unknown".to_owned())
}

/// Returns what a program prints, if that is anything.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
