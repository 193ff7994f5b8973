//! The counts on record, a file in the tree, and what a new count is beside them.

use std::{collections::BTreeMap, fmt, fs, io::ErrorKind, path::Path};

use crate::{Result, histogram::grouped, instructions::case::Case};

#[derive(Debug, Default)]
pub(super) struct Record {
    /// The compiler whose code was counted.
    rustc: Option<String>,
    counts: BTreeMap<String, u64>,
}

/// A count beside that on record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Within what is allowed.
    Same {
        old: u64,
        percent: f64,
    },
    Grown {
        old: u64,
        percent: f64,
    },
    Shrunk {
        old: u64,
        percent: f64,
    },
    /// There is nothing to compare with.
    New,
}

/// How much a count may differ from that on record, in percent.
const ALLOWED: f64 = 5.0;

impl Record {
    /// Reads a record, which is empty if there is none yet.
    pub(super) fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => {
                Self::parse(&text).map_err(|line| format!("{}: {line:?}", path.display()).into())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display()).into()),
        }
    }

    /// Fails with the line that is wrong.
    fn parse(text: &str) -> Result<Self, String> {
        let mut record = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix('#') {
                if comment.trim().starts_with("rustc ") {
                    record.rustc = Some(comment.trim().to_owned());
                }
                continue;
            }
            let mut words = line.split_whitespace();
            let (name, count) = (words.next(), words.next().and_then(|count| count.parse().ok()));
            let (Some(name), Some(count)) = (name, count) else { return Err(line.to_owned()) };
            record.counts.insert(name.to_owned(), count);
        }
        Ok(record)
    }

    pub(super) fn write(&self, path: &Path, rustc: &str) -> Result<()> {
        let mut text = format!(
            "# Instructions per operation, by `benchmark instructions --record`.\n# {rustc}\n"
        );
        for (name, count) in &self.counts {
            text += &format!("{name:<20} {count:>12}\n");
        }
        fs::write(path, text).map_err(|error| {
            let hint = "run it at the root of the tree, or give --file";
            format!("cannot write {}: {error}; {hint}", path.display()).into()
        })
    }

    pub(super) fn rustc(&self) -> Option<&str> {
        self.rustc.as_deref()
    }

    pub(super) fn set(&mut self, case: Case, count: u64) {
        self.counts.insert(case.name(), count);
    }

    pub(super) fn judge(&self, case: Case, count: u64) -> Verdict {
        let Some(old) = self.counts.get(&case.name()).copied() else { return Verdict::New };
        let percent = 100.0 * (count as f64 - old as f64) / old.max(1) as f64;
        if percent > ALLOWED {
            Verdict::Grown { old, percent }
        } else if percent < -ALLOWED {
            Verdict::Shrunk { old, percent }
        } else {
            Verdict::Same { old, percent }
        }
    }
}

impl Verdict {
    /// Whether a check fails of it.
    pub(super) fn is_fault(&self) -> bool {
        matches!(self, Self::Grown { .. } | Self::New)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (old, percent, what) = match self {
            Self::Same { old, percent } => (old, percent, ""),
            Self::Grown { old, percent } => (old, percent, ": GROWN by more than 5 %"),
            Self::Shrunk { old, percent } => (old, percent, ": shrunk by more than 5 %"),
            Self::New => return f.write_str("NOT ON RECORD"),
        };
        write!(f, "{percent:+.2} % of {}{what}", grouped(*old as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_may_differ_by_five_percent() {
        let text = "# rustc 1.95.0\nfreeze   1000\n\nlong_poll 100\n";
        let record = Record::parse(text).unwrap();
        assert_eq!(record.rustc(), Some("rustc 1.95.0"));
        assert!(matches!(record.judge(Case::Freeze, 1050), Verdict::Same { .. }));
        assert!(matches!(record.judge(Case::Freeze, 1051), Verdict::Grown { old: 1000, .. }));
        assert!(matches!(record.judge(Case::Freeze, 949), Verdict::Shrunk { .. }));
        assert_eq!(record.judge(Case::EncodeReply, 1), Verdict::New);
        assert_eq!(Record::parse("freeze many").unwrap_err(), "freeze many");
    }

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("instructions-{}.txt", std::process::id()));
        let mut record = Record::default();
        record.set(Case::PublishTo10000, 7);
        record.write(&path, "rustc 1.95.0").unwrap();
        let read = Record::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!((read.rustc.as_deref(), read.counts), (Some("rustc 1.95.0"), record.counts));
    }
}
