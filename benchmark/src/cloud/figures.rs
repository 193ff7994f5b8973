//! What came of a measurement of a cluster: its name, and figures with their names and units.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{Result, report};

#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    scenario: String,
    #[serde(flatten)]
    values: Map<String, Value>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Figures {
    pub(crate) fn new(part: &str) -> Self {
        Self { scenario: format!("cloud {part}"), values: Map::new(), lines: Vec::new() }
    }

    /// Adds a figure: its name in JSON, what it is called by people, and its unit.
    pub(crate) fn add(&mut self, name: &str, what: &str, value: f64, unit: &str) {
        self.values.insert(name.to_owned(), json!(value));
        self.lines.push(format!("{what}: {value:.3} {unit}").trim_end().to_owned());
    }

    /// Adds the middle one of several rounds, with the least and the greatest.
    pub(crate) fn add_rounds(&mut self, name: &str, what: &str, mut rounds: Vec<f64>, unit: &str) {
        rounds.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (rounds.first(), rounds.last()) else { return };
        let middle = rounds[rounds.len() / 2];
        let spread = format!("({least:.3} to {most:.3}, {} rounds)", rounds.len());
        self.lines.push(format!("{what}: {middle:.3} {unit} {spread}"));
        self.values.insert(name.to_owned(), json!(middle));
        self.values.insert(format!("{name}_rounds"), json!(rounds));
    }

    pub(crate) fn print(&self, is_json: bool) -> Result<()> {
        report::print(is_json, self)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.scenario)?;
        self.lines.iter().try_for_each(|line| writeln!(formatter, "  {line}"))
    }
}

/// Returns microseconds for each of so many.
pub(crate) fn micros_each(time: Duration, count: u64) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}
