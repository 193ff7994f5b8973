//! Two kinds of chart: bars of one figure for each server, and ranges of percentiles.

use crate::compare::{
    figure::{Figure, digits},
    peer::Peer,
    svg::{Anchor, Class, Picture},
};

/// Bars: in each panel one for each server.
#[derive(Debug)]
pub(crate) struct Bars {
    pub(crate) title: &'static str,
    /// What a bar is, with its unit.
    pub(crate) legend: &'static str,
    pub(crate) figure: Figure,
    pub(crate) panels: Vec<Panel<f64>>,
}

/// Ranges, on a logarithmic scale: in each panel one for each server.
#[derive(Debug)]
pub(crate) struct Ranges {
    pub(crate) title: &'static str,
    pub(crate) legend: &'static str,
    pub(crate) panels: Vec<Panel<Percentiles>>,
}

#[derive(Debug)]
pub(crate) struct Panel<T> {
    pub(crate) title: String,
    pub(crate) rows: Vec<(Peer, T)>,
}

/// Microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
}

const WIDTH: f64 = 780.0;
const MARGIN: f64 = 20.0;
/// Where bars begin, and how far they go.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 620.0;
const ROW: f64 = 24.0;

impl Bars {
    /// Returns none when there is nothing to show.
    pub(crate) fn draw(&self) -> Option<String> {
        let (mut picture, mut y) = begin(self.title, self.legend);
        let panels = self.panels.iter().filter(|panel| !panel.rows.is_empty());
        for panel in panels.clone() {
            heading(&mut picture, &mut y, &panel.title);
            let most = panel.rows.iter().map(|(_, value)| *value).fold(0.0, f64::max);
            let ours = panel.rows.iter().find(|(peer, _)| *peer == Peer::Ours);
            for (peer, value) in &panel.rows {
                let width = (RIGHT - LEFT) * (value / most).max(0.003);
                picture.text(LEFT - 10.0, y + 16.0, Class::Label, Anchor::End, peer.title());
                picture.rectangle(LEFT, y + 3.0, width, ROW - 6.0, class(*peer));
                let text = match ours {
                    Some((_, ours)) if *peer != Peer::Ours && *ours > 0.0 => {
                        format!("{} ({}×)", self.figure.show(*value), digits(value / ours))
                    }
                    Some(_) | None => self.figure.show(*value),
                };
                picture.text(LEFT + width + 8.0, y + 16.0, Class::Label, Anchor::Start, &text);
                y += ROW;
            }
        }
        panels.count().gt(&0).then(|| picture.finish(y + MARGIN, self.title))
    }
}

impl Ranges {
    /// Returns none when there is nothing to show.
    pub(crate) fn draw(&self) -> Option<String> {
        let all = self.panels.iter().flat_map(|panel| &panel.rows).map(|(_, row)| row);
        let least = all.clone().map(|row| row.p50).fold(f64::INFINITY, f64::min);
        let most = all.map(|row| row.p99_9).fold(0.0, f64::max);
        if most <= 0.0 {
            return None;
        }
        let scale = Scale::new(least, most);
        let (mut picture, mut y) = begin(self.title, self.legend);
        for panel in self.panels.iter().filter(|panel| !panel.rows.is_empty()) {
            heading(&mut picture, &mut y, &panel.title);
            let bottom = y + ROW * panel.rows.len() as f64;
            scale.draw(&mut picture, y, bottom);
            for (peer, row) in &panel.rows {
                range(&mut picture, &scale, y + ROW / 2.0, *peer, row);
                y += ROW;
            }
            y += 18.0;
        }
        Some(picture.finish(y + MARGIN / 2.0, self.title))
    }
}

fn range(picture: &mut Picture, scale: &Scale, y: f64, peer: Peer, row: &Percentiles) {
    let class = class(peer);
    picture.text(LEFT - 10.0, y + 4.0, Class::Label, Anchor::End, peer.title());
    picture.line((scale.x(row.p50), y), (scale.x(row.p99_9), y), 3.0, class);
    picture.dot(scale.x(row.p50), y, 5.0, class);
    picture.dot(scale.x(row.p99), y, 4.0, class);
    picture.line((scale.x(row.p99_9), y - 6.0), (scale.x(row.p99_9), y + 6.0), 3.0, class);
    let text = format!("{} · {} · {}", micros(row.p50), micros(row.p99), micros(row.p99_9));
    picture.text(WIDTH - MARGIN, y + 4.0, Class::Label, Anchor::End, &text);
}

/// Whole decades.
struct Scale {
    first: i32,
    last: i32,
}

/// Where the scale of ranges ends: their values stand at the right.
const RANGES_RIGHT: f64 = 560.0;

impl Scale {
    fn new(least: f64, most: f64) -> Self {
        let first = least.max(0.1).log10().floor() as i32;
        Self { first, last: (most.log10().ceil() as i32).max(first + 1) }
    }

    fn x(&self, value: f64) -> f64 {
        let (first, last) = (f64::from(self.first), f64::from(self.last));
        let part = (value.max(0.1).log10() - first) / (last - first);
        LEFT + (RANGES_RIGHT - LEFT) * part.clamp(0.0, 1.0)
    }

    fn draw(&self, picture: &mut Picture, top: f64, bottom: f64) {
        for decade in self.first..=self.last {
            let value = 10_f64.powi(decade);
            let x = self.x(value);
            picture.line((x, top), (x, bottom), 1.0, Class::Grid);
            picture.text(x, bottom + 13.0, Class::Muted, Anchor::Middle, &round_micros(value));
        }
    }
}

fn begin(title: &str, legend: &str) -> (Picture, f64) {
    let mut picture = Picture::new(WIDTH);
    picture.text(MARGIN, 32.0, Class::Title, Anchor::Start, title);
    picture.text(MARGIN, 52.0, Class::Muted, Anchor::Start, legend);
    (picture, 56.0)
}

fn heading(picture: &mut Picture, y: &mut f64, title: &str) {
    picture.text(MARGIN, *y + 24.0, Class::Heading, Anchor::Start, title);
    *y += 34.0;
}

fn class(peer: Peer) -> Class {
    match peer {
        Peer::Ours | Peer::Attribute | Peer::Application | Peer::Deliver => Class::Ours,
        Peer::Limit => Class::Limit,
        Peer::Java | Peer::Centrifugo | Peer::Faye | Peer::CometdNodejs => Class::Other,
    }
}

fn micros(value: f64) -> String {
    match value {
        value if value >= 1_000_000.0 => format!("{} s", digits(value / 1_000_000.0)),
        value if value >= 1_000.0 => format!("{} ms", digits(value / 1_000.0)),
        value => format!("{} µs", digits(value)),
    }
}

fn round_micros(value: f64) -> String {
    match value {
        value if value >= 1_000_000.0 => format!("{:.0} s", value / 1_000_000.0),
        value if value >= 1_000.0 => format!("{:.0} ms", value / 1_000.0),
        value => format!("{value} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_their_values_as_text() {
        let rows = vec![(Peer::Ours, 2.0), (Peer::Limit, 1.0), (Peer::Java, 30.0)];
        let panels = vec![Panel { title: "a & b".to_owned(), rows }];
        let chart = Bars { title: "t", legend: "l", figure: Figure::Delivery, panels };
        let svg = chart.draw().unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
        for text in ["a & b", "2.00 µs", "30.0 µs (15.0×)"] {
            assert!(texts.contains(&text), "{text} is not in {texts:?}");
        }
        assert!(Bars { panels: Vec::new(), ..chart }.draw().is_none());
    }

    #[test]
    fn ranges_are_drawn_within_their_scale() {
        let row = Percentiles { p50: 90.0, p99: 450.0, p99_9: 12_000.0 };
        let panels = vec![Panel { title: "a".to_owned(), rows: vec![(Peer::Ours, row)] }];
        let svg = Ranges { title: "t", legend: "l", panels }.draw().unwrap();
        assert!(svg.contains("90.0 µs · 450 µs · 12.0 ms"), "{svg}");
        let document = roxmltree::Document::parse(&svg).unwrap();
        for dot in document.descendants().filter(|node| node.has_tag_name("circle")) {
            let x: f64 = dot.attribute("cx").unwrap().parse().unwrap();
            assert!((LEFT..=RANGES_RIGHT).contains(&x), "{x}");
        }
    }
}
