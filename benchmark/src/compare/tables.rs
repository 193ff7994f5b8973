//! The tables of the document, in Markdown.

use std::fmt::Write as _;

use crate::compare::{
    bar::{Judgement, Row, Table},
    charts::median,
    figure::{Figure, digits, grouped},
    measurement::{Company, Group, Measurement},
    peer::Peer,
    results::Results,
    rows::ROWS,
    statistics::Spread,
};

pub(crate) const NOT_MEASURED: &str = "Not measured: `benchmark compare` does it.";

/// Writes what is to be reached beside what was.
pub(crate) fn bars(results: &Results, table: Table) -> String {
    let mut text = "| | ours | compared with | judged, with its spread | bar | |\n\
                    | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for row in ROWS.iter().filter(|row| row.table == table) {
        let bar = row.bar.show(row.figure);
        let line = match row.judge(results) {
            Some(judgement) => judged(row, &judgement, &bar),
            None => format!("| {} | not measured | | | {bar} | |", row.name),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn judged(row: &Row, judgement: &Judgement, bar: &str) -> String {
    let Judgement { measured, reference, judged, is_met } = judgement;
    let reference = reference.map(|spread| row.figure.show(spread.median)).unwrap_or_default();
    let unit = if row.bar.is_ratio() { "×" } else { row.figure.unit() };
    let verdict = if *is_met { "met" } else { "**NOT met**" };
    format!(
        "| {} | {} | {reference} | {} | {bar} | {verdict} |",
        row.name,
        row.figure.show(measured.median),
        spread(judged, unit)
    )
}

/// Writes the median, with the least and the most if they are others.
fn spread(spread: &Spread, unit: &str) -> String {
    let Spread { least, median, most } = spread;
    let alone = format!("**{}{unit}**", digits(*median));
    match digits(*least) == digits(*most) {
        true => alone,
        false => format!("{alone} ({}–{})", digits(*least), digits(*most)),
    }
}

/// Writes how many messages were lost in all the runs of our server.
pub(crate) fn losses(results: &Results) -> String {
    let (deliveries, lost) = results.deliveries_and_losses(Peer::Ours);
    let failed = results.failed().filter(|(run, _)| run.peer == Peer::Ours).count();
    let verdict = if lost == 0 && failed == 0 { "met" } else { "**NOT met**" };
    format!(
        "Messages lost, doubled or out of order, anywhere: **{lost}** of {}, and {failed} failed \
         run(s); bar: 0: {verdict}.",
        grouped(deliveries)
    )
}

/// Writes what everybody's server costs.
pub(crate) fn peers(results: &Results, measurements: &[Measurement]) -> String {
    let peers = Peer::ALL.into_iter();
    let peers: Vec<_> = peers
        .filter(|peer| !peer.is_variant() && results.runs.iter().any(|run| run.peer == *peer))
        .collect();
    let mut text = String::from("| |");
    for peer in &peers {
        let _ = write!(text, " {} |", peer.title());
    }
    let _ = writeln!(text, "\n| --- |{}", " --- |".repeat(peers.len()));
    for measurement in measurements.iter().filter(|one| one.company == Company::All) {
        for figure in figures(measurement) {
            let is_known = |peer: &Peer| median(results, measurement.id, *peer, *figure).is_some();
            if !peers.iter().any(is_known) {
                continue;
            }
            let _ = write!(text, "| {}, {} |", measurement.title, what(*figure));
            let ours = median(results, measurement.id, Peer::Ours, *figure);
            for peer in &peers {
                let value = median(results, measurement.id, *peer, *figure);
                let _ = write!(text, " {} |", cell(*peer, *figure, value, ours));
            }
            text.push('\n');
        }
    }
    text
}

fn cell(peer: Peer, figure: Figure, value: Option<f64>, ours: Option<f64>) -> String {
    match (value, ours) {
        (None, _) => "–".to_owned(),
        (Some(value), Some(ours)) if peer != Peer::Ours && ours > 0.0 => {
            format!("{} ({}×)", figure.show(value), digits(value / ours))
        }
        (Some(value), _) => figure.show(value),
    }
}

fn figures(measurement: &Measurement) -> &'static [Figure] {
    match measurement.group {
        Group::Fanout | Group::Echo | Group::Rooms | Group::Application => &[Figure::Delivery],
        Group::Churn => &[Figure::Cycle],
        Group::Idle if measurement.id == "idle-parked" => &[Figure::Memory],
        Group::Idle => &[Figure::Memory, Figure::IdleTime],
        Group::Latency => &[Figure::P50, Figure::P99],
        Group::Slow | Group::Cores => &[],
    }
}

fn what(figure: Figure) -> &'static str {
    match figure {
        Figure::Delivery => "processor time per delivery",
        Figure::UserTime => "processor time per delivery without the kernel's",
        Figure::ChannelMemory => "memory of each",
        Figure::Cycle => "processor time for each",
        Figure::Memory => "memory of each",
        Figure::IdleTime => "processor time of each in a second",
        Figure::P50 => "p50",
        Figure::P99 => "p99",
        Figure::P99_9 => "p99.9",
        Figure::Tail | Figure::Stall | Figure::StallMemory | Figure::Growth => "growth",
        Figure::Throughput => "throughput",
    }
}

/// Writes how each number came about.
pub(crate) fn commands(results: &Results, measurements: &[Measurement]) -> String {
    let mut text = String::new();
    for measurement in measurements {
        if let Some(command) = results.command(measurement.id) {
            let _ = writeln!(text, "- {}:  \n  `benchmark {command}`", measurement.title);
        }
    }
    if text.is_empty() { NOT_MEASURED.to_owned() } else { text }
}
