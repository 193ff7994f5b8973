//! Puts the results into the document, with its charts beside it.

use std::{fs, path::Path};

use crate::{
    Result,
    compare::{
        bar::Table,
        charts::{Chart, charts},
        document::replace,
        measurement::Measurement,
        results::Results,
        tables,
    },
};

const DOCUMENT: &str = "performance.md";
const CHARTS: &str = "performance";

/// Writes the document and its charts into a folder. What is written by hand comes from the document
/// that is there, or else from that of the repository.
pub(crate) fn write(
    results: &Results,
    measurements: &[Measurement],
    root: &Path,
    folder: &Path,
) -> Result<()> {
    let original = root.join("docs").join(DOCUMENT);
    let path = folder.join(DOCUMENT);
    let template = if path.is_file() { &path } else { &original };
    let wrong = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut document = fs::read_to_string(template).map_err(|error| wrong(template, &error))?;
    let charts = charts(results, measurements);
    for (name, text) in parts(results, measurements, &charts) {
        document = replace(&document, name, &text).map_err(|error| wrong(template, &error))?;
    }
    let pictures = folder.join(CHARTS);
    fs::create_dir_all(&pictures).map_err(|error| wrong(&pictures, &error))?;
    for chart in &charts {
        let picture = pictures.join(chart.file);
        fs::write(&picture, &chart.svg).map_err(|error| wrong(&picture, &error))?;
    }
    fs::write(&path, document).map_err(|error| wrong(&path, &error).into())
}

fn parts(
    results: &Results,
    measurements: &[Measurement],
    charts: &[Chart],
) -> [(&'static str, String); 8] {
    let table = |table| tables::bars(results, table);
    let load = format!("{}\n{}", table(Table::Load), tables::losses(results));
    [
        ("machine", machine(results)),
        ("messages", table(Table::Messages)),
        ("application", table(Table::Application)),
        ("idle", table(Table::Idle)),
        ("load", load),
        ("peers", tables::peers(results, measurements)),
        ("charts", charts.iter().map(image).collect()),
        ("commands", tables::commands(results, measurements)),
    ]
}

fn machine(results: &Results) -> String {
    let mut text = results.machine.describe();
    if results.is_quick {
        text.push_str("\n**A quick try: these numbers mean little.**\n");
    }
    for (run, error) in results.failed() {
        let (measurement, peer, round) = (&run.measurement, run.peer.title(), run.round);
        text.push_str(&format!("\nFailed: {measurement} with {peer}, round {round}: {error}\n"));
    }
    text
}

fn image(chart: &Chart) -> String {
    format!("![{}]({CHARTS}/{})\n\n", chart.title, chart.file)
}
