//! Markup becomes text.

use crate::filter::DataFilter;

/// Writes `<` as `&lt;` and `>` as `&gt;`.
#[derive(Clone, Copy, Debug, Default)]
#[doc(alias = "NoMarkupFilter")]
pub struct NoMarkup;

impl DataFilter for NoMarkup {
    fn filter_text(&self, text: String) -> Option<String> {
        Some(if text.contains(['<', '>']) {
            text.replace('<', "&lt;").replace('>', "&gt;")
        } else {
            text
        })
    }
}
