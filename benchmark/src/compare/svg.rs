//! A picture of rectangles, lines and text as SVG, which reads well on light and on dark pages.

use std::fmt::Write as _;

/// What something is, which says its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Title,
    Heading,
    Label,
    Muted,
    Ours,
    Limit,
    Other,
    Grid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture while it is drawn, from the top left.
#[derive(Debug)]
pub(crate) struct Picture {
    width: f64,
    body: String,
}

/// The page's colours are not known to a picture, so it brings its own ground, light or dark.
const STYLE: &str = "
.ground{fill:#fff;stroke:#d1d9e0}
text{font-family:-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif;font-size:13px;fill:#1f2328}
.title{font-size:16px;font-weight:600}.heading{font-weight:600}.muted{fill:#59636e}
rect.ours,circle.ours{fill:#c2410c}rect.limit,circle.limit{fill:#8c959f}rect.other,circle.other{fill:#5b7db1}
line.ours{stroke:#c2410c}line.limit{stroke:#8c959f}line.other{stroke:#5b7db1}line.grid{stroke:#d1d9e0}
@media(prefers-color-scheme:dark){
.ground{fill:#0d1117;stroke:#3d444d}text{fill:#f0f6fc}.muted{fill:#9198a1}
rect.ours,circle.ours{fill:#f0883e}rect.limit,circle.limit{fill:#6e7681}rect.other,circle.other{fill:#6a8fc7}
line.ours{stroke:#f0883e}line.limit{stroke:#6e7681}line.other{stroke:#6a8fc7}line.grid{stroke:#3d444d}
}
";

impl Picture {
    pub(crate) fn new(width: f64) -> Self {
        Self { width, body: String::new() }
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, class: Class, anchor: Anchor, text: &str) {
        let (class, anchor, text) = (class.name(), anchor.name(), escape(text));
        self.line_of(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" class="{class}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    pub(crate) fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, class: Class) {
        let class = class.name();
        self.line_of(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="{class}"/>"#
        ));
    }

    /// Draws a line that is so many pixels thick.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), thick: f64, class: Class) {
        let ((x1, y1), (x2, y2), class) = (from, to, class.name());
        self.line_of(format_args!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke-width="{thick}" class="{class}"/>"#
        ));
    }

    pub(crate) fn dot(&mut self, x: f64, y: f64, radius: f64, class: Class) {
        let class = class.name();
        self.line_of(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" class="{class}"/>"#
        ));
    }

    /// Ends it, with a title for those who do not see it.
    pub(crate) fn finish(self, height: f64, title: &str) -> String {
        let (width, title, body) = (self.width, escape(title), self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\" class=\"ground\"/>\n\
             {body}</svg>\n",
            width - 1.0,
            height - 1.0
        )
    }

    fn line_of(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.body, "{element}");
    }
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Heading => "heading",
            Self::Label => "label",
            Self::Muted => "muted",
            Self::Ours => "ours",
            Self::Limit => "limit",
            Self::Other => "other",
            Self::Grid => "grid",
        }
    }
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_well_formed_whatever_its_texts() {
        let mut picture = Picture::new(100.0);
        picture.text(1.0, 2.0, Class::Label, Anchor::End, "a < b & \"c\" > 'd'");
        picture.rectangle(1.0, 2.0, 3.0, 4.0, Class::Ours);
        picture.line((0.0, 0.0), (9.0, 9.0), 1.0, Class::Grid);
        picture.dot(5.0, 5.0, 2.0, Class::Limit);
        let svg = picture.finish(50.0, "R&D");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let text = document.descendants().find(|node| node.has_tag_name("text")).unwrap();
        assert_eq!(text.text(), Some("a < b & \"c\" > 'd'"));
    }
}
