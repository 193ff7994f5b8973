//! The charts of the document.

use crate::compare::{
    chart::{Bars, Panel, Percentiles, Ranges},
    figure::Figure,
    measurement::Measurement,
    peer::Peer,
    results::Results,
    statistics::Spread,
};

/// A chart's file, what it shows in words, and the picture.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) svg: String,
}

/// Draws those of which there are numbers.
pub(crate) fn charts(results: &Results, measurements: &[Measurement]) -> Vec<Chart> {
    let panels = |ids: &[&str], figure| {
        ids.iter().filter_map(|id| bars(results, measurements, id, figure)).collect()
    };
    let delivery =
        "the server's processor time for a message that reaches a client, in µs; less is better";
    let all = [
        (
            "fanout.svg",
            Bars {
                title: "A message to many",
                legend: delivery,
                figure: Figure::Delivery,
                panels: panels(
                    &["fanout-websocket", "fanout-websocket-8", "fanout-long-polling"],
                    Figure::Delivery,
                ),
            },
        ),
        (
            "echo.svg",
            Bars {
                title: "A message there and back",
                legend: delivery,
                figure: Figure::Delivery,
                panels: panels(&["echo-websocket", "echo-long-polling"], Figure::Delivery),
            },
        ),
        (
            "rooms.svg",
            Bars {
                title: "CometD's own load test",
                legend: delivery,
                figure: Figure::Delivery,
                panels: panels(&["rooms-websocket", "rooms-long-polling"], Figure::Delivery),
            },
        ),
        (
            "churn.svg",
            Bars {
                title: "Sessions that come and go",
                legend: "the server's processor time for each, in µs; less is better",
                figure: Figure::Cycle,
                panels: panels(&["churn-websocket", "churn-long-polling"], Figure::Cycle),
            },
        ),
        (
            "memory.svg",
            Bars {
                title: "Memory of sessions that wait",
                legend: "growth of the server's resident memory for each, in KiB; less is better",
                figure: Figure::Memory,
                panels: panels(&["idle-websocket", "idle-held", "idle-parked"], Figure::Memory),
            },
        ),
    ];
    let drawn = all
        .into_iter()
        .filter_map(|(file, chart)| Some(Chart { file, title: chart.title, svg: chart.draw()? }));
    drawn.chain(latency(results, measurements)).collect()
}

fn latency(results: &Results, measurements: &[Measurement]) -> Option<Chart> {
    let title = "Latency at a fixed rate";
    let panels = ["latency-100", "latency-1000"];
    let ranges = Ranges {
        title,
        legend: "from when a message was to be sent until a subscriber had it: p50 · p99 · p99.9; \
                 less is better",
        panels: panels.iter().filter_map(|id| ranges(results, measurements, id)).collect(),
    };
    Some(Chart { file: "latency.svg", title, svg: ranges.draw()? })
}

fn bars(
    results: &Results,
    measurements: &[Measurement],
    id: &str,
    figure: Figure,
) -> Option<Panel<f64>> {
    panel(measurements, id, |peer| median(results, id, peer, figure))
}

fn ranges(results: &Results, measurements: &[Measurement], id: &str) -> Option<Panel<Percentiles>> {
    let of = |peer, figure| median(results, id, peer, figure);
    panel(measurements, id, |peer| {
        Some(Percentiles {
            p50: of(peer, Figure::P50)?,
            p99: of(peer, Figure::P99)?,
            p99_9: of(peer, Figure::P99_9)?,
        })
    })
}

fn panel<T>(
    measurements: &[Measurement],
    id: &str,
    value: impl Fn(Peer) -> Option<T>,
) -> Option<Panel<T>> {
    let measurement = measurements.iter().find(|measurement| measurement.id == id)?;
    let rows = Peer::ALL.into_iter().filter_map(|peer| Some((peer, value(peer)?))).collect();
    Some(Panel { title: measurement.title.clone(), rows })
}

/// Returns the middle of the rounds.
pub(crate) fn median(results: &Results, id: &str, peer: Peer, figure: Figure) -> Option<f64> {
    let values = results.values(id, peer, figure);
    Some(Spread::of(values.into_iter().map(|(_, value)| value))?.median)
}
