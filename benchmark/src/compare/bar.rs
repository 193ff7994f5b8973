//! What is to be reached, and whether it is.

use serde_json::Value;

use crate::compare::{
    figure::Figure,
    peer::Peer,
    results::Results,
    statistics::{Spread, ratios},
};

/// A figure of a measurement, and what it has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) table: Table,
    pub(crate) name: &'static str,
    pub(crate) measurement: &'static str,
    pub(crate) figure: Figure,
    pub(crate) bar: Bar,
}

/// Which table of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Messages,
    Application,
    Idle,
    Load,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    AtMost(f64),
    /// At most so many times a peer's figure of the same round.
    AtMostTimes(f64, Peer),
    /// Of a variant of ours: at most so many times what ours without that has in the same round.
    TimesOurs(f64, Peer),
    /// At least so many times the throughput that another measurement has with one core.
    Scales(f64, &'static str),
}

/// What the rounds say together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgement {
    pub(crate) measured: Spread,
    /// What it is compared with, if it is.
    pub(crate) reference: Option<Spread>,
    /// What the bar is for: the figure itself, or a ratio.
    pub(crate) judged: Spread,
    pub(crate) is_met: bool,
}

impl Row {
    /// Returns none when there was no such measurement.
    pub(crate) fn judge(&self, results: &Results) -> Option<Judgement> {
        let values = |measurement, peer| results.values(measurement, peer, self.figure);
        let ours = values(self.measurement, Peer::Ours);
        let measured = spread(&ours)?;
        match self.bar {
            Bar::AtMost(most) => {
                let is_met = measured.median <= most;
                Some(Judgement { measured, reference: None, judged: measured, is_met })
            }
            Bar::AtMostTimes(most, peer) => {
                let references = values(self.measurement, peer);
                let judged = Spread::of(ratios(&ours, &references))?;
                let is_met = judged.median <= most;
                Some(Judgement { measured, reference: spread(&references), judged, is_met })
            }
            Bar::TimesOurs(most, variant) => {
                let variants = values(self.measurement, variant);
                let judged = Spread::of(ratios(&variants, &ours))?;
                let is_met = judged.median <= most;
                let reference = Some(measured);
                Some(Judgement { measured: spread(&variants)?, reference, judged, is_met })
            }
            Bar::Scales(least, one) => {
                let judged = Spread::of(speed_ups(results, one, self.measurement))?;
                let reference = spread(&values(one, Peer::Ours));
                let is_met = judged.median >= least;
                Some(Judgement { measured, reference, judged, is_met })
            }
        }
    }
}

impl Bar {
    pub(crate) fn show(self, figure: Figure) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}{}", figure.unit()),
            Self::AtMostTimes(most, peer) => format!("≤ {most}× {}", peer.title()),
            Self::TimesOurs(most, _) => format!("≤ {most}× ours without"),
            Self::Scales(least, _) => format!("≥ {least}× one core"),
        }
    }

    /// Whether a ratio is judged, not the figure itself.
    pub(crate) fn is_ratio(self) -> bool {
        match self {
            Self::AtMost(_) => false,
            Self::AtMostTimes(..) | Self::TimesOurs(..) | Self::Scales(..) => true,
        }
    }
}

fn spread(values: &[(u64, f64)]) -> Option<Spread> {
    Spread::of(values.iter().map(|(_, value)| *value))
}

/// Returns what a second core gains, round by round.
fn speed_ups(results: &Results, one: &str, two: &str) -> Vec<f64> {
    let ones: Vec<_> = results.outputs(one, Peer::Ours).collect();
    let twos = results.outputs(two, Peer::Ours);
    twos.filter_map(|(round, two)| {
        let (_, one) = ones.iter().find(|(other, _)| *other == round)?;
        match results.has_third_core {
            true => Some(Figure::Throughput.of(two)? / Figure::Throughput.of(one)?),
            false => speed_up_beside_generator(one, two),
        }
    })
    .collect()
}

/// Returns what two whole cores would gain, where the generator takes its part of them: the work done
/// in a second, in seconds that one core would need for it, against the time that was left for the
/// server.
fn speed_up_beside_generator(one: &Value, two: &Value) -> Option<f64> {
    let number = |output: &Value, name: &str| output[name].as_f64();
    let work = number(one, "server_cpu_seconds")? / number(one, "deliveries")?;
    let wall = number(two, "wall_seconds")?;
    let done = number(two, "deliveries")? / wall * work;
    let left = 2.0 - number(two, "generator_cpu_seconds")? / wall;
    Some(2.0 * done / left)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compare::results::Run;

    fn run(measurement: &str, peer: Peer, round: u64, output: Value) -> Run {
        let measurement = measurement.to_owned();
        Run { measurement, peer, round, command: String::new(), output: Some(output), error: None }
    }

    #[test]
    fn a_ratio_is_judged_by_the_median_of_the_rounds() {
        let micros = |value: f64| json!({"cpu_micros_per_delivery": value});
        let runs = vec![
            run("a", Peer::Ours, 1, micros(3.0)),
            run("a", Peer::Limit, 1, micros(2.0)),
            run("a", Peer::Ours, 2, micros(9.0)),
            run("a", Peer::Limit, 2, micros(4.5)),
            run("a", Peer::Ours, 3, micros(1.0)),
            run("a", Peer::Limit, 3, micros(1.0)),
        ];
        let results = Results { runs, ..Results::default() };
        let row = |most| Row {
            table: Table::Messages,
            name: "",
            measurement: "a",
            figure: Figure::Delivery,
            bar: Bar::AtMostTimes(most, Peer::Limit),
        };
        let judgement = row(1.6).judge(&results).unwrap();
        assert_eq!(judgement.judged, Spread { least: 1.0, median: 1.5, most: 2.0 });
        assert!(judgement.is_met);
        assert!(!row(1.4).judge(&results).unwrap().is_met);
        let variant = Row { bar: Bar::TimesOurs(0.7, Peer::Limit), ..row(1.0) };
        let judgement = variant.judge(&results).unwrap();
        assert_eq!(judgement.judged, Spread { least: 0.5, median: 2.0 / 3.0, most: 1.0 });
        assert_eq!((judgement.measured.median, judgement.is_met), (2.0, true));
        assert!(Row { measurement: "b", ..row(1.0) }.judge(&results).is_none());
    }

    #[test]
    fn a_generator_beside_the_server_takes_its_time() {
        let one = json!({"server_cpu_seconds": 5.0, "deliveries": 1_000, "wall_seconds": 5.0});
        // Half a core goes to the generator, all else to the server, which needs no more than before.
        let two = json!({"generator_cpu_seconds": 2.5, "deliveries": 1_500, "wall_seconds": 5.0});
        assert_eq!(speed_up_beside_generator(&one, &two), Some(2.0));
    }
}
